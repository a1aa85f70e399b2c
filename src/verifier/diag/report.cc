#include "verifier/diag/report.h"

#include "isa/reg_use.h"
#include <algorithm>
#include <vector>

#include "verifier/diag/kernel_log.h"
#include "verifier/explore/checkpoints.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

constexpr std::size_t kPathLines = 12;

/// Where an instruction came from: "file.c:12", or nothing.
std::string place(const Program& prog, std::uint32_t idx) {
  if (idx >= prog.line_of.size() || prog.line_of[idx] == UINT32_MAX) return "";
  const LineInfo& line = prog.in.line_info[prog.line_of[idx]];
  return std::string(line.file) + ":" + std::to_string(line.line_num);
}

/// The registers the instruction reads, as they were known.
std::string known_operands(const Program& prog, const PathState& path, std::uint32_t idx) {
  std::string out;
  const std::uint16_t reads = isa::reg_use(prog.insn(idx)).reads;
  for (unsigned r = 0; r < isa::kRegCount; ++r) {
    if ((reads >> r & 1) == 0) continue;
    const RegState& reg = path.reg(r);
    if (!out.empty()) out += '\n';
    out += "r" + std::to_string(r) + " = ";
    out += reg.kind == RegKind::kNotInit ? "nothing (not initialised)" : reg_text(prog, path.frame(), reg);
  }
  return out;
}

/// The decisions and calls that led here, oldest first: branches taken, functions entered.
std::string causal_path(const Program& prog, const PathState& path) {
  std::vector<std::uint32_t> walked;
  for (const HistoryEntry& e : path.history) walked.push_back(e.idx);
  for (const Checkpoint* c = path.parent; c != nullptr && walked.size() < 4096;) {
    const PathState& state = c->state;
    std::vector<std::uint32_t> before;
    for (const HistoryEntry& e : state.history) before.push_back(e.idx);
    walked.insert(walked.begin(), before.begin(), before.end());
    c = state.parent;
  }
  std::vector<std::string> lines;
  for (std::size_t i = 0; i + 1 < walked.size(); ++i) {
    const std::uint32_t at = walked[i], to = walked[i + 1];
    const Successors next = successors(prog, at);
    const bool calls = prog.insn(at).op == isa::Op::kCallSubprog && to != at + 1;
    if (next.count != 2 && !calls) continue;
    std::string line = std::to_string(at) + ": " + insn_text(prog, at);
    line += calls ? "  (entered)" : to == next.next[1] ? "  (taken)" : "  (not taken)";
    const std::string where = place(prog, at);
    if (!where.empty()) line += "  at " + where;
    lines.push_back(std::move(line));
  }
  std::string out;
  const std::size_t first = lines.size() > kPathLines ? lines.size() - kPathLines : 0;
  if (first > 0) out = "(" + std::to_string(first) + " earlier branches)\n";
  for (std::size_t i = first; i < lines.size(); ++i) out += lines[i] + (i + 1 < lines.size() ? "\n" : "");
  return out;
}

std::string indented(const std::string& text) {
  std::string out = "    ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out + "\n";
}

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (u < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else out += c;
  }
  return out + "\"";
}

}  // namespace

Rejection make_rejection(const Diag& diag, const Program& prog, const PathState* path) {
  Rejection r;
  const RuleRow& row = rule_row(diag.rule());
  r.rule = std::string(row.name) + ": " + std::string(row.demand);
  r.message = diag.message();
  r.suggestion = row.hint;
  if (path == nullptr || path->insn_idx >= prog.size() || path->history.empty()) return r;
  r.insn_idx = path->history.back().idx;
  r.insn_text = insn_text(prog, r.insn_idx);
  if (r.insn_idx < prog.line_of.size() && prog.line_of[r.insn_idx] != UINT32_MAX) {
    const LineInfo& line = prog.in.line_info[prog.line_of[r.insn_idx]];
    r.source_file = line.file;
    r.source_line = line.line_num;
    std::string_view text = line.line;
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    r.source_text = text;
  }
  if (!path->frames.empty()) r.known = known_operands(prog, *path, r.insn_idx);
  r.path = causal_path(prog, *path);
  return r;
}

std::string rejection_text(const Rejection& r, ReportStyle style) {
  const std::string_view bold = style.colour ? "\x1b[1m" : "", red = style.colour ? "\x1b[1;31m" : "";
  const std::string_view plain = style.colour ? "\x1b[0m" : "";
  std::string out;
  const auto add = [&out](std::initializer_list<std::string_view> parts) {
    for (std::string_view p : parts) out += p;
  };
  add({red, "refused: ", plain, bold, r.message, plain, "\n"});
  if (!r.source_file.empty()) {
    add({"  at ", r.source_file, ":", std::to_string(r.source_line), "\n"});
    out += indented(r.source_text);
  }
  if (!r.insn_text.empty()) add({"  instruction ", std::to_string(r.insn_idx), ": ", r.insn_text, "\n"});
  add({"  rule ", r.rule, "\n"});
  if (!r.known.empty()) {
    out += "  what was known:\n";
    out += indented(r.known);
  }
  if (!r.path.empty()) {
    out += "  how it got there:\n";
    out += indented(r.path);
  }
  if (!r.suggestion.empty()) add({"  try: ", r.suggestion, "\n"});
  return out;
}

std::string rejection_json(const Rejection& r) {
  std::string out = "{";
  const auto field = [&out](std::string_view key, const std::string& value) {
    if (out.size() > 1) out += ',';
    out += "\"" + std::string(key) + "\":" + value;
  };
  field("rule", json_string(r.rule));
  field("message", json_string(r.message));
  field("file", json_string(r.source_file));
  field("line", std::to_string(r.source_line));
  field("source", json_string(r.source_text));
  field("insn_idx", std::to_string(r.insn_idx));
  field("insn", json_string(r.insn_text));
  field("known", json_string(r.known));
  field("path", json_string(r.path));
  field("suggestion", json_string(r.suggestion));
  return out + "}";
}

}  // namespace ring3::verifier
