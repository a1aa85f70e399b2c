#include "tests/cases_runner/case_check.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "exec/engine.h"
#include "exec/helper_table.h"
#include "exec/jit.h"
#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/text_cursor.h"
#include "rewrite/rewrite.h"
#include "tests/support/case_program.h"
#include "uapi/bpf.h"
#include "verifier/verifier.h"

namespace ring3::test {
namespace {

class CapturedLog final : public verifier::LogSink {
 public:
  explicit CapturedLog(std::uint32_t log_level) { level = log_level; }
  void write(std::string_view text) override { text_ += text; }
  void rejected(const verifier::Rejection& why) override { report_ = verifier::rejection_text(why, {}); }
  const std::string& text() const { return text_; }
  /// For people; "" when the program was not refused.
  const std::string& report() const { return report_; }

 private:
  std::string text_, report_;
};

struct Verdict {
  bool accepted = false;
  Errno error{};
  std::string log, report;
  std::vector<isa::Insn> insns;
  verifier::VerifiedProgram verified;

  std::string text() const { return accepted ? "accept" : std::string("reject ") + errno_name(error); }
};

/// What a rejection comes down to: the last line of the log before the statistics.
std::string final_message(const std::string& log) {
  std::string last;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (!line.empty() && line.compare(0, 10, "processed ") != 0) last = line;
    at = end + 1;
  }
  return last;
}

#if defined(RING3_CASES_VERIFY)
std::vector<verifier::WideImmediate> wide_immediates(const std::vector<isa::Insn>& insns) {
  std::vector<verifier::WideImmediate> out;
  for (std::uint32_t idx = 0; idx < insns.size(); ++idx) {
    const isa::Insn& insn = insns[idx];
    if (insn.op != isa::Op::kLdImm64 || insn.pseudo() == isa::Pseudo::kImm) continue;
    verifier::WideImmediate wide{idx, insn.pseudo(), static_cast<std::uint32_t>(insn.imm), 0};
    if (insn.pseudo() == isa::Pseudo::kMapIdx) wide.pseudo = isa::Pseudo::kMapFd;
    if (insn.pseudo() == isa::Pseudo::kMapIdxValue) wide.pseudo = isa::Pseudo::kMapValue;
    wide.value_off = static_cast<std::uint32_t>(static_cast<std::uint64_t>(insn.imm) >> 32);
    out.push_back(wide);
  }
  return out;
}
#endif

class Checker {
 public:
  explicit Checker(const Case& c) : case_(c) {}

  CaseReport run() {
    std::string error;
    if (!make_case_program(case_, program_, error)) {
      report_.failures.push_back(error);
      return std::move(report_);
    }
    check_text();
    check_verdict("verdict", "log", program_.rights, true);
    if (case_.section("verdict-unpriv") != nullptr || case_.section("log-unpriv") != nullptr)
      check_verdict("verdict-unpriv", "log-unpriv", model::Rights{}, false);
    return std::move(report_);
  }

 private:
  void fail(std::string what) { report_.failures.push_back(std::move(what)); }
  void fail(const CaseSection& section, std::string what, std::vector<std::string> better) {
    report_.failures.push_back(section.name + ": " + std::move(what));
    report_.edits.push_back({section.heading, std::move(better)});
  }

  /// Text says all there is to say: assembling what the disassembler prints gives the same slots.
  void check_text() {
    const std::string text = isa::assembly_text(program_.slots);
    auto again = isa::assemble(text);
    if (!again || again.value() != program_.slots) fail("does not assemble back from:\n" + text);
  }

  Verdict judge(const model::Rights& rights) {
    Verdict verdict;
    isa::FieldError wrong;
    auto insns = isa::decode(program_.slots, &wrong);
    if (!insns) {
      verdict.error = wrong.error;
      verdict.log = wrong.message + "\n";
      return verdict;
    }
    verdict.insns = std::move(insns).value();
    verdict.accepted = true;
    if (program_.verified) verify(rights, verdict);
    return verdict;
  }

#if defined(RING3_CASES_VERIFY)
  static constexpr bool kVerifies = true;
  verifier::ProgramInput input(std::span<const isa::Insn> insns, std::span<const verifier::WideImmediate> wide,
                               const model::Rights& rights) const {
    verifier::ProgramInput in;
    in.name = "case";
    in.prog_type = program_.prog_type;
    in.attach_type = program_.attach_type;
    in.flags = program_.flags;
    in.gpl_compatible = program_.gpl_compatible;
    in.insns = insns;
    in.raw = program_.slots;
    in.wide = wide;
    in.maps = program_.maps;
    in.rights = rights;
    return in;
  }

  void verify(const model::Rights& rights, Verdict& verdict) {
    const std::vector<verifier::WideImmediate> wide = wide_immediates(verdict.insns);
    const verifier::ProgramInput in = input(verdict.insns, wide, rights);
    CapturedLog log(program_.log_level);
    const model::Facts facts;
    auto result = verifier::verify(in, facts, verifier::Limits{}, log);
    verdict.log = log.text();
    verdict.report = log.report();
    verdict.accepted = result.ok();
    if (result) verdict.verified = std::move(result).value();
    else verdict.error = result.error();
  }
#else
  static constexpr bool kVerifies = false;
  void verify(const model::Rights&, Verdict&) {}
#endif

  void check_verdict(const char* verdict_name, const char* log_name, const model::Rights& rights, bool run_it) {
    Verdict verdict = judge(rights);
    const bool known = !verdict.accepted || !program_.verified || kVerifies;
    if (!known) {
      leave_out("verdict: no verifier in this build");
      return;
    }
    const CaseSection* const expected = case_.section(verdict_name);
    const std::string want = expected == nullptr || expected->lines().empty() ? "accept" : expected->lines()[0];
    if (want != verdict.text()) {
      const std::string what = "is " + verdict.text() + ", expected " + want + "\n" + verdict.log;
      if (expected) fail(*expected, what, {verdict.text()});
      else fail("verdict: " + what);
    }
    check_log(case_.section(log_name), verdict);
    if (run_it) check_report(verdict);
    if (!run_it || !verdict.accepted) return;
    if (case_.section("xlated") != nullptr || case_.section("run") != nullptr) check_run(verdict);
  }

  void check_log(const CaseSection* expected, const Verdict& verdict) {
    if (expected == nullptr) return;
    const std::string missing = match_log(expected->lines(), verdict.log);
    if (!missing.empty()) fail(*expected, "lacks \"" + missing + "\" in\n" + verdict.log, {final_message(verdict.log)});
  }

  void check_report(const Verdict& verdict) {
    const CaseSection* const expected = case_.section("report");
    if (expected == nullptr) return;
    const std::string missing = match_log(expected->lines(), verdict.report);
    if (!missing.empty()) fail("report: lacks \"" + missing + "\" in\n" + verdict.report);
  }

  void check_run(const Verdict& verdict) {
    std::shared_ptr<const rewrite::XlatedProgram> xlated = program_.verified ? rewritten(verdict) : unverified(verdict);
    if (xlated == nullptr) return;
    if (const CaseSection* section = case_.section("xlated")) check_xlated(*section, *xlated);
    const CaseSection* const section = case_.section("run");
    if (section == nullptr) return;
    // Only these contexts are plain memory; others are records that the test run command makes.
    if (program_.verified && program_.prog_type != uapi::BPF_PROG_TYPE_SYSCALL)
      leave_out("run: only programs of type none and syscall are run by this runner");
    else if (!xlated->helpers.empty() || !xlated->kfuncs.empty())
      leave_out("run: programs that call the host are not run by this runner");
    else check_runs(*section, std::move(xlated));
  }

  /// prog-type none: the instructions as they are, one subprogram per called slot.
  std::shared_ptr<const rewrite::XlatedProgram> unverified(const Verdict& verdict) {
    auto program = std::make_shared<rewrite::XlatedProgram>();
    program->insns = verdict.insns;
    std::vector<std::uint32_t> starts{0};
    for (std::uint32_t idx = 0; idx < program->insns.size(); ++idx) {
      const isa::Insn& insn = program->insns[idx];
      if (insn.op == isa::Op::kCallSubprog) starts.push_back(idx + 1 + static_cast<std::uint32_t>(insn.jump));
      program->original_idx.push_back(idx);
    }
    std::sort(starts.begin(), starts.end());
    starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
    starts.push_back(static_cast<std::uint32_t>(program->insns.size()));
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      program->subprogs.push_back({starts[i], starts[i + 1], isa::kMaxStackBytes});
    return program;
  }

  void leave_out(std::string why) { report_.not_checked.push_back(std::move(why)); }

#if defined(RING3_CASES_VERIFY)
  /// What the loader would run. Maps are facts only in a case, without memory: their programs are verified, not run.
  std::shared_ptr<const rewrite::XlatedProgram> rewritten(const Verdict& verdict) {
    if (!program_.maps.empty()) {
      leave_out("run: programs with maps are not run by this runner");
      return nullptr;
    }
    const std::vector<verifier::WideImmediate> wide = wide_immediates(verdict.insns);
    const verifier::ProgramInput in = input(verdict.insns, wide, program_.rights);
    const model::Facts facts;
    CapturedLog log(1);
    auto result = rewrite::rewrite({in, verdict.verified, facts, {}, exec::find_helper}, log);
    if (result) return std::make_shared<rewrite::XlatedProgram>(std::move(result).value());
    fail(fmt::format("rewriting fails with {}\n{}", errno_name(result.error()), log.text()));
    return nullptr;
  }
#else
  std::shared_ptr<const rewrite::XlatedProgram> rewritten(const Verdict&) {
    leave_out("run: no verifier in this build");
    return nullptr;
  }
#endif

  void check_xlated(const CaseSection& section, const rewrite::XlatedProgram& program) {
    StringSink out;
    isa::disassemble(program.insns, out);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < out.text().size();) {
      const std::size_t end = out.text().find('\n', at);
      lines.push_back(out.text().substr(at, end - at));
      at = end + 1;
    }
    if (section.lines() != lines) fail(section, "is\n" + out.text(), lines);
  }

  void check_runs(const CaseSection& section, std::shared_ptr<const rewrite::XlatedProgram> program) {
    exec::CodeMemory memory;
    check_runs_on(*exec::make_interpreter(), section, program);
    if (report_.failures.empty() && exec::jit_available()) check_runs_on(*exec::make_jit(memory), section, program);
  }

  void check_runs_on(exec::Engine& engine, const CaseSection& section,
                     const std::shared_ptr<const rewrite::XlatedProgram>& program) {
    std::vector<std::string> better;
    std::string wrong;
    auto code = engine.compile(program);
    if (!code) {
      fail(fmt::format("run: an engine refuses the program: {}", errno_name(code.error())));
      return;
    }
    for (const std::string& line : section.lines()) {
      better.push_back(line);
      if (!check_run_line(line, *code.value(), better.back(), wrong)) return;
    }
    if (!wrong.empty()) fail(section, wrong, better);
  }

  /// "BYTES => VALUE": memory in r1 (its length in r2) and the expected r0.
  bool check_run_line(const std::string& line, const exec::Code& code, std::string& better, std::string& wrong) {
    const std::size_t arrow = line.find("=>");
    std::vector<std::uint64_t> memory;  // for its alignment
    std::size_t bytes = 0;
    isa::ParsedNumber want;
    isa::TextCursor value(arrow == std::string::npos ? "" : std::string_view(line).substr(arrow + 2));
    if (!value.number(want) || !value.at_end() || !parse_bytes(line.substr(0, arrow), memory, bytes)) {
      fail("run: not \"BYTES => VALUE\": " + line);
      return false;
    }
    exec::RunContext run;
    run.code = &code;
    exec::RunScope scope(run);
    const auto address = bytes == 0 ? 0 : reinterpret_cast<std::uintptr_t>(memory.data());
    const std::uint64_t got = code.call_subprog(run, 0, address, bytes);
    if (got == want.bits()) return true;
    wrong += fmt::format("{}: r0 is {:#x} on the {}\n", line, got, code.tier());
    better = fmt::format("{}=> {:#x}", line.substr(0, arrow), got);
    return true;
  }

  static bool parse_bytes(const std::string& text, std::vector<std::uint64_t>& memory, std::size_t& bytes) {
    std::string digits;
    for (char c : text) {
      if (c == ' ' || c == '-') continue;
      if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
      digits += c;
    }
    if (digits.size() % 2 != 0) return false;
    bytes = digits.size() / 2;
    memory.resize((bytes + 7) / 8);
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto byte = static_cast<std::uint8_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
      std::memcpy(reinterpret_cast<std::byte*>(memory.data()) + i, &byte, 1);
    }
    return true;
  }

  const Case& case_;
  CaseProgram program_;
  CaseReport report_;
};

}  // namespace

CaseReport check_case(const Case& c) { return Checker(c).run(); }

CaseReport check_with_xfail(const Case& c) {
  CaseReport report = check_case(c);
  const CaseSection* const xfail = c.section("xfail");
  if (xfail == nullptr || !report.not_checked.empty()) return report;
  if (report.failures.empty())
    report.failures.push_back("passes, but is expected to fail: " + xfail->argument);
  else
    report.failures.clear();
  report.edits.clear();
  return report;
}

}  // namespace ring3::test
