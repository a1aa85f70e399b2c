#include "tests/integration/core/core_oracle.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "base/memfd.h"
#include "control/libbpf_door.h"

namespace ring3::test {
namespace {

std::string said;

int keep_text(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG) return 0;
  char* line = nullptr;
  const int length = ::vasprintf(&line, format, args);
  if (length >= 0) said += line;
  std::free(line);
  return length;
}

std::vector<isa::RawInsn> insns_at(const void* from, std::size_t count) {
  std::vector<isa::RawInsn> out(count);
  if (count != 0) std::memcpy(static_cast<void*>(out.data()), from, count * sizeof out[0]);
  return out;
}

/// A kernel that does whatever it is asked, and does nothing.
class Recorder final : public control::LibbpfAnswers {
 public:
  explicit Recorder(std::string program) : program_(std::move(program)) {
    said.clear();
    libbpf_set_print(&keep_text);
    (void)control::route_libbpf_to(*this);
  }
  ~Recorder() { (void)control::route_libbpf(nullptr); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  long bpf(int cmd, void* raw, std::uint32_t, void*, std::uint32_t) override {
    const auto& attr = *static_cast<const bpf_attr*>(raw);
    switch (cmd) {
      case BPF_PROG_LOAD:
        if (program_.substr(0, sizeof attr.prog_name - 1) == std::string_view(attr.prog_name, ::strnlen(attr.prog_name, sizeof attr.prog_name)))
          insns = insns_at(reinterpret_cast<const void*>(attr.insns), attr.insn_cnt);
        return some_descriptor();
      case BPF_BTF_LOAD: {
        // libbpf tries the kernel's features with a few types of its own; the object's are more.
        const auto* first = reinterpret_cast<const std::byte*>(attr.btf);
        if (attr.btf_size > own_types.size()) own_types.assign(first, first + attr.btf_size);
        return some_descriptor();
      }
      case BPF_MAP_CREATE: return some_descriptor();
      default: return 0;
    }
  }
  Result<OwnedFd> types() override { return memfd_of("btf", {}); }

  std::vector<isa::RawInsn> insns;
  std::vector<std::byte> own_types;

 private:
  long some_descriptor() {
    static const std::vector<std::byte> kRoom(1 << 16);  // global variables are mapped
    auto fd = memfd_of("object", kRoom);
    return fd.ok() ? fd->release() : -ENOMEM;
  }

  const std::string program_;
};

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct FreeTypes {
  void operator()(btf* types) const { btf__free(types); }
};
struct FreeExtension {
  void operator()(btf_ext* extension) const { btf_ext__free(extension); }
};

/// The head of .BTF.ext, as far as CO-RE goes.
struct ExtensionHead {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t head_bytes, func_off, func_bytes, line_off, line_bytes, core_off, core_bytes;
};
constexpr std::size_t kRecordBytes = 16;

std::uint32_t word_at(const std::byte* at) {
  std::uint32_t out = 0;
  std::memcpy(&out, at, sizeof out);
  return out;
}

/// CO-RE records by section.
std::map<std::string, std::vector<std::byte>> records_of(const btf& types, const btf_ext& extension) {
  std::map<std::string, std::vector<std::byte>> out;
  __u32 bytes = 0;
  const auto* raw = static_cast<const std::byte*>(btf_ext__get_raw_data(&extension, &bytes));
  ExtensionHead head{};
  std::memcpy(&head, raw, std::min<std::size_t>(bytes, sizeof head));
  if (head.head_bytes < sizeof head || head.core_bytes < sizeof(std::uint32_t)) return out;
  const std::byte* at = raw + head.head_bytes + head.core_off;
  const std::byte* const end = at + head.core_bytes;
  if (word_at(at) != kRecordBytes) return out;
  at += sizeof(std::uint32_t);
  while (at + 8 <= end) {
    std::vector<std::byte>& records = out[btf__str_by_offset(&types, word_at(at))];
    const std::size_t size = word_at(at + 4) * kRecordBytes;
    records.insert(records.end(), at + 8, at + 8 + size);
    at += 8 + size;
  }
  return out;
}

}  // namespace

std::string without_targets(const std::string& path, const std::string& folder) {
  constexpr std::string_view kWith = "tp_btf/", kWithout = "raw_tp/";
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  bool found = false;
  for (std::size_t at = bytes.find(kWith); at != std::string::npos; at = bytes.find(kWith, at)) {
    bytes.replace(at, kWith.size(), kWithout);
    found = true;
  }
  if (!found) return path;
  const std::string copy = folder + "/" + path.substr(path.rfind('/') + 1);
  std::ofstream(copy, std::ios::binary) << bytes;
  return copy;
}

CoreObject read_core_object(const std::string& path) {
  CoreObject out{.path = path, .problem = "", .programs = {}};
  said.clear();
  libbpf_set_print(&keep_text);
  btf_ext* found = nullptr;
  const std::unique_ptr<btf, FreeTypes> types(btf__parse_elf(path.c_str(), &found));
  const std::unique_ptr<btf_ext, FreeExtension> extension(found);
  const std::unique_ptr<bpf_object, CloseObject> object(bpf_object__open_file(path.c_str(), nullptr));
  if (types == nullptr || extension == nullptr || object == nullptr) {
    out.problem = said.empty() ? "no types, or not an object" : said;
    return out;
  }
  const auto records = records_of(*types, *extension);
  std::map<std::string, int> in_section;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) ++in_section[bpf_program__section_name(program)];
  bpf_object__for_each_program(program, object.get()) {
    const auto own = records.find(bpf_program__section_name(program));
    if (own == records.end() || in_section[own->first] != 1) continue;
    out.programs.push_back({.name = bpf_program__name(program), .insns = insns_at(bpf_program__insns(program), bpf_program__insn_cnt(program)),
                            .records = own->second});
  }
  return out;
}

std::vector<std::byte> types_of_file(const std::string& path) {
  said.clear();
  libbpf_set_print(&keep_text);
  const std::unique_ptr<btf, FreeTypes> types(btf__parse(path.c_str(), nullptr));
  if (types == nullptr) return {};
  __u32 bytes = 0;
  const auto* raw = static_cast<const std::byte*>(btf__raw_data(types.get(), &bytes));
  return {raw, raw + bytes};
}

Relocated relocate_by_libbpf(const CoreObject& object, const CoreProgram& program, const std::string& types) {
  Relocated out;
  Recorder recorder(program.name);
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.btf_custom_path = types.c_str();
  const std::unique_ptr<bpf_object, CloseObject> opened(bpf_object__open_file(object.path.c_str(), &options));
  if (opened == nullptr) return out.text = said, out;
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, opened.get()) bpf_program__set_autoload(each, program.name == bpf_program__name(each));
  const int error = bpf_object__load(opened.get());
  out.text = std::exchange(said, {});
  out.types = std::move(recorder.own_types);
  if (error == 0 && !recorder.insns.empty()) {
    out.end = Relocated::End::kLoaded;
    out.insns = std::move(recorder.insns);
  } else if (out.text.find("failed to perform CO-RE relocations") != std::string::npos) {
    out.end = Relocated::End::kCoreFailed;
    out.error = error;
  }
  return out;
}

}  // namespace ring3::test
