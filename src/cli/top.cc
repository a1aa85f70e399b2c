// top: which programs of the host's modules run, how often, and for how long. The host counts all runs and times some of
// them by itself; --exact has it time all while top watches (BPF_ENABLE_STATS).
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/owned_fd.h"
#include "cli/command.h"
#include "cli/table.h"
#include "control/module_client.h"
#include "uapi/bpf.h"

namespace ring3::cli {
namespace {

using Align = Table::Align;

struct Options {
  double seconds = 1;
  std::uint64_t count = 0;  // 0: until interrupted
  bool as_json = false;
  bool exact = false;
};

/// One program between two looks.
struct Activity {
  std::string module, program;
  std::uint32_t id = 0;
  double runs_per_second = 0, ns_per_run = 0, cpu_share = 0;
  std::uint64_t runs = 0;  // in all
};

struct Look {
  double time_s = 0;
  std::vector<module::ModuleInfo> modules;
};

double now_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// While the descriptor is open the host times every run. Errors: those of the command.
Result<OwnedFd> measure_run_times(control::Client& client) {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  attr.enable_stats.type = uapi::BPF_STATS_RUN_TIME;
  const long fd = client.bpf(uapi::BPF_ENABLE_STATS, &attr, sizeof attr);
  if (fd < 0) return static_cast<Errno>(-fd);
  return OwnedFd(static_cast<int>(fd));
}

/// Mean run time since `before`; where no run was timed since, of all that ever were. 0: none.
double ns_per_run(const module::ProgramRow& before, const module::ProgramRow& after, bool exact) {
  const auto mean = [](std::uint64_t ns, std::uint64_t runs) { return runs != 0 ? static_cast<double>(ns) / static_cast<double>(runs) : 0.0; };
  if (exact) return mean(after.run_time_ns - before.run_time_ns, after.runs - before.runs);
  if (after.sampled_runs != before.sampled_runs) return mean(after.sampled_ns - before.sampled_ns, after.sampled_runs - before.sampled_runs);
  return after.runs != before.runs ? mean(after.sampled_ns, after.sampled_runs) : 0.0;
}

std::vector<Activity> between(const Look& before, const Look& after, bool exact) {
  std::map<std::uint32_t, const module::ProgramRow*> former;
  for (const module::ModuleInfo& m : before.modules)
    for (const module::ProgramRow& p : m.programs) former[p.id] = &p;
  const double seconds = std::max(after.time_s - before.time_s, 1e-6);
  const module::ProgramRow nothing;
  std::vector<Activity> all;
  for (const module::ModuleInfo& m : after.modules)
    for (const module::ProgramRow& p : m.programs) {
      const auto known = former.find(p.id);
      const module::ProgramRow& was = known != former.end() ? *known->second : nothing;
      const auto runs = static_cast<double>(p.runs - was.runs);
      const double ns = ns_per_run(was, p, exact);
      all.push_back({m.name, p.name, p.id, runs / seconds, ns, runs * ns / (seconds * 1e9), p.runs});
    }
  std::stable_sort(all.begin(), all.end(), [](const Activity& a, const Activity& b) { return a.cpu_share > b.cpu_share; });
  return all;
}

void print_table(const std::vector<Activity>& all, bool on_terminal) {
  Table table({{"MODULE"}, {"PROGRAM"}, {"ID", Align::kRight}, {"RUNS/S", Align::kRight}, {"NS/RUN", Align::kRight},
               {"CPU%", Align::kRight}, {"RUNS", Align::kRight}});
  for (const Activity& a : all)
    table.row({a.module, a.program, std::to_string(a.id), fmt::format("{:.0f}", a.runs_per_second),
               a.ns_per_run > 0 ? fmt::format("{:.0f}", a.ns_per_run) : "-", fmt::format("{:.1f}", 100 * a.cpu_share),
               std::to_string(a.runs)});
  fmt::print("{}{}{}", on_terminal ? "\033[H\033[J" : "", table.text(), on_terminal ? "" : "\n");
}

void print_json(const std::vector<Activity>& all) {
  nlohmann::json programs = nlohmann::json::array();
  for (const Activity& a : all)
    programs.push_back({{"module", a.module}, {"program", a.program}, {"id", a.id}, {"runs_per_second", a.runs_per_second},
                        {"ns_per_run", a.ns_per_run}, {"cpu_share", a.cpu_share}, {"runs", a.runs}});
  fmt::print("{}\n", nlohmann::json{{"programs", programs}}.dump());
}

/// False: a signal asks for the end.
bool wait_s(double seconds) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const auto whole = static_cast<time_t>(seconds);
  const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  return sigtimedwait(&signals, nullptr, &time) < 0;
}

ExitCode watch(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  OwnedFd measuring;
  if (options.exact) {
    Result<OwnedFd> fd = measure_run_times(*client);
    if (!fd.ok()) return fail_request(*client, fd.error(), "top: run times");
    measuring = std::move(*fd);
  }
  Look before;
  for (std::uint64_t looks = 0;; ++looks) {
    Result<std::vector<module::ModuleInfo>> modules = control::modules(*client);
    if (!modules.ok()) return fail_request(*client, modules.error(), "top");
    Look after{now_s(), std::move(*modules)};
    if (looks > 0) {
      const std::vector<Activity> all = between(before, after, options.exact);
      options.as_json ? print_json(all) : print_table(all, ::isatty(STDOUT_FILENO) == 1);
    }
    if (std::fflush(stdout) != 0 || (options.count != 0 && looks == options.count)) return ExitCode::kDone;
    before = std::move(after);
    if (!wait_s(options.seconds)) return ExitCode::kDone;
  }
}

}  // namespace

void add_top(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("top", "watch the programs of the host's modules run");
  command->add_option("-d,--delay", options->seconds, "seconds between two looks")->check(CLI::Range(0.01, 3600.0))->capture_default_str();
  command->add_option("-n,--count", options->count, "stop after N tables");
  command->add_flag("--exact", options->exact, "have the host time every run meanwhile");
  command->add_flag("--json", options->as_json, "one JSON record a look");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return watch(commands, *options); }; });
}

}  // namespace ring3::cli
