// How long does the verifier take for real objects, against the machine's kernel? The same programs of the same object files to
// both, through the same libbpf and judged by the same types (the machine's); times and counts are those that both report.
//
//   verify_bench [--rounds N] [--json FILE] OBJECT.o…
//
// Sides take turns in each round; a figure is the least of the rounds. Programs that either refuses or that the kernel processes
// in fewer than 1,000 instructions are left out of the means. Loading only: nothing is attached or run.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

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

struct Figures {
  double usec = 0;
  std::uint64_t insns = 0;
  std::uint64_t memory_bytes = 0;
};
using Measured = std::map<std::string, Figures>;  // by program; those that were accepted

std::optional<std::uint64_t> number_behind(const std::string& log, const char* words) {
  const std::size_t at = log.find(words);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(log.c_str() + at + std::strlen(words), nullptr, 10);
}

void keep_least(Measured& least, const std::string& program, const Figures& figures) {
  const auto [at, fresh] = least.try_emplace(program, figures);
  if (!fresh && figures.usec < at->second.usec) at->second = figures;
}

/// One program of the object in the machine's kernel; as cli::verify_object() does it.
std::optional<Figures> by_kernel(const std::string& path, const std::string& name) {
  static std::vector<char> log(1 << 16);
  const std::unique_ptr<bpf_object, void (*)(bpf_object*)> object(bpf_object__open(path.c_str()), bpf_object__close);
  if (object == nullptr) return std::nullopt;
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object.get(), program)) != nullptr) {
    const bool it = name == bpf_program__name(program);
    bpf_program__set_autoload(program, it);
    if (!it) continue;
    log[0] = '\0';
    bpf_program__set_log_buf(program, log.data(), log.size());
    bpf_program__set_log_level(program, 4);  // BPF_LOG_STATS
    cli::name_kind(*program);
  }
  bpf_map* map = nullptr;
  while ((map = bpf_object__next_map(object.get(), map)) != nullptr) bpf_map__set_pin_path(map, nullptr);
  if (bpf_object__load(object.get()) != 0) return std::nullopt;
  const std::string text(log.data());
  const auto usec = number_behind(text, "verification time "), insns = number_behind(text, "processed ");
  if (!usec || !insns) return std::nullopt;
  return Figures{static_cast<double>(*usec), *insns, 0};
}

class VerifyBench {
 public:
  VerifyBench(const Options& options, cli::Judge& judge) : options_(options), judge_(judge) {
    fmt::print("{:<42} {:>8} {:>8} {:>6} {:>10} {:>10} {:>6} {:>8}\n", "program", "insns", "kernel", "ratio", "us", "kernel us",
               "ratio", "KiB");
  }

  void measure(const std::string& path) {
    const std::string file = path.substr(path.find_last_of('/') + 1);
    Measured ours, kernel;
    const double start = monotonic_ns();
    for (std::uint32_t round = 0; round < options_.rounds && (round == 0 || monotonic_ns() - start < kMostNs); ++round) {
      std::vector<cli::ProgramRecord> records;
      cli::VerifyRequest request;
      request.object_path = path;
      if (const auto failure = cli::verify_object(request, judge_, records)) {
        fmt::print("{:<42} {}\n", file, failure->words);
        return;
      }
      libbpf_set_print(nullptr);
      for (const cli::ProgramRecord& record : records) {
        if (record.verdict == cli::Verdict::kAccepted)
          keep_least(ours, record.name, {static_cast<double>(record.stats.time_ns) / 1e3, record.stats.insns_processed, record.stats.peak_memory_bytes});
        if (const auto figures = by_kernel(path, record.name)) keep_least(kernel, record.name, *figures);
        else if (round == 0 && record.verdict == cli::Verdict::kAccepted) ++only_ours_;
        if (round == 0 && record.verdict != cli::Verdict::kAccepted) refused_.push_back(file + "/" + record.name);
      }
    }
    for (const auto& [program, theirs] : kernel) {
      const auto own = ours.find(program);
      if (own != ours.end() && theirs.insns >= kLeastInsns) compare(file.substr(0, file.find('.')) + "/" + program, own->second, theirs);
    }
    for (const std::string& name : refused_)
      if (const std::string program = name.substr(name.find('/') + 1); name.starts_with(file) && kernel.contains(program)) {
        fmt::print("{:<42} refused, but the kernel takes it\n", name);
        ++only_kernel_;
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
  std::vector<std::string> refused_;
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
