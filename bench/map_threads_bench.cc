// What do two threads that work on one map do to each other, here and in the machine's kernel? Operations per second of both
// together, as multiples of one thread's: 2 is what two threads on maps of their own would do. The loops are those of
// map_ops_bench (bench/support/map_loops.h); keys of both threads are drawn from the same range.
//
//   map_threads_bench [--rounds N] [--json FILE] [NAME…]        NAME: cases whose name holds it
//
// Threads are pinned. A round is one thread alone, then two at once, for a millisecond or so, here and then in the kernel; time
// is CPU time of the threads. A round in which a thread lost its CPU to somebody else is thrown away (two threads that do not run
// at the same time are in nobody's way). Figures are medians over rounds.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/support/map_loops.h"
#include "bench/support/records.h"

namespace ring3 {
namespace {

using namespace uapi;
using bench::MapCase;
using bench::MapOp;

constexpr std::uint32_t kNoPrealloc = BPF_F_NO_PREALLOC;
const MapCase kCases[] = {
    {"hash/lookup/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kLookup},
    {"hash/update/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kUpdate},
    {"hash/update_16_bytes/1k", BPF_MAP_TYPE_HASH, 8, 16, 1024, 0, MapOp::kUpdate},
    {"hash/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete},
    {"hash/insert+delete/1k/key_4", BPF_MAP_TYPE_HASH, 4, 8, 1024, 0, MapOp::kInsertDelete},
    {"hash/insert+delete/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, 0, MapOp::kInsertDelete},
    {"hash_no_prealloc/update/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, kNoPrealloc, MapOp::kUpdate},
    {"hash_no_prealloc/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, kNoPrealloc, MapOp::kInsertDelete},
    {"hash_no_prealloc/insert+delete/1k/key_4", BPF_MAP_TYPE_HASH, 4, 8, 1024, kNoPrealloc, MapOp::kInsertDelete},
    {"hash_no_prealloc/insert+delete/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, kNoPrealloc, MapOp::kInsertDelete},
    {"percpu_hash/update/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, MapOp::kUpdate},
    {"percpu_hash/insert+delete/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete},
    {"percpu_hash_no_prealloc/insert+delete/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, kNoPrealloc, MapOp::kInsertDelete},
    {"lru_hash/lookup/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kLookup},
    {"lru_hash/update/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kUpdate},
    {"lru_hash/insert+delete/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete},
    {"lru_hash/evict/64k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 65536, 0, MapOp::kInsertNew},
    {"lru_percpu_hash/insert+delete/1k", BPF_MAP_TYPE_LRU_PERCPU_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete},
    {"lru_percpu_hash/evict/64k", BPF_MAP_TYPE_LRU_PERCPU_HASH, 8, 8, 65536, 0, MapOp::kInsertNew},
    {"lpm_trie/lookup/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kLookup},
    {"lpm_trie/update/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kUpdate},
    {"lpm_trie/insert+delete/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kInsertDelete},
    {"lpm_trie/lookup/64k/key_20", BPF_MAP_TYPE_LPM_TRIE, 20, 8, 65536, kNoPrealloc, MapOp::kLookup},
    {"lpm_trie/update/64k/key_20", BPF_MAP_TYPE_LPM_TRIE, 20, 8, 65536, kNoPrealloc, MapOp::kUpdate},
    {"queue/push+pop", BPF_MAP_TYPE_QUEUE, 0, 8, 1024, 0, MapOp::kPushPop},
    {"stack/push+pop", BPF_MAP_TYPE_STACK, 0, 8, 1024, 0, MapOp::kPushPop},
    {"ringbuf/reserve+submit/8", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 21, 0, MapOp::kRing},
};

/// Nanoseconds per operation of one thread's loop; thread: 0 or 1.
using Loop = std::function<double(std::uint32_t repeats, std::uint32_t thread)>;

/// The CPUs the two threads run on: the first two this process may use. Empty: there is only one.
std::vector<int> two_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus.size() == 2 ? cpus : std::vector<int>();
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// CPU time per operation of a thread; absent: it did not have its CPU all the while.
std::optional<double> undisturbed(const Loop& loop, std::uint32_t repeats, std::uint32_t thread) {
  const double wall = bench::monotonic_ns(), cpu = bench::thread_ns();
  const double ns = loop(repeats, thread);
  const double waited = (bench::monotonic_ns() - wall) - (bench::thread_ns() - cpu);
  return ns > 0 && waited < 0.1 * ns * bench::kMapOps * repeats ? std::optional(ns) : std::nullopt;
}

struct Round {
  double one;      // ns per operation of a thread alone
  double speedup;  // of two at once, times one thread
};

/// One thread alone and then two at once; absent: disturbed.
std::optional<Round> round_of(const Loop& loop, const std::vector<int>& cpus, std::uint32_t repeats) {
  std::optional<double> one, each[2];
  std::atomic<int> ready{0};
  const auto both = [&](std::uint32_t thread) {
    pin(cpus[thread]);
    ready.fetch_add(1);
    while (ready.load() < 2) std::this_thread::yield();
    each[thread] = undisturbed(loop, repeats, thread);
  };
  std::thread first([&] {
    pin(cpus[0]);
    loop(repeats / 8 + 1, 0);
    one = undisturbed(loop, repeats, 0);
    both(0);
  });
  std::thread second([&] { both(1); });
  first.join();
  second.join();
  if (!one || !each[0] || !each[1]) return std::nullopt;
  return Round{*one, *one / *each[0] + *one / *each[1]};
}

/// Rounds of all sides, in turns, until each has `rounds` of them or was disturbed in too many.
std::vector<std::vector<Round>> measure(const std::vector<Loop>& sides, const std::vector<int>& cpus, std::uint32_t rounds) {
  constexpr double kRoundNs = 1e6;
  std::vector<std::vector<Round>> all(sides.size());
  std::vector<std::uint32_t> repeats;
  for (const Loop& side : sides) {
    const double ns = side(16, 0);
    repeats.push_back(static_cast<std::uint32_t>(std::clamp(kRoundNs / (bench::kMapOps * std::max(ns, 1.0)), 8.0, 2000.0)));
  }
  for (std::uint32_t attempt = 0; attempt < 40 * rounds; ++attempt) {
    bool enough = true;
    for (std::size_t i = 0; i < sides.size(); ++i) {
      if (all[i].size() >= rounds) continue;
      enough = false;
      if (const auto round = round_of(sides[i], cpus, repeats[i])) all[i].push_back(*round);
    }
    if (enough) break;
  }
  return all;
}

struct Figures {
  double one_ns;
  double speedup;
};
std::optional<Figures> figures(const std::vector<Round>& rounds) {
  if (rounds.empty()) return std::nullopt;
  std::vector<double> one, speedup;
  for (const Round& r : rounds) {
    one.push_back(r.one);
    speedup.push_back(r.speedup);
  }
  return Figures{bench::median(one), bench::median(speedup)};
}

void run_case(const MapCase& c, const std::vector<int>& cpus, std::uint32_t rounds, bench::Records& records) {
  bench::MapLoop ours(c);
  bench::KernelMapLoop kernel(c);
  std::atomic<std::uint32_t> next_seed{1};
  std::vector<Loop> sides{[&](std::uint32_t repeats, std::uint32_t thread) {
    return ours.run(repeats, next_seed.fetch_add(0x9e3779b9), thread);
  }};
  if (kernel.works()) sides.push_back([&](std::uint32_t repeats, std::uint32_t) { return kernel.run_cpu(repeats); });
  const std::vector<std::vector<Round>> all = measure(sides, cpus, rounds);
  const std::optional<Figures> here = figures(all[0]), there = all.size() > 1 ? figures(all[1]) : std::nullopt;
  const auto cell = [](const std::optional<Figures>& f) { return f ? fmt::format("{:>9.1f} {:>9.2f}", f->one_ns, f->speedup) : fmt::format("{:>9} {:>9}", "-", "-"); };
  fmt::print("{:<44} {} {}{}\n", c.name, cell(here), cell(there), all[0].size() < rounds ? "  (disturbed)" : "");
  if (!here) return;
  records.add(fmt::format("map_threads/{}", c.name), here->speedup, "times one thread",
              {{"kernel", there ? std::optional(here->speedup / there->speedup) : std::nullopt},
               {"kernel_rate", there ? std::optional((here->speedup / here->one_ns) / (there->speedup / there->one_ns)) : std::nullopt}});
}

}  // namespace
}  // namespace ring3

int main(int argc, char** argv) {
  using namespace ring3;
  bench::CommonOptions options;
  std::vector<std::string> names;
  CLI::App app("What two threads on one map do to each other, here and in the machine's kernel");
  add_common_options(app, options);
  app.add_option("name", names, "only cases whose name holds one of these");
  CLI11_PARSE(app, argc, argv);
  const std::vector<int> cpus = two_cpus();
  if (cpus.empty()) {
    std::fprintf(stderr, "map_threads_bench: two CPUs are needed\n");
    return 1;
  }
  bench::Records records;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  fmt::print("{:<44} {:>19} {:>19}\n{:<44} {:>9} {:>9} {:>9} {:>9}\n", "", "here", "kernel", "", "one, ns", "two", "one, ns", "two");
  for (const MapCase& c : kCases)
    if (names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& n) { return std::string(c.name).find(n) != std::string::npos; }))
      run_case(c, cpus, options.rounds, records);
  return records.write(options.json) ? 0 : 1;
}
