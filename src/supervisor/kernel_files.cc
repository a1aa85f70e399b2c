#include "supervisor/kernel_files.h"

#include <linux/btf.h>
#include <sys/utsname.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace ring3::supervisor {
namespace {

/// What a program may ask of a configuration before it loads (`extern … __kconfig`, `bpftool feature`): what a runtime has.
constexpr const char* kConfiguration =
    "# Of a runtime of ring3's, not of the machine's kernel.\n"
    "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_BPF_JIT=y\nCONFIG_BPF_JIT_ALWAYS_ON=y\nCONFIG_HAVE_EBPF_JIT=y\n"
    "CONFIG_DEBUG_INFO_BTF=y\nCONFIG_BPF_STREAM_PARSER=y\nCONFIG_BPF_EVENTS=y\nCONFIG_HZ=1000\n";

/// Bytes behind a type's record. -1: no such kind.
std::int64_t bytes_behind(std::uint32_t info) {
  const std::uint32_t count = info & 0xffff;
  switch (info >> 24 & 0x1f) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG: return 4;
    case BTF_KIND_ARRAY: return 12;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case BTF_KIND_ENUM64: return 12 * std::int64_t{count};
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO: return 8 * std::int64_t{count};
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG: return 0;
    default: return -1;
  }
}

}  // namespace

// By hand and not by btf::Btf, which proves the whole of it: a command's start has no time for that, and the runtime does it later.
std::string symbols_of(std::span<const std::byte> btf) {
  std::string lines;
  btf_header header;
  if (btf.size() < sizeof header) return lines;
  std::memcpy(&header, btf.data(), sizeof header);
  const std::uint64_t types = std::uint64_t{header.hdr_len} + header.type_off, strings = std::uint64_t{header.hdr_len} + header.str_off;
  if (types + header.type_len > btf.size() || strings + header.str_len > btf.size() || header.str_len == 0) return lines;
  const std::span<const std::byte> names = btf.subspan(strings, header.str_len);
  if (names.back() != std::byte{0}) return lines;
  std::uint64_t at = types;
  const std::uint64_t end = types + header.type_len;
  btf_type type;
  while (end - at >= sizeof type) {
    std::memcpy(&type, btf.data() + at, sizeof type);
    const std::int64_t behind = bytes_behind(type.info);
    at += sizeof type;
    if (behind < 0 || static_cast<std::uint64_t>(behind) > end - at) break;
    at += static_cast<std::uint64_t>(behind);
    if ((type.info >> 24 & 0x1f) != BTF_KIND_FUNC || type.name_off >= names.size()) continue;
    lines.append("0000000000000000 T ").append(reinterpret_cast<const char*>(names.data()) + type.name_off).push_back('\n');
  }
  return lines;
}

std::string as_gzip(const std::string& text) {
  constexpr std::size_t kMostInBlock = 0xffff;
  const auto put = [](std::string& to, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> 8 * i & 0xff));
  };
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  for (std::size_t at = 0; at == 0 || at < text.size(); at += kMostInBlock) {
    const std::size_t n = std::min(kMostInBlock, text.size() - at);
    out.push_back(at + n == text.size() ? 1 : 0);  // stored; the last
    put(out, static_cast<std::uint32_t>(n), 2);
    put(out, ~static_cast<std::uint32_t>(n), 2);
    out.append(text, at, n);
  }
  put(out, static_cast<std::uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()))), 4);
  put(out, static_cast<std::uint32_t>(text.size()), 4);
  return out;
}

std::string cpu_list(std::uint32_t cpus) { return (cpus == 1 ? "0" : "0-" + std::to_string(cpus - 1)) + "\n"; }

std::vector<FileOverlay> kernel_files(std::span<const std::byte> btf, std::uint32_t cpus) {
  std::vector<FileOverlay> files;
  if (!btf.empty()) {
    files.push_back({"/proc/kallsyms", symbols_of(btf)});
    files.push_back({"/proc/config.gz", as_gzip(kConfiguration)});
    utsname system;
    if (::uname(&system) == 0) files.push_back({std::string("/boot/config-") + system.release, kConfiguration});
  }
  if (cpus != 0)
    for (const char* list : {"possible", "online", "present"}) files.push_back({std::string("/sys/devices/system/cpu/") + list, cpu_list(cpus)});
  return files;
}

}  // namespace ring3::supervisor
