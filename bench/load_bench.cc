// How fast is verification? The same programs to ring3 and, where bpf(2) works, to the machine's kernel: nanoseconds for
// each instruction that a verifier says it processed, as both report it in their logs (BPF_LOG_STATS).
//
//   load_bench [--rounds N] [--json FILE] OBJECT.o…
//
// Sides take turns in each round; a figure is the least of the rounds. Loading only: nothing is attached or run.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "adder_btf.h"
#include "bench/support/bpf_sections.h"
#include "bench/support/records.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace ring3::bench {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> objects;
};

struct Verification {
  std::uint64_t usec = 0;
  std::uint64_t insns = 0;
  double ns_per_insn() const { return 1e3 * static_cast<double>(usec) / static_cast<double>(insns); }
};

std::optional<std::uint64_t> number_behind(const std::string& log, const char* words) {
  const std::size_t at = log.find(words);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(log.c_str() + at + std::strlen(words), nullptr, 10);
}

/// Bpf: long(int cmd, bpf_attr*, size). Absent: it does not load there.
/// log: what the verifier said.
template <typename Bpf>
std::optional<Verification> verify_once(const std::vector<isa::RawInsn>& insns, std::string& log, Bpf bpf) {
  log.assign(4096, '\0');
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  attr.prog_type = uapi::BPF_PROG_TYPE_XDP;
  attr.insns = reinterpret_cast<std::uintptr_t>(insns.data());
  attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.license = reinterpret_cast<std::uintptr_t>("GPL");
  attr.log_level = 4;  // BPF_LOG_STATS
  attr.log_buf = reinterpret_cast<std::uintptr_t>(log.data());
  attr.log_size = static_cast<std::uint32_t>(log.size());
  const long fd = bpf(uapi::BPF_PROG_LOAD, &attr, std::uint32_t{sizeof attr});
  log.resize(log.find('\0'));
  if (fd < 0) return std::nullopt;
  ::close(static_cast<int>(fd));
  const auto usec = number_behind(log, "verification time "), count = number_behind(log, "processed ");
  if (!usec || !count || *count == 0) return std::nullopt;
  return Verification{*usec, *count};
}

class LoadBench {
 public:
  LoadBench(const Options& options, Runtime& runtime) : options_(options), runtime_(runtime) {
    fmt::print("{:<18} {:>9} {:>12} {:>9} {:>12} {:>7}\n", "program", "insns", "ns/insn", "kernel", "ns/insn", "ratio");
  }

  void measure(const BpfSection& program) {
    std::optional<Verification> ours, kernel;
    std::string our_log, kernel_log;
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      keep_least(ours, verify_once(program.insns, our_log, [&](auto... call) { return runtime_.bpf(call...); }));
      keep_least(kernel, verify_once(program.insns, kernel_log, [](auto... call) { return ::syscall(SYS_bpf, call...); }));
    }
    if (!ours) {
      fmt::print("{:<18} {}\n", program.name, kernel ? "refused, but the kernel takes it: " + our_log : "refused by both");
      failed_ = failed_ || kernel;
      return;
    }
    if (ours->insns < kLeastInsns) return;  // microseconds say nothing about it
    fmt::print("{:<18} {:>9} {:>12.1f}", program.name, ours->insns, ours->ns_per_insn());
    Records::Ratios ratios;
    if (kernel) {
      const double ratio = ours->ns_per_insn() / kernel->ns_per_insn();
      const double whole = static_cast<double>(ours->usec) / static_cast<double>(kernel->usec);
      fmt::print(" {:>9} {:>12.1f} {:>7.2f}", kernel->insns, kernel->ns_per_insn(), ratio);
      ratios = {{"kernel", ratio}, {"kernel_whole", whole}};
      insn_ratios_.add(ratio);
      whole_ratios_.add(whole);
    }
    fmt::print("\n");
    records_.add("load/" + program.name, ours->ns_per_insn(), "ns/insn", std::move(ratios));
  }

  /// True: all loaded, and the file (if any) is written.
  bool finish() {
    if (const auto ratio = insn_ratios_.value()) {
      fmt::print("geometric mean to the kernel: {:.2f} for an instruction, {:.2f} for a program\n", *ratio, *whole_ratios_.value());
      records_.add("load/geomean_vs_kernel", *ratio, "ratio");
    } else {
      fmt::print("bpf(2) does not load programs here: no ratio\n");
    }
    return records_.write(options_.json) && !failed_;
  }

 private:
  static constexpr std::uint64_t kLeastInsns = 500;

  static void keep_least(std::optional<Verification>& least, const std::optional<Verification>& one) {
    if (one && (!least || one->usec < least->usec)) least = one;
  }

  const Options& options_;
  Runtime& runtime_;
  Records records_;
  Geomean insn_ratios_, whole_ratios_;
  bool failed_ = false;
};

int run(const Options& options) {
  RuntimeOptions runtime_options;
  runtime_options.name = "bench";
  runtime_options.btf = adder_btf;
  Result<std::unique_ptr<Runtime>> runtime = Runtime::create(runtime_options);
  if (!runtime.ok()) return std::fprintf(stderr, "load_bench: no runtime\n"), 1;
  LoadBench bench(options, **runtime);
  for (const std::string& path : options.objects) {
    const std::vector<BpfSection> programs = read_bpf_sections(path);
    if (programs.empty()) return std::fprintf(stderr, "load_bench: %s: no object with sections xdp/NAME\n", path.c_str()), 1;
    for (const BpfSection& program : programs) bench.measure(program);
  }
  return bench.finish() ? 0 : 1;
}

}  // namespace
}  // namespace ring3::bench

int main(int argc, char** argv) {
  ring3::bench::Options options;
  CLI::App app("Time of verification, an instruction, against the machine's kernel");
  add_common_options(app, options);
  app.add_option("objects", options.objects, "objects with sections xdp/NAME")->required();
  CLI11_PARSE(app, argc, argv);
  return ring3::bench::run(options);
}
