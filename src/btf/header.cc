#include "btf/header.h"

#include <algorithm>
#include <cstring>

namespace ring3::btf {
namespace {

struct RawHeader {
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t hdr_len;
  std::uint32_t type_off;  // from the end of the header, like str_off
  std::uint32_t type_len;
  std::uint32_t str_off;
  std::uint32_t str_len;
};
static_assert(sizeof(RawHeader) == 24);

constexpr std::uint16_t kMagic = 0xeb9f;
constexpr std::size_t kHdrLenEnd = 8;

Errno refuse(TextSink& log, const char* rule, Errno e = Errno::kInval) {
  log.write(rule);
  log.write("\n");
  return e;
}

// The two sections must fill the rest of the blob: no gap, no overlap, nothing left over.
Result<void> check_sections(const RawHeader& h, std::uint32_t room, TextSink& log) {
  struct Extent { std::uint32_t off, bytes; };
  Extent extents[] = {{h.type_off, h.type_len}, {h.str_off, h.str_len}};
  if (extents[1].off < extents[0].off) std::swap(extents[0], extents[1]);
  std::uint32_t total = 0;
  for (const Extent& e : extents) {
    if (room < e.off) return refuse(log, "Invalid section offset");
    if (total < e.off) return refuse(log, "Unsupported section found");  // a gap
    if (total > e.off) return refuse(log, "Section overlap found");
    if (room - total < e.bytes) return refuse(log, "Total section length too long");
    total += e.bytes;
  }
  if (total != room) return refuse(log, "Unsupported section found");
  return {};
}

Result<void> check_strings(std::span<const std::byte> strings, bool split, TextSink& log) {
  if (split && strings.empty()) return {};
  if (strings.empty() || strings.size() - 1 > kMaxNameOff || (!split && strings.front() != std::byte{0}) ||
      strings.back() != std::byte{0})
    return refuse(log, "Invalid string section");
  return {};
}

}  // namespace

Result<Sections> parse_header(std::span<const std::byte> blob, bool split, TextSink& log) {
  if (blob.size() > kMaxBlobBytes) return refuse(log, "BTF larger than 16 MiB", Errno::kTooBig);
  if (blob.size() < kHdrLenEnd) return refuse(log, "hdr_len not found");
  RawHeader h{};
  std::memcpy(&h, blob.data(), kHdrLenEnd);
  if (h.hdr_len > blob.size()) return refuse(log, "btf_header not found");
  const auto extension = blob.first(h.hdr_len).subspan(std::min<std::size_t>(h.hdr_len, sizeof h));
  if (std::any_of(extension.begin(), extension.end(), [](std::byte b) { return b != std::byte{0}; }))
    return refuse(log, "Unsupported btf_header", Errno::kTooBig);

  const std::uint32_t hdr_len = h.hdr_len;
  h = {};
  std::memcpy(&h, blob.data(), std::min<std::size_t>(hdr_len, sizeof h));
  if (h.magic != kMagic) return refuse(log, h.magic == 0x9feb ? "Invalid magic (other byte order)" : "Invalid magic");
  if (h.version != 1) return refuse(log, "Unsupported version", Errno::kNotSupp);
  if (h.flags != 0) return refuse(log, "Unsupported flags", Errno::kNotSupp);
  const auto room = static_cast<std::uint32_t>(blob.size()) - hdr_len;
  if (room == 0 && !split) return refuse(log, "No data");

  if (Result<void> ok = check_sections(h, room, log); !ok) return ok.error();
  if (h.str_off + h.str_len != room) return refuse(log, "String section is not at the end");
  if (Result<void> ok = check_strings(blob.subspan(hdr_len + h.str_off, h.str_len), split, log); !ok)
    return ok.error();
  if (h.type_off % 4 != 0) return refuse(log, "Unaligned type_off");
  if (h.type_len == 0 && !split) return refuse(log, "No type found");
  return Sections{hdr_len + h.type_off, h.type_len, hdr_len + h.str_off, h.str_len};
}

}  // namespace ring3::btf
