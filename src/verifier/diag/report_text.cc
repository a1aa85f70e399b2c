// A refusal for people to read: plain, with colours, and as JSON. Nothing is left out of any.
#include "base/json_writer.h"
#include "verifier/log_sink.h"

namespace ring3::verifier {
namespace {

struct Colours {
  std::string_view bold, red, faint, plain;
};
constexpr Colours kColours{"\x1b[1m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"};

class Text {
 public:
  explicit Text(ReportStyle style) : c_(style.colour ? kColours : Colours{}) {}

  std::string of(const Rejection& r) {
    add({c_.red, "refused: ", c_.plain, c_.bold, r.message, c_.plain, "\n"});
    if (!r.source_file.empty()) {
      add({"  at ", r.source_file, ":", std::to_string(r.source_line), "\n"});
      add({"    ", r.source_text, "\n"});
    }
    if (!r.insn_text.empty()) add({"  instruction ", std::to_string(r.insn_idx), ": ", r.insn_text, "\n"});
    add({"  rule ", r.rule, " (", r.category, "): ", r.demand, "\n"});
    if (!r.operands.empty()) out_ += "  what was known:\n";
    for (const ReportOperand& operand : r.operands) {
      add({"    ", c_.bold, operand.name, c_.plain, " = ", operand.known, "\n"});
      for (const ReportStep& step : operand.origin) add_step("      from ", step);
    }
    if (!r.path.empty()) out_ += "  how it got there:\n";
    for (const ReportStep& step : r.path) add_step("    ", step);
    if (!r.suggestion.empty()) add({"  try: ", c_.bold, r.suggestion, c_.plain, "\n"});
    return std::move(out_);
  }

 private:
  void add(std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) out_ += part;
  }
  void add_step(std::string_view before, const ReportStep& step) {
    add({before, std::to_string(step.insn_idx), ": ", step.insn_text, "  (", step.what});
    if (step.times > 1) add({", ", std::to_string(step.times), " times"});
    out_ += ")";
    if (!step.file.empty()) add({c_.faint, "  at ", step.file, ":", std::to_string(step.line), c_.plain});
    out_ += "\n";
  }

  const Colours c_;
  std::string out_;
};

void write_step(JsonWriter& json, const ReportStep& step) {
  json.begin_object().field("insn_idx", step.insn_idx).field("insn", step.insn_text).field("what", step.what);
  json.field("times", step.times).field("file", step.file).field("line", step.line).field("source", step.source).end_object();
}

}  // namespace

std::string rejection_text(const Rejection& rejection, ReportStyle style) { return Text(style).of(rejection); }

std::string rejection_json(const Rejection& r) {
  JsonWriter json;
  json.begin_object().field("class", r.category).field("rule", r.rule).field("demand", r.demand).field("message", r.message);
  json.field("file", r.source_file).field("line", r.source_line).field("source", r.source_text);
  json.field("insn_idx", r.insn_idx).field("insn", r.insn_text).key("operands").begin_array();
  for (const ReportOperand& operand : r.operands) {
    json.begin_object().field("name", operand.name).field("known", operand.known).key("from").begin_array();
    for (const ReportStep& step : operand.origin) write_step(json, step);
    json.end_array().end_object();
  }
  json.end_array().key("path").begin_array();
  for (const ReportStep& step : r.path) write_step(json, step);
  json.end_array().field("suggestion", r.suggestion).end_object();
  return json.take();
}

}  // namespace ring3::verifier
