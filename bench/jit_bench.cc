// How fast is compiled code, and how fast is compiling? Small programs (bench/programs), the same bytes on the
// interpreter, the baseline compiler and, where bpf(2) works, the machine's kernel by BPF_PROG_TEST_RUN; beside them the same
// C compiled for this machine (-O2).
//
//   jit_bench [--rounds N] [--filter TEXT] [--json FILE] [--dump NAME] [--compile-only] OBJECT.o…
//
// Engines take turns in each round, in an order that moves on from round to round; a figure is the median of the rounds, and a
// ratio the median of the rounds' ratios, with its quartiles beside it and the ratio of the fastest rounds: what swings by
// noise has quartiles far apart. Where the kernel puts a program changes its speed, so it is loaded anew every few rounds, and
// so is ours. User code is timed by the CPU time of the thread, the kernel by itself. All engines have to give one result.
//
// Compiling is everything from the rewritten program to code that can be entered. Its fixed part is what the program
// "empty" takes, of two instructions; the part an instruction takes is what remains of all programs, by their instructions.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/support/bpf_sections.h"
#include "bench/support/kernel_program.h"
#include "bench/support/native_programs.h"
#include "bench/support/records.h"
#include "exec/jit.h"
#include "isa/decode.h"

namespace ring3::bench {
namespace {

constexpr std::size_t kPacketBytes = 1024;
constexpr double kRoundNs = 1e6;
constexpr std::uint32_t kRoundsOfOneLoad = 4;

struct Options : CommonOptions {
  std::string filter, dump;
  bool compile_only = false;
  std::vector<std::string> objects;
};

/// What programs see: the ABI's 32-bit pointers, which user memory below 4 GiB fits.
struct Context {
  std::uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

class LowPacket {
 public:
  LowPacket() {
    memory_ = static_cast<std::uint8_t*>(mmap(nullptr, kPacketBytes, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
    fill();
  }
  ~LowPacket() { munmap(memory_, kPacketBytes); }
  LowPacket(const LowPacket&) = delete;
  LowPacket& operator=(const LowPacket&) = delete;

  bool ok() const { return memory_ != MAP_FAILED; }
  void fill() {
    std::uint32_t state = 12345;
    for (std::size_t i = 0; i < kPacketBytes; ++i) {
      state = state * 1664525 + 1013904223;
      memory_[i] = static_cast<std::uint8_t>(state >> 24);
    }
  }
  std::span<const std::uint8_t> bytes() const { return {memory_, kPacketBytes}; }
  Context context() const {
    const auto at = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(memory_));
    return {at, at + static_cast<std::uint32_t>(kPacketBytes), at, 0, 0, 0};
  }

 private:
  std::uint8_t* memory_;
};

/// The frame a program needs: how far it reaches below r10, directly or by a constant added to a copy.
std::uint32_t stack_bytes(std::span<const isa::Insn> insns) {
  std::int64_t lowest = 0;
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const isa::Insn& insn = insns[i];
    const bool loads = insn.op == isa::Op::kLoad || insn.op == isa::Op::kLoadSx;
    if ((loads && insn.src == 10) || (insn.op >= isa::Op::kStore && insn.dst == 10))
      lowest = std::min<std::int64_t>(lowest, insn.off);
    if (i > 0 && insn.op == isa::Op::kAdd && !insn.src_is_reg && insns[i - 1].op == isa::Op::kMov && insns[i - 1].src == 10)
      lowest = std::min(lowest, insn.imm);
  }
  return static_cast<std::uint32_t>(std::min<std::int64_t>(-lowest, isa::kMaxStackBytes));
}

struct Program {
  std::string name;
  std::vector<isa::RawInsn> raw;
  std::shared_ptr<const rewrite::XlatedProgram> xlated;
  std::unique_ptr<exec::Code> interpreter, jit;
  std::optional<KernelProgram> kernel;
  NativeProgram native = nullptr;
  double interpreter_ns = 0, jit_ns = 0, kernel_ns = 0, native_ns = 0, compile_ns = 0;
  struct {
    double median = 0, low = 0, high = 0, best = 0;  // the quartiles; of the fastest rounds
  } to_kernel;
  std::size_t code_bytes = 0;
  std::string problem;
};

std::shared_ptr<const rewrite::XlatedProgram> decode(const std::vector<isa::RawInsn>& raw) {
  auto insns = isa::decode(raw);
  if (!insns) return nullptr;
  auto out = std::make_shared<rewrite::XlatedProgram>();
  out->insns = std::move(insns).value();
  out->subprogs = {{0, static_cast<std::uint32_t>(out->insns.size()), stack_bytes(out->insns)}};
  for (std::uint32_t i = 0; i < out->insns.size(); ++i) out->original_idx.push_back(i);
  return out;
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), jit_(exec::make_jit(memory_)), interpreter_(exec::make_interpreter()) {}

  bool load(const std::string& path) {
    const auto sections = read_bpf_sections(path);
    for (const BpfSection& section : sections) {
      if (section.name.find(options_.filter) == std::string::npos) continue;
      Program p;
      p.name = section.name;
      p.raw = section.insns;
      p.xlated = decode(p.raw);
      if (p.xlated == nullptr) return false;
      p.interpreter = interpreter_->compile(p.xlated).value();
      p.jit = jit_->compile(p.xlated).value();
      p.code_bytes = p.jit->listing().bytes.size();
      if (!options_.compile_only) p.kernel = KernelProgram::load(p.raw);
      p.native = find_native_program(p.name);
      if (p.name == options_.dump) dump(p);
      check(p);
      measure_compile(p);
      programs_.push_back(std::move(p));
    }
    return !sections.empty();
  }

  void measure() {
    if (options_.compile_only) return;
    for (Program& p : programs_) measure_runs(p);
  }

  void report(std::string_view object) {
    fmt::print("{}\n{:<16} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>11} {:>6} {:>8} {:>8}\n", object, "program", "insns", "bytes",
               "interp ns", "jit ns", "kernel ns", "native ns", "jit/K", "quartiles", "best", "jit/int", "ns/insn");
    Geomean slow_ratios, all_ratios;
    for (const Program& p : programs_) {
      const double to_kernel = p.to_kernel.median;
      fmt::print("{:<16} {:>6} {:>6} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f} {:>7.3f} {:>5.2f}-{:>5.2f} {:>6.2f} {:>8.3f} {:>8.1f} {}\n",
                 p.name, p.raw.size(), p.code_bytes, p.interpreter_ns, p.jit_ns, p.kernel_ns, p.native_ns, to_kernel,
                 p.to_kernel.low, p.to_kernel.high, p.to_kernel.best, p.jit_ns / p.interpreter_ns,
                 p.compile_ns / static_cast<double>(p.raw.size()), p.problem);
      if (to_kernel <= 0) continue;
      all_ratios.add(to_kernel);
      if (p.kernel_ns > 100) slow_ratios.add(to_kernel);
    }
    if (const auto all = all_ratios.value()) fmt::print("geomean jit/kernel, {} programs: {:.3f}\n", all_ratios.count(), *all);
    if (const auto slow = slow_ratios.value()) {
      fmt::print("geomean jit/kernel, {} programs above 100 ns in the kernel: {:.3f}\n", slow_ratios.count(), *slow);
      // micro_v3: the row is of cpu v3
      records_.add(fmt::format("engine/geomean/baseline_vs_kernel/{}", object.substr(object.rfind('_') + 1)), *slow, "ratio");
    }
    const auto worst = std::max_element(programs_.begin(), programs_.end(), [](const Program& a, const Program& b) { return a.to_kernel.median < b.to_kernel.median; });
    if (worst != programs_.end() && worst->to_kernel.median > 0) {
      fmt::print("worst: {} {:.3f} (quartiles {:.3f} to {:.3f}, fastest rounds {:.3f})\n", worst->name, worst->to_kernel.median,
                 worst->to_kernel.low, worst->to_kernel.high, worst->to_kernel.best);
      records_.add(fmt::format("engine/worst/baseline_vs_kernel/{}", object.substr(object.rfind('_') + 1)), worst->to_kernel.median, "ratio");
    }
    report_compiling(object.substr(object.rfind('_') + 1));
    for (const Program& p : programs_) record(object, p);
    programs_.clear();
  }

  bool write_json() const { return records_.write(options_.json); }

 private:
  void report_compiling(std::string_view isa_version) {
    const auto shortest = std::min_element(programs_.begin(), programs_.end(), [](const Program& a, const Program& b) { return a.raw.size() < b.raw.size(); });
    if (programs_.size() < 2) return;
    const double fixed_ns = shortest->compile_ns;
    double whole_ns = 0;
    std::size_t insns = 0;
    for (const Program& p : programs_) {
      whole_ns += p.compile_ns;
      insns += p.raw.size();
    }
    const auto more_insns = static_cast<double>(insns - programs_.size() * shortest->raw.size());
    const double insn_ns = (whole_ns - static_cast<double>(programs_.size()) * fixed_ns) / more_insns;
    fmt::print("compiling: {:.1f} ns an instruction, {:.1f} us once a program; together {:.1f} ns an instruction\n", insn_ns,
               fixed_ns / 1e3, whole_ns / static_cast<double>(insns));
    records_.add(fmt::format("engine/compile/per_insn/{}", isa_version), insn_ns, "ns");
    records_.add(fmt::format("engine/compile/fixed/{}", isa_version), fixed_ns, "ns");
    records_.add(fmt::format("engine/compile/whole_per_insn/{}", isa_version), whole_ns / static_cast<double>(insns), "ns");
  }

  void record(std::string_view object, const Program& p) {
    const auto to = [&p](double ns) { return ns > 0 ? std::optional(p.jit_ns / ns) : std::nullopt; };
    const auto if_any = [](double ratio) { return ratio > 0 ? std::optional(ratio) : std::nullopt; };
    records_.add(fmt::format("jit/{}/{}", object, p.name), p.jit_ns, "ns",
                 {{"kernel", if_any(p.to_kernel.median)}, {"interpreter", to(p.interpreter_ns)}, {"native", to(p.native_ns)},
                  {"kernel_low_quartile", if_any(p.to_kernel.low)}, {"kernel_high_quartile", if_any(p.to_kernel.high)},
                  {"kernel_fastest", if_any(p.to_kernel.best)}});
  }

  std::uint64_t run(const exec::Code& code) {
    Context context = packet_.context();
    exec::RunContext run;
    return code.run(run, &context);
  }

  void check(Program& p) {
    packet_.fill();
    const auto want = static_cast<std::uint32_t>(run(*p.interpreter));
    packet_.fill();
    if (static_cast<std::uint32_t>(run(*p.jit)) != want) p.problem += "  THE COMPILER DISAGREES";
    packet_.fill();
    Context context = packet_.context();
    if (p.native != nullptr && static_cast<std::uint32_t>(p.native(&context)) != want) p.problem += "  NATIVE CODE DISAGREES";
    packet_.fill();
    const auto kernel = p.kernel ? p.kernel->run(packet_.bytes(), 1) : std::nullopt;
    if (kernel && kernel->result != want) p.problem += "  THE KERNEL DISAGREES";
    if (p.kernel && !kernel) p.problem += "  does not run in the kernel";
  }

  void measure_compile(Program& p) {
    std::vector<double> samples;
    for (std::uint32_t i = 0; i < 2 * options_.rounds; ++i) {
      const double start = thread_ns();
      auto code = jit_->compile(p.xlated);
      samples.push_back(thread_ns() - start);
    }
    p.compile_ns = median(samples);
  }

  template <typename Run>
  static double time_of(std::uint64_t count, Run run) {
    const double start = thread_ns();
    for (std::uint64_t i = 0; i < count; ++i) run();
    return (thread_ns() - start) / static_cast<double>(count);
  }
  double time_runs(const exec::Code& code, std::uint64_t count) {
    Context context = packet_.context();
    exec::RunContext run;
    return time_of(count, [&] { code.run(run, &context); });
  }
  double time_runs(NativeProgram native, std::uint64_t count) {
    Context context = packet_.context();
    return time_of(count, [&] { native(&context); });
  }

  std::uint64_t runs_for(const exec::Code& code) {
    const double ns = std::max(time_runs(code, 20), 1.0);
    return static_cast<std::uint64_t>(kRoundNs / ns) + 1;
  }

  /// New places for the code of both compilers.
  void reload(Program& p) {
    p.jit = jit_->compile(p.xlated).value();
    if (!p.kernel) return;
    if (auto again = KernelProgram::load(p.raw)) p.kernel = std::move(again);
  }

  void measure_runs(Program& p) {
    const std::uint64_t interpreter_runs = runs_for(*p.interpreter), jit_runs = runs_for(*p.jit);
    std::vector<double> interpreter, jit, kernel, native, ratios;
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      if (round % kRoundsOfOneLoad == 0) reload(p);
      bool kernel_ran = false;
      for (std::uint32_t turn = 0; turn < 4; ++turn) switch ((round + turn) % 4) {
          case 0: interpreter.push_back(time_runs(*p.interpreter, interpreter_runs)); break;
          case 1: jit.push_back(time_runs(*p.jit, jit_runs)); break;
          case 2:
            if (const auto k = p.kernel ? p.kernel->run(packet_.bytes(), static_cast<std::uint32_t>(jit_runs)) : std::nullopt) {
              kernel.push_back(k->ns);
              kernel_ran = true;
            }
            break;
          default:
            if (p.native != nullptr) native.push_back(time_runs(p.native, jit_runs));
        }
      if (kernel_ran) ratios.push_back(jit.back() / kernel.back());
    }
    p.interpreter_ns = median(interpreter);
    p.jit_ns = median(jit);
    p.kernel_ns = median(kernel);
    p.native_ns = median(native);
    if (ratios.empty()) return;
    std::sort(ratios.begin(), ratios.end());
    p.to_kernel = {median(ratios), ratios[ratios.size() / 4], ratios[ratios.size() * 3 / 4],
                   *std::min_element(jit.begin(), jit.end()) / *std::min_element(kernel.begin(), kernel.end())};
  }

  /// The machine code to NAME.bin, for a disassembler.
  static void dump(const Program& p) {
    const auto bytes = p.jit->listing().bytes;
    std::ofstream(p.name + ".bin", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()),
                                                           static_cast<std::streamsize>(bytes.size()));
  }

  const Options& options_;
  exec::CodeMemory memory_;
  std::unique_ptr<exec::Engine> jit_, interpreter_;
  LowPacket packet_;
  std::vector<Program> programs_;
  Records records_;
};

int run(const Options& options) {
  if (!exec::jit_available()) {
    fmt::print("skipped: no compiler for this machine\n");
    return 0;
  }
  Bench bench(options);
  for (const std::string& object : options.objects) {
    if (!bench.load(object)) {
      fmt::print(stderr, "jit_bench: {} holds no program\n", object);
      return 1;
    }
    bench.measure();
    std::string name = object.substr(object.rfind('/') + 1);
    bench.report(name.substr(0, name.find('.')));
  }
  return bench.write_json() ? 0 : 1;
}

}  // namespace
}  // namespace ring3::bench

int main(int argc, char** argv) {
  ring3::bench::Options options;
  options.rounds = 25;
  CLI::App app("Time of compiled programs and of compiling them, against the interpreter, the machine's kernel and native code");
  add_common_options(app, options);
  app.add_option("--filter", options.filter, "only programs whose name contains TEXT")->type_name("TEXT");
  app.add_flag("--compile-only", options.compile_only, "measure compiling, not running");
  app.add_option("--dump", options.dump, "write NAME's machine code to NAME.bin")->type_name("NAME");
  app.add_option("objects", options.objects, "objects with sections xdp/NAME")->required();
  CLI11_PARSE(app, argc, argv);
  return ring3::bench::run(options);
}
