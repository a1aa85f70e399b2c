// Where a member may lie inside its struct, by the kind of its type.
#include "btf/graph.h"

namespace ring3::btf {
namespace {

constexpr std::uint32_t kEnumBits = 32;  // widest bitfield of an enumeration

struct Place {
  std::uint32_t bit_off;
  std::uint32_t bitfield_bits;
  std::uint32_t struct_bytes;
};

const char* whole_bytes_rule(const Place& p, std::uint32_t bytes) {
  if (p.bit_off % 8 != 0) return "Member is not byte aligned";
  const std::uint32_t off = p.bit_off / 8;
  if (p.struct_bytes < off || p.struct_bytes - off < bytes) return "Member exceeds struct_size";
  return nullptr;
}

const char* bits_rule(const Place& p, std::uint64_t bit_off, std::uint32_t bits) {
  const std::uint64_t copied = bits + bit_off % 8;
  if (copied > 128) return "nr_copy_bits exceeds 128";
  if (bit_off / 8 + (copied + 7) / 8 > p.struct_bytes) return "Member exceeds struct_size";
  return nullptr;
}

// In a struct without kind_flag the integer's own record may carry a bitfield (offset and width).
const char* int_rule(const Place& p, const IntInfo& i, bool bitfields_in_member) {
  if (!bitfields_in_member) return bits_rule(p, std::uint64_t{p.bit_off} + i.bit_off, i.bits);
  if (!is_regular_int(i)) return "Invalid member base type";
  if (p.bitfield_bits == 0) {
    if (p.bit_off % 8 != 0) return "Invalid member offset";
    return bits_rule(p, p.bit_off, i.bits);
  }
  if (p.bitfield_bits > i.bits) return "Invalid member bitfield_size";
  return bits_rule(p, p.bit_off, p.bitfield_bits);
}

const char* enum_rule(const Place& p, std::uint32_t bytes) {
  if (p.bitfield_bits == 0) return whole_bytes_rule(p, bytes);
  if (p.bitfield_bits > kEnumBits) return "Invalid member bitfield_size";
  return bits_rule(p, p.bit_off, p.bitfield_bits);
}

const char* float_rule(const Place& p, std::uint32_t bytes) {
  const std::uint32_t align = bytes < 8 ? bytes : 8;
  if (p.bit_off % 8 == 0 && align != 0 && (p.bit_off / 8) % align != 0 && bytes != 12)
    return "Member is not properly aligned";
  return whole_bytes_rule(p, bytes);
}

}  // namespace

bool is_regular_int(const IntInfo& i) {
  return i.bit_off == 0 && (i.bits == 8 || i.bits == 16 || i.bits == 32 || i.bits == 64 || i.bits == 128);
}

Result<void> check_member_place(const Checker& c, TypeId id, std::uint32_t index) {
  const Type& owner = *c.btf.type(id);
  const auto raw = c.btf.element<RawMember>(id, index);
  const Place p = owner.kind_flag ? Place{raw.offset & 0xffffff, raw.offset >> 24, owner.size}
                                  : Place{raw.offset, 0, owner.size};
  const TypeId target = behind_modifiers(c.btf, raw.type);
  const Type& t = *c.btf.type(target);
  const char* rule = nullptr;
  switch (t.kind) {
    case Kind::kInt:
      rule = int_rule(p, decode_int(c.btf.owner(target).tail<std::uint32_t>(target)), owner.kind_flag);
      break;
    case Kind::kEnum:
    case Kind::kEnum64:
      rule = enum_rule(p, t.size);
      break;
    case Kind::kFloat:
      rule = p.bitfield_bits != 0 ? "Invalid member bitfield_size" : float_rule(p, t.size);
      break;
    case Kind::kPtr:
    case Kind::kArray:
    case Kind::kStruct:
    case Kind::kUnion:
      rule = p.bitfield_bits != 0 ? "Invalid member bitfield_size"
                                  : whole_bytes_rule(p, size_in_bytes(c.btf, target).value_or(0));
      break;
    default:
      rule = "Unsupported check_member";
      break;
  }
  if (rule != nullptr) return c.refuse_member(id, index, rule);
  return {};
}

}  // namespace ring3::btf
