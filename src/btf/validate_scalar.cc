// Records with a size and no references: integers, floats, enumerations.
#include <bit>

#include "base/try.h"
#include "btf/names.h"
#include "btf/validate.h"

namespace ring3::btf {
namespace {

constexpr std::uint32_t kMaxIntBits = 128;
constexpr std::uint32_t kMaxEnumBytes = 8;

template <typename Raw>
Result<void> check_enumeration(const Checker& c, TypeId id, const RawType& raw) {
  const std::uint32_t size = raw.size_or_type;
  if (size > kMaxEnumBytes || !std::has_single_bit(size)) return c.refuse(id, "Unexpected size");
  RING3_TRY(c.optional_name(id, raw));
  for (std::uint32_t i = 0; i < raw.vlen(); ++i) {
    const auto e = c.btf.element<Raw>(id, i);
    if (!c.btf.has_string(e.name_off)) return c.refuse(id, "Invalid name_offset");
    if (!is_identifier(c.btf.string(e.name_off))) return c.refuse(id, "Invalid name");
  }
  return {};
}

}  // namespace

Result<void> check_int(const Checker& c, TypeId id, const RawType& raw) {
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  const auto data = c.btf.tail<std::uint32_t>(id);
  if ((data & ~0x0fffffffu) != 0) return c.refuse(id, "Invalid int_data");
  const IntInfo i = decode_int(data);
  const std::uint32_t bits = std::uint32_t{i.bits} + i.bit_off;
  if (bits > kMaxIntBits) return c.refuse(id, "nr_bits exceeds 128");
  if ((bits + 7) / 8 > raw.size_or_type) return c.refuse(id, "nr_bits exceeds type_size");
  // One of signed, char and bool at most.
  if (std::popcount((data >> 24) & 0xf) > 1 || ((data >> 24) & 0x8) != 0)
    return c.refuse(id, "Unsupported encoding", Errno::kNotSupp);
  return {};
}

Result<void> check_float(const Checker& c, TypeId id, const RawType& raw) {
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  switch (raw.size_or_type) {
    case 2:
    case 4:
    case 8:
    case 12:
    case 16:
      return {};
    default:
      return c.refuse(id, "Invalid type_size");
  }
}

Result<void> check_enum(const Checker& c, TypeId id, const RawType& raw) {
  return check_enumeration<RawEnum>(c, id, raw);
}

Result<void> check_enum64(const Checker& c, TypeId id, const RawType& raw) {
  return check_enumeration<RawEnum64>(c, id, raw);
}

}  // namespace ring3::btf
