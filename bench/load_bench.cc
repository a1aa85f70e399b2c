// How fast is verification? The same programs to ring3 and, where bpf(2) works, to the machine's kernel: nanoseconds for
// each instruction that a verifier says it processed, as both report it in their logs (BPF_LOG_STATS).
//
//   load_bench [--rounds N] [--json FILE] OBJECT.o…
//
// Sides take turns in each round; a figure is the least of the rounds. Loading only: nothing is attached or run.
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "adder_btf.h"
#include "bench/support/bpf_sections.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace ring3::bench {
namespace {

struct Options {
  std::uint32_t rounds = 9;
  std::string json;
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
    json_ += fmt::format("{{\"name\": \"load/{}\", \"value\": {:.2f}, \"unit\": \"ns/insn\"", program.name, ours->ns_per_insn());
    if (kernel) {
      const double ratio = ours->ns_per_insn() / kernel->ns_per_insn();
      const double whole = static_cast<double>(ours->usec) / static_cast<double>(kernel->usec);
      fmt::print(" {:>9} {:>12.1f} {:>7.2f}", kernel->insns, kernel->ns_per_insn(), ratio);
      json_ += fmt::format(", \"ratio_to\": {{\"kernel\": {:.4f}, \"kernel_whole\": {:.4f}}}", ratio, whole);
      log_ratios_ += std::log(ratio);
      log_wholes_ += std::log(whole);
      ++ratios_;
    }
    fmt::print("\n");
    json_ += "},\n";
  }

  /// True: all loaded, and the file (if any) is written.
  bool finish() {
    if (ratios_ > 0) {
      const double ratio = std::exp(log_ratios_ / ratios_), whole = std::exp(log_wholes_ / ratios_);
      fmt::print("geometric mean to the kernel: {:.2f} for an instruction, {:.2f} for a program\n", ratio, whole);
      json_ += fmt::format("{{\"name\": \"load/geomean_vs_kernel\", \"value\": {:.4f}, \"unit\": \"ratio\"}},\n", ratio);
    } else {
      fmt::print("bpf(2) does not load programs here: no ratio\n");
    }
    if (options_.json.empty()) return !failed_;
    std::ofstream out(options_.json);
    out << "[\n" << json_.substr(0, json_.size() < 2 ? 0 : json_.size() - 2) << "\n]\n";
    return out.good() && !failed_;
  }

 private:
  static constexpr std::uint64_t kLeastInsns = 500;

  static void keep_least(std::optional<Verification>& least, const std::optional<Verification>& one) {
    if (one && (!least || one->usec < least->usec)) least = one;
  }

  const Options& options_;
  Runtime& runtime_;
  std::string json_;
  double log_ratios_ = 0, log_wholes_ = 0;
  int ratios_ = 0;
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
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (args[i] == "--rounds" && has_value) options.rounds = static_cast<std::uint32_t>(std::atoi(args[++i].c_str()));
    else if (args[i] == "--json" && has_value) options.json = args[++i];
    else if (args[i].rfind("--", 0) != 0) options.objects.push_back(args[i]);
    else return std::fprintf(stderr, "load_bench: unknown option %s\n", args[i].c_str()), 2;
  }
  return ring3::bench::run(options);
}
