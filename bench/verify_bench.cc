// How long does the verifier take for real objects, against the machine's kernel? The same programs of the same object files to
// both, through the same libbpf and judged by the same types (the machine's); times and counts are those that both report.
//
//   verify_bench [--rounds N] [--json FILE] OBJECT.o…
//
// Sides take turns in each round; a figure is the least of the rounds. Programs that either refuses or that the kernel processes
// in fewer than 1,000 instructions are left out of the means. Loading only: nothing is attached or run.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/support/kernel_verifier.h"
#include "bench/support/records.h"
#include "cli/btf_file.h"
#include "cli/judge.h"
#include "cli/verify_object.h"

namespace ring3::bench {
namespace {

constexpr const char* kTypes = "/sys/kernel/btf/vmlinux";
constexpr std::uint64_t kLeastInsns = 1000;
constexpr double kMostNs = 3e9;  // an object is given no more rounds after that

struct Options : CommonOptions {
  std::vector<std::string> objects;
};

using Measured = std::map<std::string, Figures>;  // by program; those that were accepted

void keep_least(Measured& least, const std::string& program, const Figures& figures) {
  const auto [at, fresh] = least.try_emplace(program, figures);
  if (!fresh && figures.usec < at->second.usec) at->second = figures;
}

class VerifyBench {
 public:
  VerifyBench(const Options& options, cli::Judge& judge) : options_(options), judge_(judge) {
    fmt::print("{:<42} {:>8} {:>8} {:>6} {:>10} {:>10} {:>6} {:>8}\n", "program", "insns", "kernel", "ratio", "us", "kernel us",
               "ratio", "KiB");
  }

  void measure(const std::string& path) {
    const std::string file = path.substr(path.find_last_of('/') + 1);
    Sides least;
    cli::VerifyRequest request;
    request.object_path = path;
    const double start = monotonic_ns();
    for (std::uint32_t round = 0; round < options_.rounds && (round == 0 || monotonic_ns() - start < kMostNs); ++round) {
      if (!measure_once(request, round == 0, least)) return;
      request.programs.clear();
      for (const auto& [program, theirs] : least.kernel)
        if (least.ours.contains(program) && theirs.insns >= kLeastInsns) request.programs.push_back(program);
      if (request.programs.empty()) break;
    }
    const std::string object = file.substr(0, file.find('.')) + "/";
    for (const auto& [program, theirs] : least.kernel) {
      const auto own = least.ours.find(program);
      if (own == least.ours.end()) note_refused(object + program, theirs);
      else if (theirs.insns >= kLeastInsns) compare(object + program, own->second, theirs);
    }
  }

  /// True: the file (if any) is written.
  bool finish() {
    if (const auto time = times_.value()) {
      fmt::print("geometric means to the kernel, {} programs: time {:.3f}, instructions {:.3f}; worst {:.2f} ({}); most memory {:.1f} MiB ({})\n",
                 times_.count(), *time, *insns_.value(), worst_, worst_name_, static_cast<double>(most_bytes_) / (1 << 20), most_name_);
      records_.add("verify/geomean_time", *time, "ratio");
      records_.add("verify/geomean_insns", *insns_.value(), "ratio");
      records_.add("verify/worst_time", worst_, "ratio");
      records_.add("verify/peak_memory", static_cast<double>(most_bytes_) / (1 << 20), "MiB");
    } else {
      fmt::print("bpf(2) does not load programs here: no ratio\n");
    }
    fmt::print("left out: {} programs only the kernel takes, {} that it does not\n", only_kernel_, only_ours_);
    return records_.write(options_.json);
  }

 private:
  struct Sides {
    Measured ours, kernel;
  };

  /// False: nothing more to be had of this object.
  bool measure_once(const cli::VerifyRequest& request, bool first, Sides& least) {
    std::vector<cli::ProgramRecord> records;
    if (cli::verify_object(request, judge_, records)) return false;
    for (const cli::ProgramRecord& record : records) {
      const bool accepted = record.verdict == cli::Verdict::kAccepted;
      if (accepted)
        keep_least(least.ours, record.name, {static_cast<double>(record.stats.time_ns) / 1e3, record.stats.insns_processed, record.stats.peak_memory_bytes});
      if (record.verdict == cli::Verdict::kNotJudged) continue;
      if (const auto figures = verify_in_kernel(request.object_path, record.name)) keep_least(least.kernel, record.name, *figures);
      else if (first && accepted) ++only_ours_;
    }
    return true;
  }

  void note_refused(const std::string& name, const Figures& kernel) {
    ++only_kernel_;
    if (kernel.insns >= kLeastInsns) fmt::print("{:<42} refused, but the kernel takes it\n", name);
  }

  void compare(const std::string& name, const Figures& ours, const Figures& kernel) {
    const double time = ours.usec / kernel.usec;
    const double insns = static_cast<double>(ours.insns) / static_cast<double>(kernel.insns);
    fmt::print("{:<42} {:>8} {:>8} {:>6.2f} {:>10.0f} {:>10.0f} {:>6.2f} {:>8}\n", name, ours.insns, kernel.insns, insns, ours.usec,
               kernel.usec, time, ours.memory_bytes / 1024);
    std::fflush(stdout);
    records_.add("verify/" + name, ours.usec, "us", {{"kernel", time}, {"kernel_insns", insns}});
    times_.add(time);
    insns_.add(insns);
    if (time > worst_) worst_ = time, worst_name_ = name;
    if (ours.memory_bytes > most_bytes_) most_bytes_ = ours.memory_bytes, most_name_ = name;
  }

  const Options& options_;
  cli::Judge& judge_;
  Records records_;
  Geomean times_, insns_;
  double worst_ = 0;
  std::string worst_name_, most_name_;
  std::uint64_t most_bytes_ = 0;
  int only_ours_ = 0, only_kernel_ = 0;
};

int run(const Options& options) {
  std::string why;
  cli::JudgeOptions judging;
  auto btf = cli::read_btf_file(kTypes, why);
  if (!btf.ok()) return std::fprintf(stderr, "verify_bench: %s\n", why.c_str()), 1;
  judging.btf = std::move(btf).value();
  auto judge = cli::Judge::create(std::move(judging), why);
  if (!judge.ok()) return std::fprintf(stderr, "verify_bench: %s\n", why.c_str()), 1;
  VerifyBench bench(options, **judge);
  for (const std::string& path : options.objects) bench.measure(path);
  return bench.finish() ? 0 : 1;
}

}  // namespace
}  // namespace ring3::bench

int main(int argc, char** argv) {
  ring3::bench::Options options;
  options.rounds = 5;
  CLI::App app("Time of verification of whole programs, against the machine's kernel");
  add_common_options(app, options);
  app.add_option("objects", options.objects, "object files")->required();
  CLI11_PARSE(app, argc, argv);
  return ring3::bench::run(options);
}
