// `ring3 verify`: ring3-verify(1).
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/btf_file.h"
#include "cli/command.h"
#include "cli/verify_report.h"

namespace ring3::cli {
namespace {

constexpr const char* kMachineTypes = "/sys/kernel/btf/vmlinux";

struct Options {
  VerifyRequest request;
  std::string btf;
  std::string rights = "all";
  std::vector<std::string> kfuncs;
  std::string compare;
  bool as_json = false;
};

/// The runtime's lines, for --verbose.
class StderrLog final : public Log {
 public:
  void line(Severity, std::string_view, std::string_view text) override { fmt::print(stderr, "ring3 verify: {}\n", text); }
};

/// "all", "none", or some of bpf,perfmon,net_admin,sys_admin.
bool read_rights(std::string_view words, model::Rights& rights) {
  rights = {};
  if (words == "all") rights = model::Rights::all();
  if (words == "all" || words == "none") return true;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (word == "bpf") rights.bpf = true;
    else if (word == "perfmon") rights.perfmon = true;
    else if (word == "net_admin") rights.net_admin = true;
    else if (word == "sys_admin") rights.sys_admin = true;
    else return false;
  }
  return true;
}

void print_reports(const VerifyRun& run) {
  const verifier::ReportStyle style{.colour = ::isatty(STDERR_FILENO) != 0};
  for (const ProgramRecord& p : run.programs) {
    if (p.verdict == Verdict::kAccepted) continue;
    fmt::print(stderr, "\n{} ({}):\n", p.name, p.section);
    const std::string text = p.rejection.has_value() ? verifier::rejection_text(*p.rejection, style) : p.words;
    fmt::print(stderr, "{}{}", text, text.ends_with('\n') || text.empty() ? "" : "\n");
  }
}

void print(const VerifyRun& run, const Options& options, const VerifyRun* before) {
  if (options.as_json) {
    fmt::print("{}", verify_json(run));
    return;
  }
  for (const ProgramRecord& p : run.programs)
    if (!p.log.empty()) fmt::print("log of {}:\n{}\n", p.name, p.log);
  fmt::print("{}", before == nullptr ? verify_table(run) : verify_changes(*before, run));
  std::fflush(stdout);
  print_reports(run);
}

ExitCode code_of(const VerifyRun& run) {
  ExitCode code = ExitCode::kDone;
  for (const ProgramRecord& p : run.programs) {
    if (p.verdict == Verdict::kRefused) return ExitCode::kRefused;
    if (p.verdict == Verdict::kNotJudged) code = ExitCode::kIncompatible;
  }
  return code;
}

ExitCode verify(const Commands& commands, Options& options) {
  if (!commands.host.empty())
    return fail(ExitCode::kUsage, "verify asks no host; --btf FILE names the types to judge by");
  JudgeOptions judging;
  if (!read_rights(options.rights, judging.rights))
    return fail(ExitCode::kUsage, "--caps takes all, none, or some of bpf,perfmon,net_admin,sys_admin");
  std::string why;
  VerifyRun before;
  if (!options.compare.empty()) {
    Result<VerifyRun> saved = read_verify_run(options.compare, why);
    if (!saved.ok()) return fail(exit_code_of_file(saved.error()), why);
    before = std::move(saved).value();
  }
  const std::string types = options.btf.empty() ? kMachineTypes : options.btf;
  auto btf = read_btf_file(types, why);
  if (!btf.ok()) {
    if (options.btf.empty()) why += " (this machine shows no types: name a file with --btf)";
    return fail(exit_code_of_file(btf.error()), why);
  }
  StderrLog log;
  judging.btf = std::move(btf).value();
  judging.kfuncs = options.kfuncs;
  judging.log = options.request.verbose ? &log : nullptr;
  auto judge = Judge::create(std::move(judging), why);
  if (!judge.ok()) return fail(ExitCode::kFailed, fmt::format("{}: {}", types, why));

  VerifyRun run;
  const std::string& path = options.request.object_path;
  run.object = path.substr(path.find_last_of('/') + 1);
  run.types = types;
  run.rights = options.rights;
  if (const auto failure = verify_object(options.request, **judge, run.programs)) return fail(failure->code, failure->words);
  print(run, options, options.compare.empty() ? nullptr : &before);
  if (!(*judge)->assumed().empty() && !options.as_json)
    fmt::print(stderr, "\nnote: the types do not say with which flags the host registers {}; taken as without (--kfunc says it)\n",
               fmt::join((*judge)->assumed(), ", "));
  return code_of(run);
}

}  // namespace

void add_verify(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "judge the programs of an object file; nothing is loaded anywhere");
  command->add_option("OBJECT", options->request.object_path, "compiled by clang -target bpf")->required();
  command->add_option("--prog", options->request.programs, "only this program; may be repeated");
  command->add_option("--btf", options->btf, "the types to judge by: a kernel's or a host's, raw BTF or an ELF file with it");
  command->add_option("--caps", options->rights, "rights of who would load it: all, none, or some of bpf,perfmon,net_admin,sys_admin")
      ->capture_default_str();
  command->add_option("--kfunc", options->kfuncs, "NAME=FLAG,...: the flags a host registers its function with; may be repeated");
  command->add_option("--log-level", options->request.log_level, "print the verifier's log: 1 each instruction, 2 each state, 4 figures")
      ->check(CLI::Range(0u, 15u));
  command->add_option("--compare", options->compare, "show what changed since this saved --json output");
  command->add_flag("--json", options->as_json, "everything as JSON on stdout");
  command->add_flag("-v,--verbose", options->request.verbose, "what libbpf and the verifying runtime say, on stderr");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return verify(commands, *options); }; });
}

}  // namespace ring3::cli
