#include "isa/row_matcher.h"

#include <optional>

#include <fmt/format.h>

#include "isa/helper_names.h"

namespace ring3::isa {
namespace {

class Matcher {
 public:
  Matcher(const Row& row, std::string_view text, const MatchContext& context, std::string& complaint)
      : row_(row), at_(text), context_(context), complaint_(complaint) {
    out_.low.code = row.code;
    if (row.src.role == Role::kIs) out_.low.src = row.src.value & 0x0f;
    if (row.off.role == Role::kIs) out_.low.off = row.off.value;
    if (row.imm.role == Role::kIs) out_.low.imm = row.imm.value;
  }

  bool match() {
    for (const char* p = row_.text; *p != '\0'; ++p) {
      if (*p == ' ') continue;
      if (*p != '{') {
        if (!at_.literal(*p)) return false;
        continue;
      }
      if (!operand(p[1])) return false;
      p += 2;
    }
    return at_.at_end();
  }

  const MatchedSlots& slots() const { return out_; }

 private:
  bool operand(char kind) {
    const char width = row_.bits == 32 ? 'w' : 'r';
    switch (kind) {
      case 'd': return dst(width);
      case 's': return src(width);
      case 'D': return dst('r');
      case 'S': return src('r');
      case 'i': return immediate();
      case 'x': return immediate();
      case 'o': return offset();
      case 'j': return target();
      case 'c': return helper();
      case 'k': return kfunc();
      case 'a': return half_of_imm(16);
      case 'b': return half_of_imm(0);
      case 'w': return wide();
      case 'l': case 'p': return low_half();
      case 'h': return high_half();
      default: return false;
    }
  }

  // A register that stands twice in a template must be the same twice.
  bool dst(char prefix) {
    std::uint8_t reg = 0;
    if (!at_.reg(prefix, reg) || (have_dst_ && reg != out_.low.dst)) return false;
    have_dst_ = true;
    out_.low.dst = reg & 0x0f;
    return true;
  }

  bool src(char prefix) {
    std::uint8_t reg = 0;
    if (!at_.reg(prefix, reg) || (have_src_ && reg != out_.low.src)) return false;
    have_src_ = true;
    out_.low.src = reg & 0x0f;
    return true;
  }

  bool complain(std::string text) {
    complaint_ = std::move(text);
    return false;
  }

  bool immediate() {
    ParsedNumber number;
    if (!at_.number(number)) return false;
    // The log prints wide immediates in hexadecimal and moves in decimal.
    if (row_.op == Op::kMov && row_.bits == 64 && number.hexadecimal && !context_.code_given) return false;
    if (row_.imm.role == Role::kWidth && (number.magnitude != 16 && number.magnitude != 32 && number.magnitude != 64))
      return false;
    if (!number.fits_32()) return complain("immediate does not fit in 32 bits");
    out_.low.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(number.bits()));
    return true;
  }

  bool offset() {
    at_.skip_space();
    if (at_.rest().empty() || (at_.rest().front() != '+' && at_.rest().front() != '-')) return false;
    ParsedNumber number;
    if (!at_.number(number)) return false;
    return set_off(number);
  }

  bool set_off(const ParsedNumber& number) {
    if (!number.fits_signed()) return complain("offset does not fit in 16 bits");
    const auto value = static_cast<std::int64_t>(number.bits());
    if (value < INT16_MIN || value > INT16_MAX) return complain("offset does not fit in 16 bits");
    out_.low.off = static_cast<std::int16_t>(value);
    return true;
  }

  bool target() {
    std::optional<std::int64_t> jump = displacement();
    if (!jump) return false;
    if (row_.off.role == Role::kJump) {
      if (*jump < INT16_MIN || *jump > INT16_MAX) return complain("jump does not fit in 16 bits; gotol reaches further");
      out_.low.off = static_cast<std::int16_t>(*jump);
    } else {
      if (*jump < INT32_MIN || *jump > INT32_MAX) return complain("jump does not fit in 32 bits");
      out_.low.imm = static_cast<std::int32_t>(*jump);
    }
    return true;
  }

  /// "pc+N", "+N" or a label.
  std::optional<std::int64_t> displacement() {
    TextCursor start = at_;
    const bool has_pc = at_.literal("pc");
    at_.skip_space();
    ParsedNumber number;
    if (!at_.rest().empty() && (at_.rest().front() == '+' || at_.rest().front() == '-') && at_.number(number) &&
        number.fits_signed())
      return static_cast<std::int64_t>(number.bits());
    if (has_pc) at_ = start;
    const std::int64_t label = context_.labels.find(at_.word());
    if (label < 0) return std::nullopt;
    return label - static_cast<std::int64_t>(context_.idx) - 1;
  }

  /// NAME, NAME#N or N.
  bool helper() {
    const std::string_view name = at_.word();
    if (name.empty()) return immediate();
    const std::optional<std::uint32_t> id = helper_id(name);
    if (!id && name != "unknown" && name != "bpf_unspec") return false;
    if (id) out_.low.imm = static_cast<std::int32_t>(*id);
    if (!at_.literal('#')) return id.has_value();
    if (!immediate()) return false;
    return !id || out_.low.imm == static_cast<std::int32_t>(*id) || complain("helper name and number disagree");
  }

  /// kernel-function#N, or a name the caller knows (a number behind it, as the log prints, is passed over).
  bool kfunc() {
    if (at_.literal("kernel-function#")) return immediate();
    const std::string_view name = at_.word();
    std::int32_t id = 0;
    std::int16_t off = 0;
    if (name.empty() || context_.symbols == nullptr || !context_.symbols->kfunc(name, id, off)) return false;
    if (at_.literal('#') && !immediate()) return false;
    out_.low.imm = id;
    out_.low.off = off;
    return true;
  }

  bool half_of_imm(unsigned shift) {
    ParsedNumber number;
    if (!at_.number(number) || number.negative || number.magnitude > 0xffff) return false;
    out_.low.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(out_.low.imm) |
                                             (static_cast<std::uint32_t>(number.magnitude) << shift));
    return true;
  }

  bool wide() {
    ParsedNumber number;
    if (!at_.number(number)) return false;
    const bool marked = at_.literal("ll");
    if (!marked && !number.hexadecimal && !context_.code_given) return false;
    if (number.negative && !number.fits_signed()) return complain("immediate does not fit in 64 bits");
    out_.low.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(number.bits()));
    out_.high = static_cast<std::int32_t>(static_cast<std::uint32_t>(number.bits() >> 32));
    return true;
  }

  bool low_half() { return immediate(); }

  bool high_half() {
    ParsedNumber number;
    if (!at_.number(number) || !number.fits_32()) return false;
    out_.high = static_cast<std::int32_t>(static_cast<std::uint32_t>(number.bits()));
    return true;
  }

  const Row& row_;
  TextCursor at_;
  const MatchContext& context_;
  std::string& complaint_;
  MatchedSlots out_;
  bool have_dst_ = false;
  bool have_src_ = false;
};

}  // namespace

bool match_row(const Row& row, std::string_view text, const MatchContext& context, MatchedSlots& out,
               std::string& complaint) {
  Matcher matcher(row, text, context, complaint);
  if (!matcher.match()) return false;
  out = matcher.slots();
  return true;
}

}  // namespace ring3::isa
