#include "cli/verify_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/object_file.h"
#include "cli/table.h"

namespace ring3::cli {
namespace {

using nlohmann::json;
using Align = Table::Align;

struct VerdictWord {
  Verdict verdict;
  std::string_view word;
};
constexpr VerdictWord kVerdictWords[] = {
    {Verdict::kAccepted, "accepted"}, {Verdict::kRefused, "refused"}, {Verdict::kNotJudged, "not judged"}};

std::string word_of(Verdict verdict) {
  for (const VerdictWord& row : kVerdictWords)
    if (row.verdict == verdict) return std::string(row.word);
  return {};
}

std::string verdict_cell(const ProgramRecord& p) {
  return p.verdict == Verdict::kRefused ? fmt::format("refused {}", errno_name(p.error)) : word_of(p.verdict);
}

std::string micros(std::uint64_t ns) { return fmt::format("{:.1f}", static_cast<double>(ns) / 1e3); }

json record_json(const ProgramRecord& p) {
  json out = {{"name", p.name}, {"section", p.section}, {"verdict", word_of(p.verdict)}, {"insns", p.insns}};
  if (p.verdict == Verdict::kRefused) out["errno"] = errno_name(p.error);
  if (p.verdict != Verdict::kNotJudged) {
    out["insns_processed"] = p.stats.insns_processed;
    out["states"] = p.stats.states_total;
    out["states_peak"] = p.stats.states_peak;
    out["max_states_per_insn"] = p.stats.max_states_per_insn;
    out["time_ns"] = p.stats.time_ns;
    out["memory_bytes"] = p.stats.peak_memory_bytes;
  }
  if (p.rejection.has_value()) out["report"] = json::parse(verifier::rejection_json(*p.rejection));
  if (!p.words.empty()) out["words"] = p.words;
  if (!p.log.empty()) out["log"] = p.log;
  return out;
}

ProgramRecord record_of(const json& in) {
  ProgramRecord p;
  p.name = in.at("name").get<std::string>();
  const std::string verdict = in.at("verdict").get<std::string>();
  for (const VerdictWord& row : kVerdictWords)
    if (row.word == verdict) p.verdict = row.verdict;
  p.insns = in.value("insns", 0u);
  p.stats.insns_processed = in.value("insns_processed", 0u);
  p.stats.states_total = in.value("states", 0u);
  p.stats.states_peak = in.value("states_peak", 0u);
  p.stats.time_ns = in.value("time_ns", std::uint64_t{0});
  p.stats.peak_memory_bytes = in.value("memory_bytes", std::uint64_t{0});
  return p;
}

const ProgramRecord* find(const VerifyRun& run, const std::string& name) {
  const auto at = std::find_if(run.programs.begin(), run.programs.end(), [&](const ProgramRecord& p) { return p.name == name; });
  return at == run.programs.end() ? nullptr : &*at;
}

/// "12 → 15 (+25.0%)", or one number when nothing changed.
std::string change(std::uint64_t before, std::uint64_t now) {
  if (before == now) return std::to_string(now);
  if (before == 0) return fmt::format("{} → {}", before, now);
  const double percent = 100.0 * (static_cast<double>(now) - static_cast<double>(before)) / static_cast<double>(before);
  return fmt::format("{} → {} ({:+.1f}%)", before, now, percent);
}

bool same(const ProgramRecord& a, const ProgramRecord& b) {
  return a.verdict == b.verdict && a.insns == b.insns && a.stats.insns_processed == b.stats.insns_processed &&
         a.stats.states_total == b.stats.states_total && a.stats.states_peak == b.stats.states_peak;
}

}  // namespace

std::string verify_table(const VerifyRun& run) {
  Table table({{"PROGRAM"}, {"VERDICT"}, {"INSNS", Align::kRight}, {"PROCESSED", Align::kRight}, {"STATES", Align::kRight},
               {"PEAK", Align::kRight}, {"TIME us", Align::kRight}, {"MEMORY", Align::kRight}});
  for (const ProgramRecord& p : run.programs) {
    if (p.verdict == Verdict::kNotJudged) {
      table.row({p.name, verdict_cell(p), std::to_string(p.insns), "-", "-", "-", "-", "-"});
      continue;
    }
    table.row({p.name, verdict_cell(p), std::to_string(p.insns), std::to_string(p.stats.insns_processed),
               std::to_string(p.stats.states_total), std::to_string(p.stats.states_peak), micros(p.stats.time_ns),
               bytes_text(p.stats.peak_memory_bytes)});
  }
  return table.text();
}

std::string verify_json(const VerifyRun& run) {
  json programs = json::array();
  for (const ProgramRecord& p : run.programs) programs.push_back(record_json(p));
  const json out = {{"object", run.object}, {"types", run.types}, {"rights", run.rights}, {"programs", programs}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<VerifyRun> read_verify_run(const std::string& path, std::string& why) {
  const auto bytes = read_object_file(path, why);
  if (!bytes.ok()) return bytes.error();
  const auto* text = reinterpret_cast<const char*>(bytes->data());
  VerifyRun run;
  try {
    const json in = json::parse(text, text + bytes->size());
    run.object = in.value("object", "");
    for (const json& p : in.at("programs")) run.programs.push_back(record_of(p));
  } catch (const json::exception&) {
    why = fmt::format("{}: not what ring3 verify --json prints", path);
    return Errno::kInval;
  }
  return run;
}

std::string verify_changes(const VerifyRun& before, const VerifyRun& now) {
  Table table({{"PROGRAM"}, {"VERDICT"}, {"INSNS", Align::kRight}, {"PROCESSED", Align::kRight}, {"STATES", Align::kRight},
               {"PEAK", Align::kRight}, {"TIME us", Align::kRight}});
  std::size_t changed = 0;
  for (const ProgramRecord& p : now.programs) {
    const ProgramRecord* old = find(before, p.name);
    if (old != nullptr && same(*old, p)) continue;
    ++changed;
    if (old == nullptr) {
      table.row({p.name, "new: " + verdict_cell(p), std::to_string(p.insns), std::to_string(p.stats.insns_processed),
                 std::to_string(p.stats.states_total), std::to_string(p.stats.states_peak), micros(p.stats.time_ns)});
      continue;
    }
    const std::string was = word_of(old->verdict), is = word_of(p.verdict);
    table.row({p.name, was == is ? is : was + " → " + is, change(old->insns, p.insns),
               change(old->stats.insns_processed, p.stats.insns_processed), change(old->stats.states_total, p.stats.states_total),
               change(old->stats.states_peak, p.stats.states_peak), change(old->stats.time_ns / 1000, p.stats.time_ns / 1000)});
  }
  for (const ProgramRecord& p : before.programs) {
    if (find(now, p.name) != nullptr) continue;
    ++changed;
    table.row({p.name, "gone", std::to_string(p.insns), "-", "-", "-", "-"});
  }
  if (changed == 0) return fmt::format("nothing changed: {} programs\n", now.programs.size());
  return table.text();
}

}  // namespace ring3::cli
