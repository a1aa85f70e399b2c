// What does a map operation cost a program, here and in the machine's kernel? The same loop on both sides: 256
// operations with keys of a linear congruence, its own cost subtracted. Here it is compiled C++ that calls the
// operation through the map's table, as a helper call does; in the kernel a program in BPF_PROG_TEST_RUN (nothing is
// attached). A third side, where there is one, is the usual container of the language, without any concurrency.
//
//   map_ops_bench [--rounds N] [--json FILE]
//
// Rounds are interleaved, figures are medians over rounds; `ratio` is here / kernel of the same run.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "bench/support/records.h"
#include "isa/assemble.h"
#include "maps/map_memory.h"
#include "maps/ringbuf.h"
#include "maps/testing.h"
#include "object/rcu_inline.h"

namespace ring3 {
namespace {

using namespace uapi;
using bench::median;
using bench::thread_ns;

constexpr std::uint32_t kOps = 256;

enum class What { kNothing, kLookup, kUpdate, kInsertDelete, kPushPop, kRing };

struct Case {
  const char* name;
  std::uint32_t type, key_bytes, value_bytes, entries, flags;
  What what;
  bool peer;
};

// Every key of the loop is in the map, but for insert and delete, whose keys are not.
constexpr std::uint32_t kNoPrealloc = BPF_F_NO_PREALLOC;
const Case kCases[] = {
    {"array/lookup/1k", BPF_MAP_TYPE_ARRAY, 4, 8, 1024, 0, What::kLookup, true},
    {"array/update/1k", BPF_MAP_TYPE_ARRAY, 4, 8, 1024, 0, What::kUpdate, true},
    {"percpu_array/lookup/1k", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1024, 0, What::kLookup, false},
    {"hash/lookup/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, What::kLookup, true},
    {"hash/lookup/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, 0, What::kLookup, true},
    {"hash/update/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, What::kUpdate, true},
    {"hash/update/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, 0, What::kUpdate, true},
    {"hash/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, 0, What::kInsertDelete, true},
    {"hash_no_prealloc/lookup/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, kNoPrealloc, What::kLookup, true},
    {"hash_no_prealloc/update/64k", BPF_MAP_TYPE_HASH, 8, 8, 65536, kNoPrealloc, What::kUpdate, true},
    {"hash_no_prealloc/insert+delete/1k", BPF_MAP_TYPE_HASH, 8, 8, 1024, kNoPrealloc, What::kInsertDelete, true},
    {"percpu_hash/lookup/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, What::kLookup, false},
    {"percpu_hash/update/1k", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024, 0, What::kUpdate, false},
    {"lru_hash/lookup/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, What::kLookup, false},
    {"lru_hash/lookup/64k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 65536, 0, What::kLookup, false},
    {"lru_hash/update/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, What::kUpdate, false},
    {"lru_hash/insert+delete/1k", BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024, 0, What::kInsertDelete, false},
    {"lpm_trie/lookup/1k", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1024, kNoPrealloc, What::kLookup, false},
    {"queue/push+pop", BPF_MAP_TYPE_QUEUE, 0, 8, 1024, 0, What::kPushPop, false},
    {"ringbuf/reserve+submit/8", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20, 0, What::kRing, false},
};

/// The key of step i: scattered over the map's keys. LPM tries: a /32 prefix.
std::uint64_t next_number(std::uint32_t& state) { return state = state * 1664525 + 1013904223; }
std::uint64_t key_of(const Case& c, std::uint32_t number) {
  const std::uint64_t n = (number >> 8) & (c.entries - 1);
  if (c.type == BPF_MAP_TYPE_LPM_TRIE) return 32 | (n << 48) | (std::uint64_t{10} << 32);
  return c.what == What::kInsertDelete ? n | (1u << 20) : n;
}

// Here.

class Ours {
 public:
  explicit Ours(const Case& c)
      : c_(c),
        map_(maps::testing::make(host_, maps::testing::spec(c.type, c.key_bytes, c.value_bytes, c.entries, c.flags))
                 .value()) {
    if (c.what == What::kInsertDelete || !map_->ops().data.update) return;
    for (std::uint32_t i = 0; i < c.entries; ++i) {
      const std::uint64_t key = key_of(c, i << 8), value = i;
      map_->ops().data.update(*map_, &key, &value, 0);
    }
  }

  /// ns per operation.
  double run(std::uint32_t repeats) {
    const maps::DataOps& ops = map_->ops().data;
    std::uint32_t state = 1;
    const double start = thread_ns();
    for (std::uint32_t r = 0; r < repeats; ++r) {
      {
        rcu::InlineReadSection readers;
        for (std::uint32_t i = 0; i < kOps; ++i) step(ops, key_of(c_, static_cast<std::uint32_t>(next_number(state))));
      }
      if (c_.what == What::kRing) drain();
    }
    return (thread_ns() - start) / kOps / repeats;
  }

 private:
  void step(const maps::DataOps& ops, std::uint64_t key) {
    std::uint64_t value = key;
    asm volatile("" : : "r"(&key), "r"(&value) : "memory");
    switch (c_.what) {
      case What::kNothing: break;
      case What::kLookup: asm volatile("" : : "r"(ops.lookup(*map_, &key))); break;
      case What::kUpdate: ops.update(*map_, &key, &value, 0); break;
      case What::kInsertDelete:
        ops.update(*map_, &key, &value, 0);
        ops.erase(*map_, &key);
        break;
      case What::kPushPop:
        ops.push(*map_, &value, 0);
        ops.pop(*map_, &value);
        break;
      case What::kRing:
        if (void* sample = maps::ringbuf_reserve(*map_, 8, 0)) {
          std::memcpy(sample, &value, 8);
          maps::ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
        }
        break;
    }
  }
  void drain() {
    if (!shared_)
      shared_ = static_cast<std::byte*>(mmap(nullptr, 2 * maps::page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, map_->memory_fd(), 0));
    auto* positions = reinterpret_cast<std::atomic<std::uint64_t>*>(shared_);
    positions[0].store(positions[maps::page_bytes() / 8].load());
  }

  const Case& c_;
  maps::testing::FakeHost host_;
  Ref<maps::Map> map_;
  std::byte* shared_ = nullptr;
};

// The usual container.

class Peer {
 public:
  explicit Peer(const Case& c) : c_(c) {
    array_.resize(c.entries);
    if (c.what != What::kInsertDelete && c.type != BPF_MAP_TYPE_ARRAY)
      for (std::uint32_t i = 0; i < c.entries; ++i) hash_[key_of(c, i << 8)] = i;
    hash_.reserve(c.entries);
  }
  double run(std::uint32_t repeats) {
    std::uint32_t state = 1;
    const double start = thread_ns();
    for (std::uint32_t r = 0; r < repeats; ++r)
      for (std::uint32_t i = 0; i < kOps; ++i) step(key_of(c_, static_cast<std::uint32_t>(next_number(state))));
    return (thread_ns() - start) / kOps / repeats;
  }

 private:
  void step(std::uint64_t key) {
    asm volatile("" : : "r"(&key) : "memory");
    if (c_.type == BPF_MAP_TYPE_ARRAY) {
      auto& v = array_[key & (c_.entries - 1)];
      if (c_.what == What::kUpdate) v = key;
      asm volatile("" : : "r"(&v) : "memory");
    } else if (c_.what == What::kLookup) {
      asm volatile("" : : "r"(hash_.find(key) != hash_.end()));
    } else if (c_.what == What::kUpdate) {
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

// The machine's kernel.

long kernel_bpf(int cmd, bpf_attr& attr) { return syscall(SYS_bpf, cmd, &attr, sizeof attr); }

class MapSymbol final : public isa::Symbols {
 public:
  explicit MapSymbol(int fd) : fd_(fd) {}
  bool map(std::string_view, std::int32_t& fd) const override {
    fd = fd_;
    return true;
  }

 private:
  const int fd_;
};

/// The loop of Ours::run as a program; r6 counts, r7 is the number, the key is at fp-8, the value at fp-16. Each run
/// starts with a random number, so that all keys of a map are asked for.
std::string program_text(const Case& c) {
  std::string text = "call 7\nw7 = w0\nr6 = 256\nloop:\nw7 *= 1664525\nw7 += 1013904223\nw8 = w7\nw8 >>= 8\n";
  text += "w8 &= " + std::to_string(c.entries - 1) + "\n";
  if (c.type == BPF_MAP_TYPE_LPM_TRIE) text += "r8 <<= 48\nr1 = 42949672992 ll\nr8 |= r1\n";  // 10 << 32 | 32
  if (c.what == What::kInsertDelete) text += "r8 |= 1048576\n";
  text += "*(u64 *)(r10 -8) = r8\n*(u64 *)(r10 -16) = r8\n";
  const std::string map = "r1 = map[name:m]\n", key = "r2 = r10\nr2 += -8\n", value = "r3 = r10\nr3 += -16\nr4 = 0\n";
  switch (c.what) {
    case What::kNothing: break;
    case What::kLookup: text += map + key + "call 1\n"; break;
    case What::kUpdate: text += map + key + value + "call 2\n"; break;
    case What::kInsertDelete: text += map + key + value + "call 2\n" + map + key + "call 3\n"; break;
    case What::kPushPop:
      text += map + "r2 = r10\nr2 += -16\nr3 = 0\ncall 87\n" + map + "r2 = r10\nr2 += -16\ncall 88\n";
      break;
    case What::kRing:
      text += map + "r2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto full\n*(u64 *)(r0 +0) = r8\nr1 = r0\nr2 = 1\ncall 132\nfull:\n";
      break;
  }
  return text + "r6 += -1\nif r6 != 0 goto loop\nr0 = 2\nexit\n";
}

class Kernel {
 public:
  explicit Kernel(const Case& c) : c_(c) {
    bpf_attr attr{};
    attr.map_type = c.type;
    attr.key_size = c.key_bytes;
    attr.value_size = c.value_bytes;
    attr.max_entries = c.entries;
    attr.map_flags = c.flags;
    map_ = static_cast<int>(kernel_bpf(BPF_MAP_CREATE, attr));
    if (map_ < 0) return;
    if (c.what == What::kLookup || c.what == What::kUpdate)
      for (std::uint32_t i = 0; i < c.entries; ++i) {
        const std::uint64_t key = key_of(c, i << 8);
        static std::uint64_t values[1024];  // room for every CPU's
        bpf_attr put{};
        put.map_fd = static_cast<std::uint32_t>(map_);
        put.key = reinterpret_cast<std::uint64_t>(&key);
        put.value = reinterpret_cast<std::uint64_t>(values);
        kernel_bpf(BPF_MAP_UPDATE_ELEM, put);
      }
    load();
  }
  ~Kernel() {
    if (prog_ >= 0) close(prog_);
    if (map_ >= 0) close(map_);
  }
  bool works() const { return prog_ >= 0; }

  double run(std::uint32_t repeats) {
    double total = 0;
    // A ring holds the records of so many runs.
    const std::uint32_t at_once = c_.what == What::kRing ? 200 : repeats;
    std::uint32_t done = 0;
    for (; done < repeats; done += at_once) {
      static std::uint64_t packet[16];
      bpf_attr attr{};
      attr.test.prog_fd = static_cast<std::uint32_t>(prog_);
      attr.test.data_in = reinterpret_cast<std::uint64_t>(packet);
      attr.test.data_size_in = sizeof packet;
      attr.test.repeat = at_once;
      if (kernel_bpf(BPF_PROG_TEST_RUN, attr) != 0 || attr.test.retval != 2) return -1;
      total += attr.test.duration * double(at_once);
      if (c_.what == What::kRing) drain();
    }
    return total / done / kOps;
  }

 private:
  void load() {
    const MapSymbol symbol(map_);
    isa::AssembleError error;
    auto raw = isa::assemble(program_text(c_), &error, &symbol);
    if (!raw.ok()) {
      std::fprintf(stderr, "%s: line %u: %s\n", c_.name, error.line, error.message.c_str());
      std::exit(1);
    }
    static char log[1 << 16];
    bpf_attr attr{};
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = reinterpret_cast<std::uint64_t>(raw.value().data());
    attr.insn_cnt = static_cast<std::uint32_t>(raw.value().size());
    attr.license = reinterpret_cast<std::uint64_t>("GPL");
    attr.log_buf = reinterpret_cast<std::uint64_t>(log);
    attr.log_size = sizeof log;
    attr.log_level = 4;
    prog_ = static_cast<int>(kernel_bpf(BPF_PROG_LOAD, attr));
    if (prog_ < 0) std::fprintf(stderr, "%s: %s\n%.600s\n", c_.name, std::strerror(errno), log);
  }
  void drain() {
    if (!consumer_) {
      consumer_ = static_cast<std::atomic<std::uint64_t>*>(mmap(nullptr, maps::page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, map_, 0));
      producer_ = static_cast<std::atomic<std::uint64_t>*>(
          mmap(nullptr, maps::page_bytes(), PROT_READ, MAP_SHARED, map_, static_cast<off_t>(maps::page_bytes())));
    }
    consumer_->store(producer_->load());
  }

  const Case& c_;
  int map_ = -1, prog_ = -1;
  std::atomic<std::uint64_t>*consumer_ = nullptr, *producer_ = nullptr;
};

/// Nanoseconds for an operation, by side.
struct Figures {
  double ours;
  std::optional<double> kernel, peer;
  std::optional<double> two_threads;  // times one thread
};

/// Operations per second of two threads on one map against one thread alone; absent: the loop is no lookup or update.
std::optional<double> two_threads(const Case& c, std::uint32_t rounds) {
  if (c.what != What::kLookup && c.what != What::kUpdate) return std::nullopt;
  Ours ours(c);
  std::vector<double> ratios;
  for (std::uint32_t r = 0; r < rounds; ++r) {
    const double one = ours.run(400);
    double each[2];
    std::thread other([&] { each[1] = ours.run(400); });
    each[0] = ours.run(400);
    other.join();
    ratios.push_back(one / each[0] + one / each[1]);
  }
  return median(ratios);
}

Figures measure(const Case& c, std::uint32_t rounds) {
  const Case nothing{"loop", c.type, c.key_bytes, c.value_bytes, c.entries, c.flags, What::kNothing, false};
  Ours ours(c), base(nothing);
  Kernel kernel(c), kernel_base(nothing);
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
  return {median(mine), figure(theirs), figure(usual), two_threads(c, rounds)};
}

void report(const Case& c, const Figures& f, bench::Records& records) {
  const auto cell = [](std::optional<double> value, const char* form) { return value ? fmt::format(fmt::runtime(form), *value) : "-"; };
  const auto to = [&f](std::optional<double> ns) { return ns && *ns > 0 ? std::optional(f.ours / *ns) : std::nullopt; };
  fmt::print("{:<36} {:>9.1f} {:>9} {:>7} {:>9} {:>11}\n", c.name, f.ours, cell(f.kernel, "{:.1f}"), cell(to(f.kernel), "{:.2f}"),
             cell(f.peer, "{:.1f}"), cell(f.two_threads, "{:.2f}x"));
  records.add(fmt::format("map_ops/{}", c.name), f.ours, "ns", {{"kernel", to(f.kernel)}, {"std", to(f.peer)}});
  if (f.two_threads) records.add(fmt::format("map_ops/{}/two_threads", c.name), *f.two_threads, "times one thread");
}

}  // namespace
}  // namespace ring3

int main(int argc, char** argv) {
  using namespace ring3;
  bench::CommonOptions options;
  CLI::App app("Time of a map operation in a program, against the machine's kernel and the language's container");
  add_common_options(app, options);
  CLI11_PARSE(app, argc, argv);
  bench::Records records;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  fmt::print("{:<36} {:>9} {:>9} {:>7} {:>9} {:>11}\n", "ns per operation", "here", "kernel", "ratio", "std", "2 threads");
  for (const Case& c : kCases) report(c, measure(c, options.rounds), records);
  return records.write(options.json) ? 0 : 1;
}
