#include "bench/support/map_loops.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/support/records.h"
#include "isa/assemble.h"
#include "maps/map_memory.h"
#include "maps/ringbuf.h"
#include "object/rcu_inline.h"

namespace ring3::bench {
namespace {

using namespace uapi;

constexpr std::uint32_t kNewKeys = (1u << 24) - 1;
constexpr std::uint32_t kAbsent = 1u << 20;  // added to keys that are not in the map

long kernel_bpf(int cmd, bpf_attr& attr) { return syscall(SYS_bpf, cmd, &attr, sizeof attr); }

constexpr std::uint32_t kNetwork = 0xb80d0120;  // 2001:db8::/32, as it lies in memory

bool has_address(const MapCase& c) { return c.type == BPF_MAP_TYPE_LPM_TRIE && c.key_bytes == 20; }
bool fills(const MapCase& c) { return c.op == MapOp::kLookup || c.op == MapOp::kUpdate; }

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

/// The loop of MapLoop::run as a program; r6 counts, r7 is the number, the key is at fp-24, the value at fp-32. Each run
/// starts with a random number, so that all keys of a map are asked for.
std::string program_text(const MapCase& c) {
  std::string text = "call 7\nw7 = w0\nr6 = 256\nloop:\nw7 *= 1664525\nw7 += 1013904223\nw8 = w7\nw8 >>= 8\n";
  text += "w8 &= " + std::to_string(c.op == MapOp::kInsertNew ? kNewKeys : c.entries - 1) + "\n";
  if (c.op == MapOp::kInsertDelete) text += "r8 |= " + std::to_string(kAbsent) + "\n";
  if (c.type == BPF_MAP_TYPE_LPM_TRIE) text += "r8 = be32 r8\n";
  if (has_address(c)) {
    text += "r9 = " + std::to_string(kNetwork) + "\nr9 <<= 32\nr9 |= 128\n*(u64 *)(r10 -24) = r9\n*(u64 *)(r10 -16) = r8\n*(u64 *)(r10 -8) = 0\n";
  } else {
    if (c.type == BPF_MAP_TYPE_LPM_TRIE) text += "r8 <<= 32\nr8 |= 32\n";
    text += "*(u64 *)(r10 -24) = r8\n";
  }
  text += "*(u64 *)(r10 -32) = r8\n";
  const std::string map = "r1 = map[name:m]\n", key = "r2 = r10\nr2 += -24\n", value = "r3 = r10\nr3 += -32\nr4 = 0\n";
  switch (c.op) {
    case MapOp::kNothing: break;
    case MapOp::kLookup: text += map + key + "call 1\n"; break;
    case MapOp::kUpdate:
    case MapOp::kInsertNew: text += map + key + value + "call 2\n"; break;
    case MapOp::kInsertDelete: text += map + key + value + "call 2\n" + map + key + "call 3\n"; break;
    case MapOp::kPushPop:
      text += map + "r2 = r10\nr2 += -32\nr3 = 0\ncall 87\n" + map + "r2 = r10\nr2 += -32\ncall 88\n";
      break;
    case MapOp::kRing:
      text += map + "r2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto full\n*(u64 *)(r0 +0) = r8\nr1 = r0\nr2 = 1\ncall 132\nfull:\n";
      break;
  }
  return text + "r6 += -1\nif r6 != 0 goto loop\nr0 = 2\nexit\n";
}

}  // namespace

MapKey map_key(const MapCase& c, std::uint32_t number) {
  std::uint32_t n = (number >> 8) & (c.op == MapOp::kInsertNew ? kNewKeys : c.entries - 1);
  if (c.op == MapOp::kInsertDelete) n |= kAbsent;
  if (c.type != BPF_MAP_TYPE_LPM_TRIE) return {{n}};
  const std::uint64_t end = __builtin_bswap32(n);
  if (has_address(c)) return {{128 | std::uint64_t{kNetwork} << 32, end}};
  return {{32 | end << 32}};
}

// Here.

MapLoop::MapLoop(const MapCase& c)
    : c_(c),
      map_(maps::testing::make(host_, maps::testing::spec(c.type, c.key_bytes, c.value_bytes, c.entries, c.flags)).value()) {
  for (std::uint32_t i = 0; fills(c) && i < c.entries; ++i) {
    const MapKey key = map_key(c, i << 8);
    const std::uint64_t value = i;
    map_->ops().data.update(*map_, &key, &value, 0);
  }
  if (c.op != MapOp::kRing) return;
  shared_ = static_cast<std::byte*>(mmap(nullptr, 2 * maps::page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, map_->memory_fd(), 0));
  if (shared_ == MAP_FAILED) std::abort();
}

MapLoop::~MapLoop() {
  if (shared_ != nullptr) munmap(shared_, 2 * maps::page_bytes());
}

double MapLoop::run(std::uint32_t repeats, std::uint32_t seed, std::uint32_t cpu) {
  maps::testing::FakeHost::cpu() = cpu;
  const maps::DataOps& ops = map_->ops().data;
  std::uint32_t state = seed;
  const double start = thread_ns();
  for (std::uint32_t r = 0; r < repeats; ++r) {
    {
      rcu::InlineReadSection readers;
      for (std::uint32_t i = 0; i < kMapOps; ++i) step(ops, map_key(c_, next_number(state)));
    }
    if (c_.op == MapOp::kRing) drain();
  }
  return (thread_ns() - start) / kMapOps / repeats;
}

void MapLoop::step(const maps::DataOps& ops, const MapKey& key) {
  std::uint64_t value = key.words[0];
  asm volatile("" : : "r"(&key), "r"(&value) : "memory");
  switch (c_.op) {
    case MapOp::kNothing: break;
    case MapOp::kLookup: asm volatile("" : : "r"(ops.lookup(*map_, &key))); break;
    case MapOp::kUpdate:
    case MapOp::kInsertNew: ops.update(*map_, &key, &value, 0); break;
    case MapOp::kInsertDelete:
      ops.update(*map_, &key, &value, 0);
      ops.erase(*map_, &key);
      break;
    case MapOp::kPushPop:
      ops.push(*map_, &value, 0);
      ops.pop(*map_, &value);
      break;
    case MapOp::kRing:
      if (void* sample = maps::ringbuf_reserve(*map_, 8, 0)) {
        std::memcpy(sample, &value, 8);
        maps::ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
      }
      break;
  }
}

void MapLoop::drain() {
  auto* positions = reinterpret_cast<std::atomic<std::uint64_t>*>(shared_);
  positions[0].store(positions[maps::page_bytes() / 8].load());
}

// In the kernel.

KernelMapLoop::KernelMapLoop(const MapCase& c) : c_(c) {
  bpf_attr attr{};
  attr.map_type = c.type;
  attr.key_size = c.key_bytes;
  attr.value_size = c.value_bytes;
  attr.max_entries = c.entries;
  attr.map_flags = c.flags;
  map_ = static_cast<int>(kernel_bpf(BPF_MAP_CREATE, attr));
  if (map_ < 0) return;
  for (std::uint32_t i = 0; fills(c) && i < c.entries; ++i) {
    const MapKey key = map_key(c, i << 8);
    static std::uint64_t values[1024];  // room for every CPU's
    bpf_attr put{};
    put.map_fd = static_cast<std::uint32_t>(map_);
    put.key = reinterpret_cast<std::uint64_t>(&key);
    put.value = reinterpret_cast<std::uint64_t>(values);
    kernel_bpf(BPF_MAP_UPDATE_ELEM, put);
  }
  if (c.op == MapOp::kRing) {
    consumer_ = static_cast<std::atomic<std::uint64_t>*>(mmap(nullptr, maps::page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, map_, 0));
    producer_ = static_cast<std::atomic<std::uint64_t>*>(
        mmap(nullptr, maps::page_bytes(), PROT_READ, MAP_SHARED, map_, static_cast<off_t>(maps::page_bytes())));
    if (consumer_ == MAP_FAILED || producer_ == MAP_FAILED) return;
  }
  load();
}

KernelMapLoop::~KernelMapLoop() {
  if (consumer_ != nullptr && consumer_ != MAP_FAILED) munmap(consumer_, maps::page_bytes());
  if (producer_ != nullptr && producer_ != MAP_FAILED) munmap(producer_, maps::page_bytes());
  if (prog_ >= 0) close(prog_);
  if (map_ >= 0) close(map_);
}

double KernelMapLoop::run(std::uint32_t repeats) {
  const Total total = run_all(repeats);
  return total.runs == 0 ? -1 : total.clock_ns / total.runs / kMapOps;
}

double KernelMapLoop::run_cpu(std::uint32_t repeats) {
  const Total total = run_all(repeats);
  return total.runs == 0 ? -1 : total.cpu_ns / total.runs / kMapOps;
}

KernelMapLoop::Total KernelMapLoop::run_all(std::uint32_t repeats) {
  Total total;
  // A ring holds the records of so many runs of two threads.
  const std::uint32_t at_once = c_.op == MapOp::kRing && repeats > 100 ? 100 : repeats;
  while (total.runs < repeats) {
    std::uint64_t packet[16] = {};
    bpf_attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(prog_);
    attr.test.data_in = reinterpret_cast<std::uint64_t>(packet);
    attr.test.data_size_in = sizeof packet;
    attr.test.repeat = at_once;
    const double start = thread_ns();
    if (kernel_bpf(BPF_PROG_TEST_RUN, attr) != 0 || attr.test.retval != 2) return {};
    total.cpu_ns += thread_ns() - start;
    total.clock_ns += attr.test.duration * double(at_once);
    total.runs += at_once;
    if (c_.op == MapOp::kRing) drain();
  }
  return total;
}

void KernelMapLoop::load() {
  const MapSymbol symbol(map_);
  isa::AssembleError error;
  auto raw = isa::assemble(program_text(c_), &error, &symbol);
  if (!raw.ok()) {
    std::fprintf(stderr, "%s: line %u: %s\n", c_.name, error.line, error.message.c_str());
    std::exit(1);
  }
  static char log[1 << 16];
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;  // a run of an XDP program begins with a wait for a grace period
  attr.insns = reinterpret_cast<std::uint64_t>(raw.value().data());
  attr.insn_cnt = static_cast<std::uint32_t>(raw.value().size());
  attr.license = reinterpret_cast<std::uint64_t>("GPL");
  attr.log_buf = reinterpret_cast<std::uint64_t>(log);
  attr.log_size = sizeof log;
  attr.log_level = 4;
  prog_ = static_cast<int>(kernel_bpf(BPF_PROG_LOAD, attr));
  if (prog_ < 0) std::fprintf(stderr, "%s: %s\n%.600s\n", c_.name, std::strerror(errno), log);
}

void KernelMapLoop::drain() { consumer_->store(producer_->load()); }

}  // namespace ring3::bench
