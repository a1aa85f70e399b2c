// One walk over a value, three styles: what differs between them stands in a row.
#include <fmt/format.h>

#include <cstring>

#include "btf/print.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

__extension__ typedef unsigned __int128 Wide;

struct StyleRow {
  const char* member_open;   // before a member's name; null: names are not shown
  const char* member_close;  // between name and value
  const char* union_separator;
  const char* section_open;
  const char* section_close;
  bool json;
};

constexpr StyleRow kStyles[] = {
    {nullptr, nullptr, "|", "{", "}", false},     // kBpffs
    {".", " = ", ",", "{", "}", false},           // kNamed
    {"\"", "\":", ",", "[", "]", true},           // kJson
};

// A hostile type can say much in few bytes (empty structs, overlapping members): it must not print for
// hours. An honest value has at most one bitfield a bit, and unions a few times that.
constexpr std::uint64_t kValuesPerByte = 64;
constexpr std::uint64_t kSpareValues = 1024;

class Printer {
 public:
  Printer(const Btf& btf, std::span<const std::byte> bytes, ValueStyle style, TextSink& out,
          std::span<const PointerText> pointers)
      : btf_(btf), bytes_(bytes), style_(kStyles[static_cast<std::size_t>(style)]), out_(out), pointers_(pointers),
        budget_(kSpareValues + kValuesPerByte * bytes.size()) {}

  // off: byte offset of the value. Types are free of rings by value, so this ends; depth is at most kMaxDepth.
  void value(TypeId id, std::uint64_t off) {
    if (budget_ == 0) return;
    --budget_;
    id = btf_.skip_modifiers(id);
    const Type& t = *btf_.type(id);
    switch (t.kind) {
      case Kind::kInt:
        return integer(*btf_.integer(id), off);
      case Kind::kPtr:
        return pointer(off);
      case Kind::kEnum:
      case Kind::kEnum64:
        return enumerator(id, t, read(off, t.size));
      case Kind::kFloat:
        return floating(t.size, off);
      case Kind::kArray:
        return array(*btf_.array(id), off);
      case Kind::kStruct:
      case Kind::kUnion:
        return members(id, t, off);
      case Kind::kVar:
        return value(t.type, off);
      case Kind::kDatasec:
        return section(id, off);
      default:
        out_.write(style_.json ? "null" : "?");
        return;
    }
  }

 private:
  // Little-endian number of up to eight bytes; bytes that are not there are zero.
  std::uint64_t read(std::uint64_t off, std::uint32_t size) const {
    std::uint64_t raw = 0;
    for (std::uint32_t i = 0; i < size && i < 8; ++i)
      if (off + i < bytes_.size()) raw |= std::uint64_t{std::to_integer<std::uint8_t>(bytes_[off + i])} << (8 * i);
    return raw;
  }

  std::uint64_t read_bits(std::uint64_t bit_off, std::uint32_t bits) const {
    const std::uint32_t shift = static_cast<std::uint32_t>(bit_off % 8);
    Wide raw = read(bit_off / 8, 8);
    raw |= static_cast<Wide>(read(bit_off / 8 + 8, 1)) << 64;
    const auto low = static_cast<std::uint64_t>(raw >> shift);
    return bits >= 64 ? low : low & ((std::uint64_t{1} << bits) - 1);
  }

  static std::int64_t sign_extend(std::uint64_t raw, std::uint32_t bits) {
    if (bits == 0 || bits >= 64) return static_cast<std::int64_t>(raw);
    const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
    return static_cast<std::int64_t>((raw ^ sign) - sign);
  }

  void integer(const IntInfo& i, std::uint64_t off) {
    if (i.bits > 64) return wide(off);
    const std::uint64_t raw = i.bits % 8 == 0 && i.bit_off == 0 ? read(off, i.bits / 8u)
                                                                : read_bits(off * 8 + i.bit_off, i.bits);
    if (i.is_bool && style_.json)
      out_.write(raw != 0 ? "true" : "false");
    else
      number(i, raw, i.bits);
  }

  void number(const IntInfo& i, std::uint64_t raw, std::uint32_t bits) {
    out_.write(i.is_signed ? fmt::format("{}", sign_extend(raw, bits)) : fmt::format("{}", raw));
  }

  void wide(std::uint64_t off) {
    const std::uint64_t low = read(off, 8), high = read(off + 8, 8);
    const std::string text = high == 0 ? fmt::format("{:#x}", low) : fmt::format("{:#x}{:016x}", high, low);
    out_.write(style_.json ? "\"" + text + "\"" : text);
  }

  void pointer(std::uint64_t off) {
    for (const PointerText& known : pointers_)
      if (known.off == off) return out_.write(style_.json ? json_string(known.text) : known.text);
    const std::uint64_t raw = read(off, 8);
    out_.write(style_.json ? fmt::format("{}", raw) : fmt::format("{:#x}", raw));
  }

  static std::string json_string(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c < ' ' || c > '~' ? '?' : c;
    }
    return quoted + '"';
  }

  void floating(std::uint32_t size, std::uint64_t off) {
    const std::uint64_t raw = read(off, size);
    if (size == 4) {
      float f;
      const auto half = static_cast<std::uint32_t>(raw);
      std::memcpy(&f, &half, sizeof f);
      out_.write(fmt::format("{}", f));
    } else if (size == 8) {
      double d;
      std::memcpy(&d, &raw, sizeof d);
      out_.write(fmt::format("{}", d));
    } else {
      out_.write(style_.json ? "null" : "?");
    }
  }

  void enumerator(TypeId id, const Type& t, std::uint64_t raw) {
    const std::int64_t wanted =
        t.kind_flag ? sign_extend(raw, t.size * 8) : static_cast<std::int64_t>(raw);
    for (const Enumerator& e : btf_.enumerators(id)) {
      if (e.value != wanted) continue;
      out_.write(style_.json ? fmt::format("\"{}\"", e.name) : std::string(e.name));
      return;
    }
    out_.write(t.kind_flag ? fmt::format("{}", wanted) : fmt::format("{}", raw));
  }

  // A char array that holds a printable, terminated string; only JSON prints those as strings.
  bool string(const ArrayInfo& a, std::uint64_t off) {
    const TypeId elem = btf_.skip_modifiers(a.elem);
    const auto i = btf_.integer(elem);
    if (!style_.json || a.count == 0 || a.count > bytes_.size() || !i || i->bits != 8 || btf_.type(elem)->name != "char") return false;
    std::string text;
    bool ended = false;
    for (std::uint32_t n = 0; n < a.count; ++n) {
      const auto c = static_cast<char>(read(off + n, 1));
      if (c == '\0') ended = true;
      else if (ended || c < ' ' || c > '~') return false;
      else if (c == '"' || c == '\\') text += {'\\', c};
      else text += c;
    }
    if (!ended) return false;
    out_.write("\"" + text + "\"");
    return true;
  }

  void array(const ArrayInfo& a, std::uint64_t off) {
    if (string(a, off)) return;
    const std::uint64_t step = btf_.size_of(a.elem).value_or(0);
    out_.write("[");
    const std::uint32_t count = step == 0 ? 0 : a.count;
    for (std::uint32_t n = 0; n < count && budget_ != 0; ++n) {
      if (n != 0) out_.write(",");
      value(a.elem, off + n * step);
    }
    out_.write("]");
  }

  void member_name(std::string_view name) {
    if (style_.member_open == nullptr || (name.empty() && !style_.json)) return;
    out_.write(fmt::format("{}{}{}", style_.member_open, name.empty() ? "(anon)" : name, style_.member_close));
  }

  void members(TypeId id, const Type& t, std::uint64_t off) {
    out_.write("{");
    for (std::uint32_t n = 0; n < t.vlen && budget_ != 0; ++n) {
      const Member m = btf_.member(id, n);
      if (n != 0) out_.write(t.kind == Kind::kUnion ? style_.union_separator : ",");
      member_name(m.name);
      if (m.bitfield_bits != 0)
        bitfield(m, off);
      else
        value(m.type, off + m.bit_off / 8);
    }
    out_.write("}");
  }

  void bitfield(const Member& m, std::uint64_t off) {
    const std::uint64_t raw = read_bits(off * 8 + m.bit_off, m.bitfield_bits);
    const TypeId id = btf_.skip_modifiers(m.type);
    const Type& t = *btf_.type(id);
    if (t.kind != Kind::kInt) return enumerator(id, t, raw);
    if (style_.json)
      number(*btf_.integer(id), raw, m.bitfield_bits);
    else
      out_.write(fmt::format("{:#x}", raw));
  }

  void section(TypeId id, std::uint64_t off) {
    if (style_.json) out_.write(fmt::format("{{\"{}\":", btf_.type(id)->name));
    out_.write(style_.section_open);
    bool is_first = true;
    for (const SecVar& v : btf_.section_vars(id)) {
      if (!is_first) out_.write(",");
      is_first = false;
      if (style_.json) out_.write("{");
      member_name(btf_.type(v.var)->name);
      value(v.var, off + v.off);
      if (style_.json) out_.write("}");
    }
    out_.write(style_.section_close);
    if (style_.json) out_.write("}");
  }

  const Btf& btf_;
  std::span<const std::byte> bytes_;
  const StyleRow& style_;
  TextSink& out_;
  const std::span<const PointerText> pointers_;
  std::uint64_t budget_;  // values left to print; then the rest is left out
};

}  // namespace

void print_value(const Btf& btf, TypeId id, std::span<const std::byte> bytes, ValueStyle style, TextSink& out,
                 std::span<const PointerText> pointers) {
  if (btf.type(id) == nullptr) return;
  Printer(btf, bytes, style, out, pointers).value(id, 0);
}

}  // namespace ring3::btf
