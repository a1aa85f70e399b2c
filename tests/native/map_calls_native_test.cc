// Do maps answer clients as the kernel's do? The same calls, chosen by chance, on a map of the kernel's and on one of a runtime: every
// result, and what came out. Where the order of elements is a kind's own business, sets are compared. Skipped where the machine
// allows no bpf(2).
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "ring3/runtime.h"
#include "test_host_btf.h"

namespace ring3 {
namespace {

using Bpf = std::function<long(int, bpf_attr&)>;

long kernel_bpf(int cmd, bpf_attr& attr) {
  const long result = ::syscall(SYS_bpf, cmd, &attr, sizeof attr);
  return result < 0 ? -errno : result;
}

template <typename T>
std::uint64_t address(const T* p) { return reinterpret_cast<std::uintptr_t>(p); }

struct Kind {
  const char* name;
  bpf_map_type type;
  std::uint32_t key_bytes, value_bytes, entries, flags = 0;
  bool ordered = false;  // which element comes next is told alike
  bool percpu = false;
  int calls = 4'000;
};

constexpr Kind kKinds[] = {
    {"array", BPF_MAP_TYPE_ARRAY, 4, 8, 8, 0, true},
    {"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 8, 0, true, true},
    {"hash", BPF_MAP_TYPE_HASH, 4, 8, 8},
    {"hash_no_prealloc", BPF_MAP_TYPE_HASH, 8, 12, 8, BPF_F_NO_PREALLOC},
    {"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 8, 0, false, true},
    {"lru_hash", BPF_MAP_TYPE_LRU_HASH, 4, 8, 4096},
    {"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 4096, 0, false, true},
    {"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 64, BPF_F_NO_PREALLOC, true},
    {"queue", BPF_MAP_TYPE_QUEUE, 0, 8, 8},
    {"stack", BPF_MAP_TYPE_STACK, 0, 8, 8},
    {"bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 64},
    {"ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
    {"prog_array", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4},
    {"perf_event_array", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4},
    {"stack_trace", BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4},
    {"hash_of_long_keys", BPF_MAP_TYPE_HASH, 40, 4, 64},
    {"array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0, false, false, 400},
    {"hash_of_maps", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 8, 0, false, false, 400},
    {"cgroup_array", BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 4},
    {"sockmap", BPF_MAP_TYPE_SOCKMAP, 4, 4, 4},
    {"xskmap", BPF_MAP_TYPE_XSKMAP, 4, 4, 4},
    {"reuseport", BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 4},
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

constexpr std::size_t kMostElements = 16;

/// A call without its map: what goes in is drawn once and handed to both.
struct Script {
  int command = 0;
  bool has_map = false;        // values are the inner map, where there is one
  bool first = false;          // GET_NEXT_KEY of no key, a batch from the start
  std::uint32_t count = 0;     // of a batch
  std::uint64_t flags = 0, elem_flags = 0;
  std::vector<std::uint8_t> keys, values;
};

struct Answer {
  long result = 0;
  std::uint32_t count = 0;
  std::vector<std::string> out;  // keys and values, an element each
};

class Side {
 public:
  Side(const Kind& kind, Bpf bpf, std::size_t value_stride) : kind_(kind), bpf_(std::move(bpf)), stride_(value_stride) {
    bpf_attr attr{};
    attr.map_type = kind.type;
    attr.key_size = kind.key_bytes;
    attr.value_size = kind.value_bytes;
    attr.max_entries = kind.entries;
    attr.map_flags = kind.flags;
    if (kind.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || kind.type == BPF_MAP_TYPE_HASH_OF_MAPS) {
      bpf_attr inner{};
      inner.map_type = BPF_MAP_TYPE_ARRAY;
      inner.key_size = inner.value_size = 4;
      inner.max_entries = 1;
      inner_ = OwnedFd(static_cast<int>(bpf_(BPF_MAP_CREATE, inner)));
      attr.inner_map_fd = static_cast<std::uint32_t>(inner_.get());
    }
    map_ = OwnedFd(static_cast<int>(bpf_(BPF_MAP_CREATE, attr)));
  }
  bool works() const { return map_.get() >= 0; }
  int error() const { return map_.get(); }

  Answer call(const Script& script) {
    std::vector<std::uint8_t> keys = script.keys, values = script.values;
    if (inner_ && script.has_map)
      for (std::size_t i = 0; i < kMostElements; ++i) {
        const int fd = inner_.get();
        std::memcpy(&values[i * sizeof fd], &fd, sizeof fd);
      }
    const bool is_batch = script.command >= BPF_MAP_LOOKUP_BATCH && script.command <= BPF_MAP_DELETE_BATCH;
    Answer answer = is_batch ? batch(script, keys, values) : element(script, keys, values);
    if (inner_) answer.out.clear();  // the maps' ids
    return answer;
  }

 private:
  Answer element(const Script& script, std::vector<std::uint8_t>& keys, std::vector<std::uint8_t>& values) {
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map_.get());
    const bool walks = script.command == BPF_MAP_GET_NEXT_KEY;
    attr.key = kind_.key_bytes == 0 || (walks && script.first) ? 0 : address(keys.data());
    if (script.command != BPF_MAP_DELETE_ELEM) attr.value = address(values.data());  // and where the next key goes
    if (!walks && script.command != BPF_MAP_DELETE_ELEM) attr.flags = script.elem_flags;
    if (script.command == BPF_MAP_FREEZE) attr.key = attr.value = attr.flags = 0;
    Answer answer{.result = bpf_(script.command, attr), .count = 0, .out = {}};
    const bool reads = script.command == BPF_MAP_LOOKUP_ELEM || script.command == BPF_MAP_LOOKUP_AND_DELETE_ELEM;
    if (answer.result == 0 && reads) answer.out.emplace_back(values.begin(), values.begin() + static_cast<long>(stride_));
    if (answer.result == 0 && walks && kind_.ordered) answer.out.emplace_back(values.begin(), values.begin() + kind_.key_bytes);
    return answer;
  }

  Answer batch(const Script& script, std::vector<std::uint8_t>& keys, std::vector<std::uint8_t>& values) {
    bpf_attr attr{};
    std::uint64_t at[4] = {};
    attr.batch.map_fd = static_cast<std::uint32_t>(map_.get());
    attr.batch.count = script.count;
    attr.batch.keys = address(keys.data());
    attr.batch.values = address(values.data());
    attr.batch.flags = script.flags;
    attr.batch.elem_flags = script.elem_flags;
    const bool reads = script.command == BPF_MAP_LOOKUP_BATCH || script.command == BPF_MAP_LOOKUP_AND_DELETE_BATCH;
    if (reads) attr.batch.out_batch = address(at);
    Answer answer{.result = bpf_(script.command, attr), .count = attr.batch.count, .out = {}};
    if (!reads || (answer.result != 0 && answer.result != -ENOENT)) return answer;
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(attr.batch.count, kMostElements); ++i)
      answer.out.push_back(std::string(keys.begin() + i * kind_.key_bytes, keys.begin() + (i + 1) * kind_.key_bytes) +
                           std::string(values.begin() + static_cast<long>(i * stride_), values.begin() + static_cast<long>((i + 1) * stride_)));
    std::sort(answer.out.begin(), answer.out.end());
    return answer;
  }

  const Kind& kind_;
  const Bpf bpf_;
  const std::size_t stride_;
  OwnedFd inner_, map_;
};

class MapCallsNativeTest : public ::testing::TestWithParam<Kind> {
 protected:
  static constexpr int kCommands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
                                      BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH,
                                      BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH};

  Script draw() {
    const Kind& kind = GetParam();
    Script script;
    script.command = kCommands[random_() % std::size(kCommands)];
    script.has_map = random_() % 2 == 0;
    script.first = !kind.ordered || random_() % 4 == 0;  // which is the last of a hash is its own business
    // Fewer than there are: how much of a hash comes at once is its own business.
    script.count = random_() % 8 == 0 ? 0 : kind.ordered ? static_cast<std::uint32_t>(random_() % 12) : kMostElements;
    if (script.command == BPF_MAP_UPDATE_BATCH || script.command == BPF_MAP_DELETE_BATCH) script.count = static_cast<std::uint32_t>(random_() % 4);
    if (random_() % 8 == 0) script.flags = random_() % 3;
    static constexpr std::uint64_t kFlags[] = {BPF_ANY, BPF_ANY, BPF_ANY, BPF_NOEXIST, BPF_EXIST, 3, BPF_F_LOCK, 8, std::uint64_t{1} << 40};
    script.elem_flags = kFlags[random_() % std::size(kFlags)];
    script.keys.resize(kMostElements * std::max<std::size_t>(kind.key_bytes, 8));
    for (std::size_t i = 0; i < kMostElements && kind.key_bytes != 0; ++i) {
      std::uint8_t* key = &script.keys[i * kind.key_bytes];
      if (kind.type == BPF_MAP_TYPE_LPM_TRIE) {
        const auto bits = static_cast<std::uint32_t>(random_() % 34);
        std::memcpy(key, &bits, sizeof bits);
        key[4] = 10, key[5] = static_cast<std::uint8_t>(random_() % 2 << 7);
      } else {
        key[0] = static_cast<std::uint8_t>(random_() % 10);
      }
    }
    script.values.resize(kMostElements * std::max<std::size_t>(stride_, 8));
    for (std::uint8_t& byte : script.values) byte = static_cast<std::uint8_t>(random_() % 3);
    return script;
  }

  std::mt19937_64 random_{4711};
  std::size_t stride_ = 0;
};

/// A bloom filter may find what nobody put in, and each finds other things; taking stack traces out came after 6.12.
bool is_left_out(const Kind& kind, const Script& script) {
  return (kind.type == BPF_MAP_TYPE_BLOOM_FILTER && script.command == BPF_MAP_LOOKUP_ELEM) ||
         (kind.type == BPF_MAP_TYPE_STACK_TRACE && script.command == BPF_MAP_LOOKUP_AND_DELETE_ELEM);
}

TEST_P(MapCallsNativeTest, AnswersAreTheKernels) {
  const Kind& kind = GetParam();
  const auto runtime = Runtime::create({.name = "calls", .btf = test_host_btf}).value();
  const auto cpus = static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_CONF));
  stride_ = kind.percpu ? (kind.value_bytes + 7) / 8 * 8 * cpus : kind.value_bytes;
  Side kernel(kind, kernel_bpf, stride_);
  if (!kernel.works()) GTEST_SKIP() << "no such map here: " << std::strerror(-kernel.error());
  Side ours(kind, [&](int cmd, bpf_attr& attr) { return runtime->bpf(cmd, &attr, sizeof attr); }, stride_);
  ASSERT_TRUE(ours.works()) << std::strerror(-ours.error());
  for (int i = 0; i < kind.calls; ++i) {
    Script script = draw();
    if (i == kind.calls * 9 / 10) script.command = BPF_MAP_FREEZE;
    if (is_left_out(kind, script)) continue;
    const Answer wanted = kernel.call(script), got = ours.call(script);
    ASSERT_EQ(got.result, wanted.result) << "call " << i << ", command " << script.command << ", flags " << script.flags << ", elem_flags " << script.elem_flags
                                         << ", count " << script.count << (script.first ? ", from the start" : "");
    ASSERT_EQ(got.count, wanted.count) << "call " << i << ", command " << script.command;
    ASSERT_EQ(got.out, wanted.out) << "call " << i << ", command " << script.command;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, MapCallsNativeTest, ::testing::ValuesIn(kKinds), [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace ring3
