// One map operation in a loop, here and in the machine's kernel: 256 operations a run with keys of a linear congruence. Here it is
// compiled C++ that calls the operation through the map's table, as a helper call does; in the kernel a program in
// BPF_PROG_TEST_RUN (nothing is attached). Both may be run by several threads at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "maps/testing.h"

namespace ring3::bench {

inline constexpr std::uint32_t kMapOps = 256;

enum class MapOp {
  kNothing,
  kLookup,
  kUpdate,        // of keys that are there
  kInsertDelete,  // of keys that are not
  kInsertNew,     // hardly ever the same key again: LRU maps make room each time
  kPushPop,
  kRing,          // reserve and submit a record of 8 bytes
};

struct MapCase {
  const char* name;
  std::uint32_t type, key_bytes, value_bytes, entries, flags;
  MapOp op;
};

/// The next of a linear congruence.
inline std::uint32_t next_number(std::uint32_t& state) { return state = state * 1664525 + 1013904223; }
/// A key's bytes; those behind key_bytes are zero.
struct MapKey {
  std::uint64_t words[3];
};
/// The key of a number, scattered over the map's keys (`entries` is a power of two). LPM tries: of 8 bytes, a /32 prefix that ends in
/// the number; of 20, a /128 whose first 64 bits do, as hosts in so many subnets.
MapKey map_key(const MapCase& c, std::uint32_t number);

/// Here.
class MapLoop {
 public:
  explicit MapLoop(const MapCase& c);
  ~MapLoop();
  MapLoop(const MapLoop&) = delete;
  MapLoop& operator=(const MapLoop&) = delete;

  /// CPU nanoseconds per operation of the calling thread. seed: where its keys start; cpu: its slot.
  double run(std::uint32_t repeats, std::uint32_t seed = 1, std::uint32_t cpu = 0);

 private:
  void step(const maps::DataOps& ops, const MapKey& key);
  void drain();

  const MapCase& c_;
  maps::testing::FakeHost host_;
  Ref<maps::Map> map_;
  std::byte* shared_ = nullptr;
};

/// In the machine's kernel.
class KernelMapLoop {
 public:
  explicit KernelMapLoop(const MapCase& c);
  ~KernelMapLoop();
  KernelMapLoop(const KernelMapLoop&) = delete;
  KernelMapLoop& operator=(const KernelMapLoop&) = delete;

  /// False: bpf(2) is not allowed, or the kernel does not take the program.
  bool works() const { return prog_ >= 0; }
  /// Nanoseconds per operation by the kernel's own clock; below 0: the run failed.
  double run(std::uint32_t repeats);
  /// The same by CPU time of the calling thread, which others on the machine do not change; repeats counts 256 operations each.
  double run_cpu(std::uint32_t repeats);

 private:
  struct Total {
    double clock_ns = 0, cpu_ns = 0;
    std::uint32_t runs = 0;
  };
  Total run_all(std::uint32_t repeats);
  void load();
  void drain();

  const MapCase& c_;
  int map_ = -1, prog_ = -1;
  std::atomic<std::uint64_t>*consumer_ = nullptr, *producer_ = nullptr;
};

}  // namespace ring3::bench
