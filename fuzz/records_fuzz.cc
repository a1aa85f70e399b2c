// Function, line and CO-RE records that are nearly right: a load ends with a descriptor, or with an errno and a message.
//
// Input: triples (where, 16 bits; what, 8 bits) that change bytes of a load that works: its records, the fields of the attribute that
// describe them, its BTF.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "btf/builder.h"
#include "isa/assemble.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace {

using namespace ring3;
using btf::Builder;

struct FuncRecord { std::uint32_t insn_off, type; };
struct LineRecord { std::uint32_t insn_off, file, line, column; };
struct CoreRecord { std::uint32_t insn_off, type, access, kind; };

constexpr std::size_t kMostEdits = 24;

/// The host's struct has its members elsewhere.
std::vector<std::byte> host_types() {
  Builder b;
  const auto u32 = b.add_int("unsigned int", 4);
  b.add_struct("thing", 16, {{"c", u32, 0}, {"b", u32, 32}, {"a", u32, 64}, {"d", u32, 96}});
  return b.finish();
}

/// Everything of one load that a client makes up.
struct Load {
  // The fields that describe the records, before them so that edits find them too.
  struct Sizes {
    std::uint32_t func_rec = sizeof(FuncRecord), func_count = 2;
    std::uint32_t line_rec = sizeof(LineRecord), line_count = 4;
    std::uint32_t core_rec = sizeof(CoreRecord), core_count = 3;
  } sizes;
  FuncRecord funcs[2];
  LineRecord lines[4];
  CoreRecord cores[3];
  std::byte more[64]{};  // what too large a count reads
};

struct Template {
  std::vector<isa::RawInsn> insns;
  std::vector<std::byte> btf;
  Load load;
};

Template make_template() {
  Template out;
  out.insns = isa::assemble("r1 = r10\ncall sub\nr0 = 0\nexit\nsub:\nr0 = 0\nr2 = 8\nr3 = 1\nr0 += r2\nexit\n").value();
  Builder b;
  const auto u32 = b.add_int("unsigned int", 4);
  const auto thing = b.add_struct("thing", 8, {{"a", u32, 0}, {"b", u32, 32}});
  const auto proto = b.add_proto(u32, {{"x", u32}});
  const auto main_func = b.add_func("main_prog", proto, btf::Linkage::kGlobal);
  const auto sub_func = b.add_func("sub", proto, btf::Linkage::kStatic);
  const auto file = b.string("a.bpf.c"), line = b.string("  return x;"), a = b.string("0:0"), whole = b.string("0");
  out.load.funcs[0] = {0, main_func};
  out.load.funcs[1] = {4, sub_func};
  for (std::uint32_t i = 0; i < 4; ++i) out.load.lines[i] = {i == 3 ? 4u : i, file, line, (i + 1) << 10 | 3};
  out.load.cores[0] = {4 * 8, thing, a, 0 /* offset of a member */};
  out.load.cores[1] = {5 * 8, thing, whole, 9 /* size of the type */};
  out.load.cores[2] = {6 * 8, thing, a, 2 /* the member exists */};
  out.btf = b.finish();
  return out;
}

struct World {
  std::vector<std::byte> types = host_types();
  std::unique_ptr<Runtime> runtime;
  Template unedited = make_template();

  World() {
    RuntimeOptions options;
    options.name = "fuzz";
    options.btf = {types.data(), types.size()};
    options.execution = Execution::kInterpreter;
    runtime = Runtime::create(options).value();
    if (!loads(unedited)) {
      std::fprintf(stderr, "the load without edits is refused\n%s\n", log.data());
      std::abort();
    }
  }

  /// Refused without a word is a finding.
  bool loads(Template& t) {
    const int btf = load_btf(t.btf);
    if (btf < 0) return false;
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = reinterpret_cast<std::uintptr_t>(t.insns.data());
    attr.insn_cnt = static_cast<std::uint32_t>(t.insns.size());
    attr.license = reinterpret_cast<std::uintptr_t>("GPL");
    set_log(attr.log_buf, attr.log_size, attr.log_level);
    attr.prog_btf_fd = static_cast<std::uint32_t>(btf);
    const auto records = [](const auto& first) { return reinterpret_cast<std::uintptr_t>(&first); };
    // A count may go beyond the records, into the bytes behind them, but not beyond what there is.
    const auto count = [&](std::uint32_t wanted, const void* first, std::uint32_t bytes) {
      const auto room = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(&t.load + 1) - static_cast<const std::byte*>(first));
      return static_cast<std::uint32_t>(std::min<std::size_t>(wanted, room / std::max(bytes, 1u)));
    };
    attr.func_info = records(t.load.funcs);
    attr.func_info_rec_size = t.load.sizes.func_rec;
    attr.func_info_cnt = count(t.load.sizes.func_count, t.load.funcs, t.load.sizes.func_rec);
    attr.line_info = records(t.load.lines);
    attr.line_info_rec_size = t.load.sizes.line_rec;
    attr.line_info_cnt = count(t.load.sizes.line_count, t.load.lines, t.load.sizes.line_rec);
    attr.core_relos = records(t.load.cores);
    attr.core_relo_rec_size = t.load.sizes.core_rec;
    attr.core_relo_cnt = count(t.load.sizes.core_count, t.load.cores, t.load.sizes.core_rec);
    const long fd = runtime->bpf(uapi::BPF_PROG_LOAD, &attr, sizeof attr);
    ::close(btf);
    if (fd >= 0) ::close(static_cast<int>(fd));
    // Sizes and descriptors are refused before there is anything to say.
    if (fd < 0 && fd != -static_cast<long>(Errno::kTooBig) && log[0] == '\0' && sizes_are_sane(t.load.sizes)) {
      std::fprintf(stderr, "refused with %ld and without a word\n", fd);
      std::abort();
    }
    return fd >= 0;
  }

  int load_btf(const std::vector<std::byte>& bytes) {
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    attr.btf = reinterpret_cast<std::uintptr_t>(bytes.data());
    attr.btf_size = static_cast<std::uint32_t>(bytes.size());
    log[0] = '\0';
    attr.btf_log_buf = reinterpret_cast<std::uintptr_t>(log.data());
    attr.btf_log_size = static_cast<std::uint32_t>(log.size());
    attr.btf_log_level = 1;
    return static_cast<int>(runtime->bpf(uapi::BPF_BTF_LOAD, &attr, sizeof attr));
  }

  static bool sizes_are_sane(const Load::Sizes& s) {
    const auto sane = [](std::uint32_t size, std::size_t least) { return size >= least && size <= 252 && size % 4 == 0; };
    return sane(s.func_rec, sizeof(FuncRecord)) && sane(s.line_rec, sizeof(LineRecord)) && sane(s.core_rec, sizeof(CoreRecord));
  }

  void set_log(std::uint64_t& buffer, std::uint32_t& size, std::uint32_t& level) {
    log[0] = '\0';
    buffer = reinterpret_cast<std::uintptr_t>(log.data());
    size = static_cast<std::uint32_t>(log.size());
    level = 1;
  }

  std::vector<char> log = std::vector<char>(1 << 16);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  Template edited = world.unedited;
  const std::span records(reinterpret_cast<std::byte*>(&edited.load), offsetof(Load, more));
  for (std::size_t n = 0; n < kMostEdits && 3 * n + 2 < size; ++n) {
    const std::size_t where = data[3 * n] | static_cast<std::size_t>(data[3 * n + 1]) << 8;
    const auto what = static_cast<std::byte>(data[3 * n + 2]);
    // Four of five edits go to the records.
    if (where % 5 != 0) records[where / 5 % records.size()] ^= what;
    else edited.btf[where / 5 % edited.btf.size()] ^= what;
  }
  (void)world.loads(edited);
  return 0;
}
