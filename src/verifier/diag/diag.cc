#include "verifier/diag/diag.h"

#include <cinttypes>
#include <cstdio>

namespace ring3::verifier {
namespace {

constexpr RuleRow kRules[] = {
#define RING3_RULE(name, error, text, demand, hint) {std::string_view(#name).substr(1), Errno::error, text, demand, hint},
#include "verifier/diag/messages.def"
#undef RING3_RULE
};

/// Rules and the classes they stand behind, in the order of the file.
struct ClassRow {
  bool is_class;
  std::string_view name, hint;
};
constexpr ClassRow kClasses[] = {
#define RING3_RULE(name, error, text, demand, hint) {false, "", ""},
#define RING3_RULE_CLASS(name, hint) {true, name, hint},
#include "verifier/diag/messages.def"
#undef RING3_RULE
};

const ClassRow& class_of(Rule rule) {
  const ClassRow* found = nullptr;
  std::size_t rules = 0;
  for (const ClassRow& row : kClasses) {
    if (row.is_class) found = &row;
    else if (rules++ == static_cast<std::size_t>(rule)) break;
  }
  return *found;  // the file begins with a class
}

}  // namespace

std::string_view rule_class(Rule rule) { return class_of(rule).name; }
std::string_view class_hint(Rule rule) { return class_of(rule).hint; }

const RuleRow& rule_row(Rule rule) { return kRules[static_cast<std::size_t>(rule)]; }

void Arg::append_to(std::string& out, bool hex) const {
  if (is_text_) {
    out += text_;
    return;
  }
  char buffer[24];
  if (hex)
    std::snprintf(buffer, sizeof buffer, "%" PRIx64, static_cast<std::uint64_t>(number_));
  else if (negative_)
    std::snprintf(buffer, sizeof buffer, "%" PRId64, number_);
  else
    std::snprintf(buffer, sizeof buffer, "%" PRIu64, static_cast<std::uint64_t>(number_));
  out += buffer;
}

std::string format_message(std::string_view text, std::initializer_list<Arg> args) {
  std::string out;
  const Arg* next = args.begin();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool plain = text.substr(i, 2) == "{}";
    const bool hex = text.substr(i, 3) == "{x}";
    if ((plain || hex) && next != args.end()) {
      (next++)->append_to(out, hex);
      i += hex ? 2 : 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

void Diag::flush() {
  if (open_line_.empty()) return;
  open_line_ += '\n';
  sink_.write(open_line_);
  open_line_.clear();
}

void Diag::write_insn(std::string_view index, std::string_view text) {
  if (level_ == 0) return;
  flush();
  open_line_.assign(index);
  open_line_ += text;
}

void Diag::write_state(std::string_view index, std::string_view state) {
  if (level_ == 0) return;
  if (open_line_.empty()) {
    sink_.write(std::string(index) + std::string(state) + "\n");
    return;
  }
  // States start at column 39, or at the next multiple of 8 less one.
  constexpr std::size_t kColumn = 40, kTab = 8;
  const std::size_t used = open_line_.size() + 1;
  std::size_t column = used + kTab / 2 > kColumn ? used + kTab / 2 : kColumn;
  column = (column + kTab - 1) / kTab * kTab;
  open_line_.append(column - used - 1, ' ');
  open_line_ += ';';
  open_line_ += state;
  flush();
}

void Diag::explain(Rule rule, std::initializer_list<Arg> args) {
  const std::string line = format_message(rule_row(rule).text, args);
  write(line + "\n");
  explained_ += line;
  explained_ += "; ";
}

Errno Diag::refuse(Rule rule, std::initializer_list<Arg> args) { return refuse_as(rule_row(rule).error, rule, args); }

Errno Diag::refuse_as(Errno error, Rule rule, std::initializer_list<Arg> args) {
  const std::string line = format_message(rule_row(rule).text, args);
  write(line + "\n");
  refused_ = true;
  rule_ = rule;
  message_ = explained_ + line;
  explained_.clear();
  return error;
}

}  // namespace ring3::verifier
