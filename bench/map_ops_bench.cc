// What does a map operation cost a program, here and in the machine's kernel? The same loop on both sides
// (bench/support/map_loops.h), its own cost subtracted. A third side, where there is one, is the usual container of the language,
// without any concurrency. What two threads do to each other is for map_threads_bench.
//
//   map_ops_bench [--rounds N] [--json FILE] [NAME…]        NAME: cases whose name holds it
//
// Rounds are interleaved, figures are medians over rounds; `ratio` is here / kernel of the same run.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "bench/support/map_loops.h"
#include "bench/support/records.h"

namespace ring3 {
namespace {

using namespace uapi;
using bench::median;
using bench::thread_ns;
using bench::kMapOps;
using bench::KernelMapLoop;
using bench::map_key;
using bench::MapCase;
using bench::MapLoop;
using bench::MapOp;
using bench::next_number;

struct Case : MapCase {
  bool peer;
};

// Every key of the loop is in the map, but for insert and delete, whose keys are not.
constexpr std::uint32_t kNoPrealloc = BPF_F_NO_PREALLOC;
const Case kCases[] = {
    {{"array/lookup/1k", BPF_MAP_TYPE_ARRAY, 4, 8, 1024, 0, MapOp::kLookup}, true},
    {{"array/update/1k", BPF_MAP_TYPE_ARRAY, 4, 8, 1024, 0, MapOp::kUpdate}, true},
    {{"percpu_array/lookup/1k", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1024, 0, MapOp::kLookup}, false},
    {{"hash/lookup/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kLookup}, true},
    {{"hash/lookup/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, 0, MapOp::kLookup}, true},
    {{"hash/update/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kUpdate}, true},
    {{"hash/update/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, 0, MapOp::kUpdate}, true},
    {{"hash/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete}, true},
    {{"hash_no_prealloc/lookup/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, kNoPrealloc, MapOp::kLookup}, true},
    {{"hash_no_prealloc/update/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, kNoPrealloc, MapOp::kUpdate}, true},
    {{"hash_no_prealloc/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, kNoPrealloc, MapOp::kInsertDelete}, true},
    {{"percpu_hash/lookup/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, MapOp::kLookup}, false},
    {{"percpu_hash/update/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, MapOp::kUpdate}, false},
    {{"lru_hash/lookup/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kLookup}, false},
    {{"lru_hash/lookup/64k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 65536, 0, MapOp::kLookup}, false},
    {{"lru_hash/update/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kUpdate}, false},
    {{"lru_hash/insert+delete/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, MapOp::kInsertDelete}, false},
    {{"lpm_trie/lookup/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kLookup}, false},
    {{"lpm_trie/lookup/64k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 65536, kNoPrealloc, MapOp::kLookup}, false},
    {{"lpm_trie/lookup/1k/key_20", BPF_MAP_TYPE_LPM_TRIE, 20, 8, 1024, kNoPrealloc, MapOp::kLookup}, false},
    {{"lpm_trie/lookup/64k/key_20", BPF_MAP_TYPE_LPM_TRIE, 20, 8, 65536, kNoPrealloc, MapOp::kLookup}, false},
    {{"lpm_trie/update/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kUpdate}, false},
    {{"lpm_trie/update/64k/key_20", BPF_MAP_TYPE_LPM_TRIE, 20, 8, 65536, kNoPrealloc, MapOp::kUpdate}, false},
    {{"lpm_trie/insert+delete/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, MapOp::kInsertDelete}, false},
    {{"queue/push+pop", BPF_MAP_TYPE_QUEUE, 0, 8, 1024, 0, MapOp::kPushPop}, false},
    {{"ringbuf/reserve+submit/8", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20, 0, MapOp::kRing}, false},
};

// The usual container.

class Peer {
 public:
  explicit Peer(const Case& c) : c_(c) {
    array_.resize(c.entries);
    if (c.op != MapOp::kInsertDelete && c.type != BPF_MAP_TYPE_ARRAY)
      for (std::uint32_t i = 0; i < c.entries; ++i) hash_[map_key(c, i << 8).words[0]] = i;
    hash_.reserve(c.entries);
  }
  double run(std::uint32_t repeats) {
    std::uint32_t state = 1;
    const double start = thread_ns();
    for (std::uint32_t r = 0; r < repeats; ++r)
      for (std::uint32_t i = 0; i < kMapOps; ++i) step(map_key(c_, next_number(state)).words[0]);
    return (thread_ns() - start) / kMapOps / repeats;
  }

 private:
  void step(std::uint64_t key) {
    asm volatile("" : : "r"(&key) : "memory");
    if (c_.type == BPF_MAP_TYPE_ARRAY) {
      auto& v = array_[key & (c_.entries - 1)];
      if (c_.op == MapOp::kUpdate) v = key;
      asm volatile("" : : "r"(&v) : "memory");
    } else if (c_.op == MapOp::kLookup) {
      asm volatile("" : : "r"(hash_.find(key) != hash_.end()));
    } else if (c_.op == MapOp::kUpdate) {
      hash_[key] = key;
    } else {
      hash_.emplace(key, key);
      hash_.erase(key);
    }
  }
  const Case& c_;
  std::vector<std::uint64_t> array_;
  std::unordered_map<std::uint64_t, std::uint64_t> hash_;
};

/// Nanoseconds for an operation, by side.
struct Figures {
  double ours;
  std::optional<double> kernel, peer;
};

Figures measure(const Case& c, std::uint32_t rounds) {
  const MapCase nothing{"loop", c.type, c.key_bytes, c.value_bytes, c.entries, c.flags, MapOp::kNothing};
  MapLoop ours(c), base(nothing);
  KernelMapLoop kernel(c), kernel_base(nothing);
  Peer peer(c);
  std::vector<double> mine, theirs, usual;
  constexpr std::uint32_t kRepeats = 400;
  ours.run(40);
  for (std::uint32_t r = 0; r < rounds; ++r) {
    const double loop = base.run(kRepeats);
    mine.push_back(ours.run(kRepeats) - loop);
    if (kernel.works()) theirs.push_back(kernel.run(kRepeats) - kernel_base.run(kRepeats));
    if (c.peer) usual.push_back(peer.run(kRepeats) - loop);
  }
  const auto figure = [](const std::vector<double>& ns) { return ns.empty() ? std::nullopt : std::optional(median(ns)); };
  return {median(mine), figure(theirs), figure(usual)};
}

void report(const Case& c, const Figures& f, bench::Records& records) {
  const auto cell = [](std::optional<double> value, const char* form) { return value ? fmt::format(fmt::runtime(form), *value) : "-"; };
  const auto to = [&f](std::optional<double> ns) { return ns && *ns > 0 ? std::optional(f.ours / *ns) : std::nullopt; };
  fmt::print("{:<36} {:>9.1f} {:>9} {:>7} {:>9}\n", c.name, f.ours, cell(f.kernel, "{:.1f}"), cell(to(f.kernel), "{:.2f}"),
             cell(f.peer, "{:.1f}"));
  records.add(fmt::format("map_ops/{}", c.name), f.ours, "ns", {{"kernel", to(f.kernel)}, {"std", to(f.peer)}});
}

}  // namespace
}  // namespace ring3

int main(int argc, char** argv) {
  using namespace ring3;
  bench::CommonOptions options;
  std::vector<std::string> names;
  CLI::App app("Time of a map operation in a program, against the machine's kernel and the language's container");
  add_common_options(app, options);
  app.add_option("name", names, "only cases whose name holds one of these");
  CLI11_PARSE(app, argc, argv);
  bench::Records records;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  fmt::print("{:<36} {:>9} {:>9} {:>7} {:>9}\n", "ns per operation", "here", "kernel", "ratio", "std");
  for (const Case& c : kCases)
    if (names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& n) { return std::string(c.name).find(n) != std::string::npos; }))
      report(c, measure(c, options.rounds), records);
  return records.write(options.json) ? 0 : 1;
}
