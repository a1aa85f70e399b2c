// A load that works, with each of its parts truncated, changed byte by byte, and replaced by noise: it ends with a descriptor, or with
// an errno and a message. (fuzz/ looks further: btf_fuzz, records_fuzz, attr_fuzz, verifier_fuzz.)
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <vector>

#include "btf/builder.h"
#include "isa/assemble.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace ring3 {
namespace {

using btf::Builder;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kSlotBytes = 8, kFuncBytes = 8, kLineBytes = 16, kCoreBytes = 16;

/// Whatever a client makes up, part by part.
struct Load {
  Bytes program, btf, funcs, lines, cores;
};
constexpr Bytes Load::*kParts[] = {&Load::program, &Load::btf, &Load::funcs, &Load::lines, &Load::cores};
constexpr const char* kNames[] = {"program", "BTF", "function records", "line records", "CO-RE records"};

void add(Bytes& out, std::initializer_list<std::uint32_t> words) {
  for (const std::uint32_t word : words) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&word);
    out.insert(out.end(), bytes, bytes + sizeof word);
  }
}

Load good_load() {
  Load out;
  const auto insns =
      isa::assemble("r1 = r10\ncall sub\nr2 = 1 ll\nr0 = 0\nexit\nsub:\nr0 = 0\nr2 = 8\nr3 = 1\nr0 += r2\nexit\n").value();
  out.program.resize(insns.size() * kSlotBytes);
  std::memcpy(out.program.data(), insns.data(), out.program.size());
  Builder b;
  const auto u32 = b.add_int("unsigned int", 4);
  const auto thing = b.add_struct("thing", 8, {{"a", u32, 0}, {"b", u32, 32}});
  const auto proto = b.add_proto(u32, {{"x", u32}});
  const auto main_func = b.add_func("main_prog", proto, btf::Linkage::kGlobal), sub = b.add_func("sub", proto, btf::Linkage::kStatic);
  const auto file = b.string("a.bpf.c"), line = b.string("  return x;"), a = b.string("0:0"), whole = b.string("0");
  add(out.funcs, {0, main_func, 6, sub});
  add(out.lines, {0, file, line, 1 << 10 | 3, 6, file, line, 2 << 10 | 3});
  add(out.cores, {6 * kSlotBytes, thing, a, 0, 7 * kSlotBytes, thing, whole, 9, 8 * kSlotBytes, thing, a, 2});
  out.btf = b.finish();
  return out;
}

class Malformed : public ::testing::Test {
 protected:
  Malformed() {
    Builder b;
    const auto u32 = b.add_int("unsigned int", 4);
    b.add_struct("thing", 16, {{"c", u32, 0}, {"b", u32, 32}, {"a", u32, 64}, {"d", u32, 96}});
    types_ = b.finish();
    runtime_ = Runtime::create({.name = "malformed", .btf = {types_.data(), types_.size()}, .execution = Execution::kInterpreter}).value();
  }

  static std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

  /// A descriptor, or the negated errno; log_ holds what was said.
  long bpf(int command, uapi::bpf_attr& attr) { return runtime_->bpf(command, &attr, sizeof attr); }

  long load_btf(const Bytes& bytes) {
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    attr.btf = address(bytes.data());
    attr.btf_size = static_cast<std::uint32_t>(bytes.size());
    attr.btf_log_buf = address(log_.data());
    attr.btf_log_size = static_cast<std::uint32_t>(log_.size());
    attr.btf_log_level = 1;
    return bpf(uapi::BPF_BTF_LOAD, attr);
  }

  long load(const Load& l) {
    log_[0] = '\0';
    const long btf = load_btf(l.btf);
    if (btf < 0) return btf;
    log_[0] = '\0';
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = address(l.program.data());
    attr.insn_cnt = static_cast<std::uint32_t>(l.program.size() / kSlotBytes);
    attr.license = address("GPL");
    attr.log_buf = address(log_.data());
    attr.log_size = static_cast<std::uint32_t>(log_.size());
    attr.log_level = 1;
    attr.prog_btf_fd = static_cast<std::uint32_t>(btf);
    attr.func_info = address(l.funcs.data());
    attr.func_info_rec_size = kFuncBytes;
    attr.func_info_cnt = static_cast<std::uint32_t>(l.funcs.size() / kFuncBytes);
    attr.line_info = address(l.lines.data());
    attr.line_info_rec_size = kLineBytes;
    attr.line_info_cnt = static_cast<std::uint32_t>(l.lines.size() / kLineBytes);
    attr.core_relos = address(l.cores.data());
    attr.core_relo_rec_size = kCoreBytes;
    attr.core_relo_cnt = static_cast<std::uint32_t>(l.cores.size() / kCoreBytes);
    const long program = bpf(uapi::BPF_PROG_LOAD, attr);
    ::close(static_cast<int>(btf));
    return program;
  }

  /// Accepted or refused with a word. (No instruction at all is refused as Linux does it, before there is a log.)
  void ends_well(const Load& l, const std::string& what) {
    const long result = load(l);
    if (result >= 0) {
      ::close(static_cast<int>(result));
      ++accepted_;
      return;
    }
    ++refused_;
    EXPECT_GT(result, -4096) << what;
    const bool empty = l.program.size() < kSlotBytes || l.btf.empty();
    EXPECT_TRUE(empty || log_[0] != '\0') << what << ": refused with " << result << " and without a word";
  }

  Bytes types_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<char> log_ = std::vector<char>(1 << 16);
  int accepted_ = 0, refused_ = 0;
};

TEST_F(Malformed, TheLoadWithoutChangesWorks) {
  const long program = load(good_load());
  ASSERT_GE(program, 0) << log_.data();
  ::close(static_cast<int>(program));
}

TEST_F(Malformed, TruncatedAnywhere) {
  for (std::size_t part = 0; part < std::size(kParts); ++part)
    for (std::size_t bytes = 0; bytes < (good_load().*kParts[part]).size(); ++bytes) {
      Load cut = good_load();
      (cut.*kParts[part]).resize(bytes);
      ends_well(cut, std::string(kNames[part]) + " cut at " + std::to_string(bytes));
    }
  EXPECT_GT(refused_, 0);
}

TEST_F(Malformed, EachByteChanged) {
  for (std::size_t part = 0; part < std::size(kParts); ++part)
    for (std::size_t at = 0; at < (good_load().*kParts[part]).size(); ++at)
      for (const unsigned change : {0x01u, 0x80u, 0xffu, 0x10u}) {
        Load changed = good_load();
        (changed.*kParts[part])[at] ^= static_cast<std::byte>(change);
        ends_well(changed, std::string(kNames[part]) + " byte " + std::to_string(at) + " ^ " + std::to_string(change));
      }
  EXPECT_GT(refused_, 0);
  EXPECT_GT(accepted_, 0);
}

TEST_F(Malformed, NoiseInTheirPlace) {
  std::mt19937 random(20241122);
  for (int round = 0; round < 400; ++round) {
    const std::size_t part = random() % std::size(kParts);
    Load noisy = good_load();
    Bytes& bytes = noisy.*kParts[part];
    // Half of it all noise, half with a good beginning.
    const std::size_t from = round % 2 == 0 ? 0 : random() % bytes.size();
    for (std::size_t at = from; at < bytes.size(); ++at) bytes[at] = static_cast<std::byte>(random());
    ends_well(noisy, std::string(kNames[part]) + " of noise, round " + std::to_string(round));
  }
}

}  // namespace
}  // namespace ring3
