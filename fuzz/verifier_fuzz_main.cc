// Runs the verifier's fuzz target on programs made of random bytes, without a fuzzing engine: for a number of seconds, or of
// programs. A finding ends it by abort(), after the program in text and the seed that leads to it.
//
//   ring3-verifier-fuzz [--seconds N] [--programs N] [--seed N] [--kernel] [--show]
#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unistd.h>
#include <vector>

#include "fuzz/support/counts.h"
#include "fuzz/support/kernel_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMostBytes = 640;
std::uint64_t current_seed = 0;

void say_seed(int) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "found by --seed %llu --programs 1\n", static_cast<unsigned long long>(current_seed));
  (void)!::write(STDERR_FILENO, text, static_cast<std::size_t>(length));
}

}  // namespace

/// Called by the address sanitizer before its report.
extern "C" void __asan_on_error();
extern "C" void __asan_on_error() { say_seed(0); }

namespace {

std::vector<std::uint8_t> random_input(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> bytes(1 + random() % kMostBytes);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  // Mostly syscall programs, which can be run, and nearly right ones: slots of random bytes rarely are a program.
  const std::uint64_t kind = random() % 16;
  if (kind != 0) bytes[0] = static_cast<std::uint8_t>((bytes[0] & ~31u) | (kind < 3 ? 1u : kind < 7 ? 16u : 17u) | (bytes[0] & 8u));
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 0;
  std::uint64_t programs = 0, seed = 1;
  CLI::App app("Random programs against the verifier's oracles");
  app.add_option("--seconds", seconds, "how long");
  app.add_option("--programs", programs, "how many");
  app.add_option("--seed", seed, "the first one; each program has the next")->capture_default_str();
  bool kernel = false;
  app.add_flag("--kernel", kernel, "ask the machine's kernel too, where bpf(2) loads programs");
  app.add_flag("--show", ring3::fuzz::counts().show, "print each program and what the verifier says of it");
  CLI11_PARSE(app, argc, argv);
  std::string why;
  if (kernel && (ring3::fuzz::kernel_oracle() = ring3::fuzz::KernelOracle::make(why)) == nullptr) std::printf("without the kernel: %s\n", why.c_str());
  if (seconds == 0 && programs == 0) programs = 1000;
  std::signal(SIGABRT, say_seed);
  const auto start = std::chrono::steady_clock::now();
  const auto spent = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  for (std::uint64_t n = 0; (programs == 0 || n < programs) && (seconds == 0 || spent() < seconds); ++n) {
    ring3::fuzz::counts().seed = current_seed = seed + n;
    const std::vector<std::uint8_t> input = random_input(current_seed);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  const ring3::fuzz::Counts& all = ring3::fuzz::counts();
  std::printf("%.0f s, seeds %llu to %llu: %llu programs, %llu accepted, %llu runs of %llu steps inside their states, %llu edits (%llu excused)\n"
              "  full of loops: %llu, of which %llu accepted; longest run %llu steps; not walked whole: %llu, and widened there: %llu; run by the engines: %llu\n", spent(),
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(current_seed), static_cast<unsigned long long>(all.programs),
              static_cast<unsigned long long>(all.accepted), static_cast<unsigned long long>(all.runs),
              static_cast<unsigned long long>(all.steps), static_cast<unsigned long long>(all.edits),
              static_cast<unsigned long long>(all.excused), static_cast<unsigned long long>(all.loops),
              static_cast<unsigned long long>(all.loops_accepted), static_cast<unsigned long long>(all.longest_run),
              static_cast<unsigned long long>(all.too_long), static_cast<unsigned long long>(all.widened), static_cast<unsigned long long>(all.engine_runs));
  if (ring3::fuzz::kernel_oracle() != nullptr) ring3::fuzz::kernel_oracle()->print();
  return 0;
}
