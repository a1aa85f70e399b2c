// Two passes: the first splits lines and counts slots, so that labels are known; the second matches each
// statement against the templates of insn.def, first match wins.
#include "isa/assemble.h"

#include <optional>

#include <fmt/format.h>

#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/row_matcher.h"

namespace ring3::isa {
namespace {

struct Statement {
  std::uint32_t line = 0;
  std::uint32_t idx = 0;
  std::optional<std::uint8_t> code;
  std::string text;
};

struct Label {
  std::string name;
  std::uint32_t idx;
};

std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool word_starts = i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t';
    if (line[i] == ';' || (word_starts && (line[i] == '#' || line.substr(i, 2) == "//"))) return line.substr(0, i);
  }
  return line;
}

class Assembler final : public Labels {
 public:
  explicit Assembler(const Symbols* symbols) : symbols_(symbols) {}

  bool run(std::string_view text) { return split(text) && translate(); }

  std::int64_t find(std::string_view name) const override {
    for (const Label& label : labels_)
      if (label.name == name) return label.idx;
    return -1;
  }

  std::vector<RawInsn> take() { return std::move(out_); }
  const AssembleError& error() const { return error_; }

 private:
  bool fail(std::uint32_t line, std::string message) {
    error_ = {line, std::move(message)};
    return false;
  }

  bool split(std::string_view text) {
    std::uint32_t line = 0;
    std::uint32_t idx = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view this_line = without_comment(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!split_line(this_line, ++line, idx)) return false;
    }
    return true;
  }

  bool split_line(std::string_view text, std::uint32_t line, std::uint32_t& idx) {
    TextCursor at(text);
    if (!take_prefixes(at, line, idx)) return false;
    Statement statement{line, idx, std::nullopt, {}};
    if (at.at_end()) return true;
    if (at.literal('(')) {
      TextCursor code = at;
      const std::string_view digits = code.rest().substr(0, 2);
      unsigned value = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + 2 || code.rest().substr(2, 1) != ")")
        return fail(line, "an opcode byte is two hexadecimal digits in parentheses");
      statement.code = static_cast<std::uint8_t>(value);
      at = TextCursor(code.rest().substr(3));
    }
    at.skip_space();
    statement.text = at.rest();
    while (!statement.text.empty() && (statement.text.back() == ' ' || statement.text.back() == '\t' ||
                                       statement.text.back() == '\r'))
      statement.text.pop_back();
    if (statement.text.empty()) return fail(line, "an opcode byte without an instruction");
    statements_.push_back(statement);
    idx += is_wide(statement) ? 2 : 1;
    return true;
  }

  /// Labels and an index in front of the instruction.
  bool take_prefixes(TextCursor& at, std::uint32_t line, std::uint32_t idx) {
    for (;;) {
      TextCursor ahead = at;
      ParsedNumber number;
      if (ahead.number(number) && ahead.literal(':')) {
        at = ahead;
        continue;
      }
      ahead = at;
      const std::string_view name = ahead.word();
      if (name.empty() || !ahead.literal(':')) return true;
      if (find(name) >= 0) return fail(line, fmt::format("label {} stands twice", name));
      labels_.push_back({std::string(name), idx});
      at = ahead;
    }
  }

  /// Decided by the text alone, because labels behind it depend on it.
  static bool is_wide(const Statement& statement) {
    if (statement.code) return *statement.code == 0x18;
    TextCursor at(statement.text);
    std::uint8_t reg = 0;
    if (!at.reg('r', reg) || !at.literal('=')) return false;
    for (std::string_view kind : {"map[", "btf[", "subprog["})
      if (at.literal(kind)) return true;
    ParsedNumber number;
    return at.number(number) && (number.hexadecimal || at.literal("ll"));
  }

  bool translate() {
    for (const Statement& statement : statements_)
      if (!translate(statement)) return false;
    if (out_.empty()) return fail(1, "no instructions");
    return true;
  }

  bool translate(const Statement& statement) {
    if (statement.text.substr(0, 4) == ".raw") return raw_slot(statement);
    MatchedSlots slots;
    std::string complaint;
    if (!named_map(statement, slots, complaint) && !match_any(statement, slots, complaint))
      return fail(statement.line, fmt::format("{}: {}", complaint.empty() ? "no such instruction" : complaint,
                                              statement.text));
    out_.push_back(slots.low);
    if (slots.low.code == 0x18) out_.push_back(RawInsn{0, 0, 0, 0, slots.high});
    return true;
  }

  bool match_any(const Statement& statement, MatchedSlots& slots, std::string& complaint) const {
    const MatchContext context{*this, symbols_, statement.idx, statement.code.has_value()};
    for (const Row& row : kRows) {
      if (row.op == Op::kLdImm64Hi || (statement.code && *statement.code != row.code)) continue;
      if (match_row(row, statement.text, context, slots, complaint)) return true;
    }
    return false;
  }

  /// rN = map[name:NAME], or its value: rN = map[name:NAME][0]+OFF.
  bool named_map(const Statement& statement, MatchedSlots& slots, std::string& complaint) const {
    TextCursor at(statement.text);
    std::uint8_t reg = 0;
    if (!at.reg('r', reg) || !at.literal('=') || !at.literal("map[name:")) return false;
    const std::string_view name = at.word();
    std::int32_t fd = 0;
    if (!at.literal(']')) return false;
    if (symbols_ == nullptr || !symbols_->map(name, fd)) {
      complaint = fmt::format("no map {}", name);
      return false;
    }
    ParsedNumber off;
    const bool value = at.literal("[0]");
    if (value && (!at.literal('+') || !at.number(off))) return false;
    slots.low = RawInsn{0x18, static_cast<std::uint8_t>(reg & 15), static_cast<std::uint8_t>(value ? 2 : 1), 0, fd};
    slots.high = static_cast<std::int32_t>(static_cast<std::uint32_t>(off.bits()));
    return at.at_end() && off.fits_32();
  }

  bool raw_slot(const Statement& statement) {
    TextCursor at(std::string_view(statement.text).substr(4));
    at.skip_space();
    const std::string_view digits = at.rest().substr(0, 2);
    unsigned code = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    at = TextCursor(at.rest().substr(static_cast<std::size_t>(parsed.ptr - digits.data())));
    ParsedNumber field[4];
    bool good = parsed.ec == std::errc{};
    for (ParsedNumber& number : field) good = good && at.number(number);
    if (!good || !at.at_end() || field[0].bits() > 15 || field[1].bits() > 15 || !field[3].fits_32())
      return fail(statement.line, fmt::format(".raw takes code (hex), dst, src, off, imm: {}", statement.text));
    out_.push_back(RawInsn{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(field[0].bits() & 15),
                           static_cast<std::uint8_t>(field[1].bits() & 15), static_cast<std::int16_t>(field[2].bits()),
                           static_cast<std::int32_t>(static_cast<std::uint32_t>(field[3].bits()))});
    return true;
  }

  const Symbols* symbols_;
  std::vector<Statement> statements_;
  std::vector<Label> labels_;
  std::vector<RawInsn> out_;
  AssembleError error_;
};

std::string raw_text(const RawInsn& raw) {
  return fmt::format(".raw {:02x} {} {} {} {}", raw.code, +raw.dst, +raw.src, raw.off, raw.imm);
}

/// The log's text of one instruction, when it says everything.
std::optional<std::string> log_text(std::span<const RawInsn> slots) {
  auto insns = decode(slots);
  if (!insns) return std::nullopt;
  std::string text = disassemble(insns.value()[0]);
  auto back = assemble(text);
  if (!back || back.value() != std::vector<RawInsn>(slots.begin(), slots.end())) return std::nullopt;
  return text;
}

}  // namespace

Result<std::vector<RawInsn>> assemble(std::string_view text, AssembleError* error, const Symbols* symbols) {
  Assembler assembler(symbols);
  if (assembler.run(text)) return assembler.take();
  if (error) *error = assembler.error();
  return Errno::kInval;
}

std::string assembly_text(std::span<const RawInsn> raw) {
  std::string out;
  for (std::size_t idx = 0; idx < raw.size(); ++idx) {
    const bool wide = raw[idx].code == 0x18 && idx + 1 < raw.size();
    const auto slots = raw.subspan(idx, wide ? 2 : 1);
    if (auto text = log_text(slots)) {
      out += *text + "\n";
      if (wide) ++idx;
    } else {
      out += raw_text(raw[idx]) + "\n";
    }
  }
  return out;
}

}  // namespace ring3::isa
