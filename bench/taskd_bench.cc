// What does a scheduler in BPF cost a host? Slices of tasks that do next to nothing, in the runner of examples/taskd: with its
// built-in scheduler, native functions behind the same table, and with schedulers of clients.
//
//   taskd_bench SCHEDULERS-DIR [--rounds N] [--json FILE]
//
// Rounds are interleaved, figures are medians over rounds; `ratio` is to the built-in one of the same run. A slice is a decision
// what to run next, running, stopping and enqueue; a wake-up is select_cpu, and what it takes to sleep again.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/support/records.h"
#include "runner.h"
#include "taskd_btf.h"
#include "tests/integration/libbpf_door.h"
#include "uapi/bpf.h"

namespace ring3 {
namespace {

constexpr int kTasks = 8;
constexpr int kSlices = 20'000;
constexpr const char* kSides[] = {"built-in", "simple", "qmap"};

struct Rig {
  std::unique_ptr<taskd::Runner> runner = taskd::Runner::create({.name = "bench", .cpus = 1}).value();
  std::uint64_t tasks[kTasks] = {};
  bool runnable = true;
};

/// Runnable again at once, or asleep.
taskd::Step one_step(taskd::Task& task, void* arg) {
  Rig& rig = *static_cast<Rig*>(arg);
  if (rig.runnable) rig.runner->wake(task.id);
  return taskd::Step::kSleep;
}

double slice_ns(Rig& rig) {
  rig.runnable = true;
  for (const std::uint64_t id : rig.tasks) rig.runner->wake(id);
  const double begin = bench::thread_ns();
  for (int i = 0; i < kSlices; ++i) rig.runner->run_slice(0);
  const double each = (bench::thread_ns() - begin) / kSlices;
  rig.runnable = false;
  while (rig.runner->run_slice(0)) {
  }
  return each;
}

double wakeup_ns(Rig& rig) {
  rig.runnable = false;
  const double begin = bench::thread_ns();
  for (int i = 0; i < kSlices; ++i) {
    rig.runner->wake(rig.tasks[i % kTasks]);
    rig.runner->run_slice(0);
  }
  return (bench::thread_ns() - begin) / kSlices;
}

/// The scheduler in charge while this lives; the built-in one has no file.
class InCharge {
 public:
  InCharge(Rig& rig, const std::string& folder, const std::string& name) : rig_(rig), door_(rig.runner->runtime(), taskd_btf) {
    if (name == kSides[0]) return;
    file_ = std::make_unique<test::ObjectFile>((folder + "/" + name + ".bpf.o").c_str());
    if (file_->load() == 0) link_ = file_->attach(name.c_str());
  }
  ~InCharge() {
    if (link_ >= 0) ::close(link_);
    uapi::bpf_attr attr{};
    (void)rig_.runner->runtime().bpf(uapi::BPF_LINK_GET_NEXT_ID, &attr, sizeof attr);  // the runtime notices
  }
  bool is(const char* name) const { return rig_.runner->scheduler() == name; }

 private:
  Rig& rig_;
  test::LibbpfDoor door_;
  std::unique_ptr<test::ObjectFile> file_;
  int link_ = -1;
};

int run(const std::string& folder, const bench::CommonOptions& options) {
  Rig rig;
  for (std::uint64_t& id : rig.tasks) id = rig.runner->spawn("bench", 100, &one_step, &rig);
  std::vector<double> slices[std::size(kSides)], wakeups[std::size(kSides)];
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    for (std::size_t s = 0; s < std::size(kSides); ++s) {
      const InCharge side(rig, folder, kSides[s]);
      if (!side.is(kSides[s])) {
        std::fprintf(stderr, "taskd_bench: %s/%s.bpf.o is not to be had\n", folder.c_str(), kSides[s]);
        return 1;
      }
      slices[s].push_back(slice_ns(rig));
      wakeups[s].push_back(wakeup_ns(rig));
    }
  }
  bench::Records records;
  const auto report = [&](const char* what, const std::vector<double> (&sides)[std::size(kSides)]) {
    const double builtin = bench::median(sides[0]);
    for (std::size_t s = 0; s < std::size(kSides); ++s) {
      const double ns = bench::median(sides[s]);
      std::printf("%-8s %-9s %7.1f ns   %.2f of the built-in one\n", what, kSides[s], ns, ns / builtin);
      records.add(std::string("taskd/") + what + "/" + kSides[s], ns, "ns", {{"built-in", ns / builtin}});
    }
  };
  report("slice", slices);
  report("wake-up", wakeups);
  return records.write(options.json) ? 0 : 1;
}

}  // namespace
}  // namespace ring3

int main(int argc, char** argv) {
  ring3::bench::CommonOptions options;
  std::string folder;
  CLI::App app("The cost of a scheduler in BPF.", "taskd_bench");
  app.add_option("schedulers", folder, "where the .bpf.o files are")->required();
  ring3::bench::add_common_options(app, options);
  CLI11_PARSE(app, argc, argv);
  return ring3::run(folder, options);
}
