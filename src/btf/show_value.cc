// A value as Linux's bpf_snprintf_btf() writes it: a C initialiser with a cast in front of everything, zeros left out.
//
//   (struct item){.id = (__u32)7,.name = (char[])['f','o','o',],.next = (struct item *)0x00000000deadbeef,}
//
// What is inside something else is shown when it says something (a number that is not 0, a text that is not empty, an aggregate
// with a part that is shown); what was asked for is shown always. The forms are those that the kernel's own tests expect.
#include <fmt/format.h>

#include "btf/print.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

constexpr int kMaxDepth = 32;

class Shower {
 public:
  Shower(const Btf& types, std::span<const std::byte> bytes, const ShowStyle& style, TextSink& out)
      : types_(types), bytes_(bytes), style_(style), out_(out) {}

  /// off: in bytes. cast: "(type)" in front.
  void value(TypeId declared, std::uint64_t off, int depth, bool cast) {
    if (depth > kMaxDepth) return;
    if (cast && !style_.nameless) out_.write("(" + cast_name(declared) + ")");
    const TypeId id = types_.skip_modifiers(declared);
    const Type& type = *types_.type(id);
    switch (type.kind) {
      case Kind::kStruct:
      case Kind::kUnion: return members(id, type, off, depth);
      case Kind::kArray: return elements(*types_.array(id), off, depth);
      case Kind::kInt: return out_.write(integer(*types_.integer(id), read(off, type.size)));
      case Kind::kEnum:
      case Kind::kEnum64: return out_.write(enumerator(id, type, read(off, type.size)));
      case Kind::kPtr: return out_.write(fmt::format("0x{:016x}", pointer(read(off, 8))));
      default: return out_.write(fmt::format("<unsupported kind:{}>", static_cast<unsigned>(type.kind)));
    }
  }

 private:
  std::uint64_t read(std::uint64_t off, std::uint32_t size) const {
    std::uint64_t raw = 0;
    for (std::uint32_t i = 0; i < size && i < 8 && off + i < bytes_.size(); ++i)
      raw |= std::uint64_t{std::to_integer<std::uint8_t>(bytes_[off + i])} << (8 * i);
    return raw;
  }
  std::uint64_t read_bits(std::uint64_t bit_off, std::uint32_t bits) const {
    const auto shift = static_cast<std::uint32_t>(bit_off % 8);
    std::uint64_t raw = read(bit_off / 8, 8) >> shift;
    if (shift != 0) raw |= read(bit_off / 8 + 8, 1) << (64 - shift);
    return bits >= 64 ? raw : raw & ((std::uint64_t{1} << bits) - 1);
  }

  static std::string integer(const IntInfo& info, std::uint64_t raw) {
    if (!info.is_signed || info.bits >= 64 || info.bits == 0)
      return info.is_signed ? fmt::format("{}", static_cast<std::int64_t>(raw)) : fmt::format("{}", raw);
    const std::uint64_t sign = std::uint64_t{1} << (info.bits - 1);
    return fmt::format("{}", static_cast<std::int64_t>((raw ^ sign) - sign));
  }
  std::string enumerator(TypeId id, const Type& type, std::uint64_t raw) const {
    const unsigned unused = type.size >= 8 ? 0 : 64 - type.size * 8;
    const std::int64_t number =
        type.kind_flag ? static_cast<std::int64_t>(raw << unused) >> unused : static_cast<std::int64_t>(raw);
    for (const Enumerator& e : types_.enumerators(id))
      if (e.value == number) return std::string(e.name);
    return type.kind_flag ? fmt::format("{}", number) : fmt::format("{}", raw);
  }
  /// Addresses are nobody's business: a number that is the same for the same address.
  std::uint64_t pointer(std::uint64_t raw) const {
    if (style_.raw_pointers || raw == 0) return raw;
    raw = (raw ^ style_.pointer_key) * 0x9e3779b97f4a7c15ull;
    return (raw ^ raw >> 29) * 0xbf58476d1ce4e5b9ull >> 32;
  }

  /// The type by the name it was declared with, arrays without their length.
  std::string cast_name(TypeId id) const {
    for (;;) {
      const Type& type = *types_.type(id);
      switch (type.kind) {
        case Kind::kConst:
        case Kind::kVolatile:
        case Kind::kRestrict:
        case Kind::kTypeTag: id = type.type; continue;
        case Kind::kArray: return cast_name(types_.array(id)->elem) + "[]";
        case Kind::kStruct: return type.name.empty() ? "struct" : "struct " + std::string(type.name);
        case Kind::kUnion: return type.name.empty() ? "union" : "union " + std::string(type.name);
        case Kind::kEnum:
        case Kind::kEnum64: return type.name.empty() ? "enum" : "enum " + std::string(type.name);
        default: return type_name(types_, id);
      }
    }
  }

  bool is_text(const ArrayInfo& array) const {
    const TypeId elem = types_.skip_modifiers(array.elem);
    const auto info = types_.integer(elem);
    return info && info->bits == 8 && types_.type(elem)->name == "char";
  }

  /// Whether a part says something. Aggregates are walked: a text ends at its first zero, whatever stands behind.
  bool says_something(TypeId declared, std::uint64_t off, int depth) const {
    if (style_.zeros) return true;
    if (depth > kMaxDepth) return false;
    const TypeId id = types_.skip_modifiers(declared);
    const Type& type = *types_.type(id);
    if (type.kind == Kind::kArray) {
      const ArrayInfo array = *types_.array(id);
      if (is_text(array)) return array.count != 0 && read(off, 1) != 0;
      const std::uint64_t step = types_.size_of(array.elem).value_or(0);
      for (std::uint32_t i = 0; step != 0 && i < array.count && off + i * step < bytes_.size(); ++i)
        if (says_something(array.elem, off + i * step, depth + 1)) return true;
      return false;
    }
    if (type.kind != Kind::kStruct && type.kind != Kind::kUnion) {
      for (std::uint32_t i = 0; i < types_.size_of(id).value_or(0); ++i)
        if (read(off + i, 1) != 0) return true;
      return false;
    }
    for (const Member& member : types_.members(id))
      if (member_says_something(member, off, depth + 1)) return true;
    return false;
  }
  bool member_says_something(const Member& member, std::uint64_t off, int depth) const {
    if (member.bitfield_bits == 0) return says_something(member.type, off + member.bit_off / 8, depth);
    return style_.zeros || read_bits(off * 8 + member.bit_off, member.bitfield_bits) != 0;
  }

  void line_start(int depth) {
    if (style_.compact) return;
    out_.write("\n" + std::string(static_cast<std::size_t>(depth), ' '));
  }

  void members(TypeId id, const Type& type, std::uint64_t off, int depth) {
    out_.write("{");
    bool any = false;
    for (const Member& member : types_.members(id)) {
      if (!member_says_something(member, off, depth + 1)) continue;
      any = true;
      line_start(depth + 1);
      if (!style_.nameless && !member.name.empty()) out_.write("." + std::string(member.name) + " = ");
      if (member.bitfield_bits == 0)
        value(member.type, off + member.bit_off / 8, depth + 1, true);
      else
        bitfield(member, off);
      out_.write(type.kind == Kind::kUnion && style_.compact ? "|" : ",");
    }
    if (any) line_start(depth);
    out_.write("}");
  }
  void bitfield(const Member& member, std::uint64_t off) {
    const std::uint64_t raw = read_bits(off * 8 + member.bit_off, member.bitfield_bits);
    if (!style_.nameless) out_.write("(" + cast_name(member.type) + ")");
    const TypeId id = types_.skip_modifiers(member.type);
    const Type& type = *types_.type(id);
    out_.write(type.kind == Kind::kInt ? fmt::format("0x{:x}", raw) : enumerator(id, type, raw));
  }

  void elements(const ArrayInfo& array, std::uint64_t off, int depth) {
    const bool text = is_text(array);
    const std::uint64_t step = types_.size_of(array.elem).value_or(0);
    out_.write("[");
    bool any = false;
    for (std::uint32_t i = 0; step != 0 && i < array.count && off + i * step < bytes_.size(); ++i) {
      const std::uint64_t at = off + i * step;
      const auto letter = static_cast<char>(text ? read(at, 1) : 0);
      if (text && letter == '\0') break;
      if (!text && !says_something(array.elem, at, depth + 1)) continue;
      any = true;
      line_start(depth + 1);
      if (text && letter >= ' ' && letter <= '~')
        out_.write(std::string{'\'', letter, '\''});
      else
        value(array.elem, at, depth + 1, false);
      out_.write(",");
    }
    if (any) line_start(depth);
    out_.write("]");
  }

  const Btf& types_;
  const std::span<const std::byte> bytes_;
  const ShowStyle style_;
  TextSink& out_;
};

}  // namespace

void show_value(const Btf& btf, TypeId id, std::span<const std::byte> bytes, const ShowStyle& style, TextSink& out) {
  if (btf.type(id) != nullptr) Shower(btf, bytes, style, out).value(id, 0, 0, true);
}

}  // namespace ring3::btf
