// taskd: a task runner whose scheduler is a BPF module, with a load that never ends. Prints what it runs twice a second, and exit
// records as schedulers go.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "load.h"
#include "support/daemon.h"

namespace {

struct Options {
  taskd::RunnerOptions runner;
  std::string socket;
  std::uint32_t hogs = 2, pairs = 2, jobs = 8, step_us = 20;
};

int fail(const std::string& why) { return examples::fail("taskd", why); }

/// Who got how much of what the hogs had since the last line.
void report(taskd::Runner& runner, const taskd::Load& load, std::array<std::uint64_t, 3>& before) {
  const std::array<std::uint64_t, 3> now = load.hog_steps();
  std::uint64_t all = 0;
  for (std::size_t w = 0; w < now.size(); ++w) all += now[w] - before[w];
  const taskd::Counts counts = runner.counts();
  std::printf("scheduler %s, alive %llu, jobs %llu, shares", runner.scheduler().c_str(),
              static_cast<unsigned long long>(counts.spawned - counts.done), static_cast<unsigned long long>(load.jobs_done()));
  for (std::size_t w = 0; w < now.size(); ++w)
    std::printf(" %u:%.0f%%", taskd::Load::kWeights[w],
                all == 0 ? 0.0 : 100.0 * static_cast<double>(now[w] - before[w]) / static_cast<double>(all));
  std::printf("\n");
  std::fflush(stdout);
  before = now;
}

int serve(const Options& options) {
  pollfd stop{.fd = examples::stop_signals(), .events = POLLIN, .revents = 0};
  examples::PrintedLog log(stdout, "taskd");
  taskd::RunnerOptions runner_options = options.runner;
  runner_options.log = &log;
  auto created = taskd::Runner::create(runner_options);
  if (!created.ok()) return fail(std::string("no runner: ") + ring3::errno_name(created.error()));
  taskd::Runner& runner = **created;
  if (auto listening = runner.runtime().listen({.path = options.socket}); !listening.ok())
    return fail(std::string("no control socket: ") + ring3::errno_name(listening.error()));
  taskd::Load load(runner);
  load.start(options.hogs, options.pairs, options.jobs, options.step_us * 1000);
  runner.start();
  std::printf("taskd: host %s, %u CPUs\n", options.runner.name.c_str(), runner.cpu_count());
  std::array<std::uint64_t, 3> steps{};
  while (poll(&stop, 1, 500) == 0) report(runner, load, steps);

  const bool all_ended = load.finish(std::chrono::seconds(10));
  const taskd::Counts counts = runner.counts();
  std::printf("taskd: %llu tasks spawned, %llu ended\n", static_cast<unsigned long long>(counts.spawned),
              static_cast<unsigned long long>(counts.done));
  return all_ended ? 0 : fail("tasks were lost");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("A task runner whose scheduler is a BPF module.", "taskd");
  app.add_option("--cpus", options.runner.cpus, "worker threads")->capture_default_str()->check(CLI::Range(1, int{TASKD_MAX_CPUS}));
  app.add_option("--name", options.runner.name, "what `ring3 hosts` calls it")->capture_default_str();
  app.add_option("--socket", options.socket, "control socket; default: ring3's standard place");
  app.add_option("--hogs", options.hogs, "tasks that never sleep, of each of the weights 100, 200 and 400")->capture_default_str();
  app.add_option("--pairs", options.pairs, "pairs of tasks that wake each other")->capture_default_str();
  app.add_option("--jobs", options.jobs, "short tasks at a time")->capture_default_str();
  app.add_option("--step-us", options.step_us, "microseconds that a step takes")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return serve(options);
}
