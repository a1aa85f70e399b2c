// What does a helper or a map operation cost inside a program? The very same program goes to ring3 and, where bpf(2) works, to
// the machine's kernel: 256 operations in a loop, by BPF_PROG_TEST_RUN on both sides, the empty loop subtracted.
//
//   program_ops_bench [--rounds N] [--json FILE] [--filter TEXT]
//
// Sides take turns in each round, figures are medians over the rounds, by CPU time of the thread. Nothing is attached.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "adder_btf.h"
#include "bench/support/records.h"
#include "isa/assemble.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace ring3::bench {
namespace {

using namespace uapi;

constexpr std::uint32_t kOps = 256;
constexpr std::uint32_t kRunsAtOnce = 200;  // a ring holds the records of so many
constexpr std::uint32_t kRounds = 2;        // of kRunsAtOnce, for one measurement

struct MapShape {
  std::uint32_t type = 0, key_bytes = 0, value_bytes = 0, entries = 0, flags = 0;
};

struct Case {
  const char* name;
  MapShape map;
  const char* body;         // the operation; its key is at fp-8 and fp-16, and in r8
  const char* behind = "";  // functions behind the program
  bool two_threads = false;
};

constexpr const char* kNothing = "";
constexpr const char* kLookup = "r1 = map[name:m]\nr2 = r10\nr2 += -8\ncall 1\nif r0 == 0 goto none\n";
/// Where an entry may be missing: the kernel's LRU maps drop some while they are being filled. A miss is part of the row.
constexpr const char* kLookupOrMiss = "r1 = map[name:m]\nr2 = r10\nr2 += -8\ncall 1\nr9 = r0\n";
constexpr const char* kUpdate = "r1 = map[name:m]\nr2 = r10\nr2 += -8\nr3 = r10\nr3 += -16\nr4 = 0\ncall 2\n";
/// Into a map that is empty before: with two threads, both at keys that are mostly not the other's.
constexpr const char* kInsertDelete =
    "r1 = map[name:m]\nr2 = r10\nr2 += -8\nr3 = r10\nr3 += -16\nr4 = 0\ncall 2\nr1 = map[name:m]\nr2 = r10\nr2 += -8\ncall 3\n";
constexpr const char* kRing = "r1 = map[name:m]\nr2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto none\n*(u64 *)(r0 +0) = r8\nr1 = r0\nr2 = 1\ncall 132\n";

const Case kCases[] = {
    {"array/lookup/1k", {BPF_MAP_TYPE_ARRAY, 4, 8, 1024}, kLookup},
    {"array/lookup/64k", {BPF_MAP_TYPE_ARRAY, 4, 8, 65536}, kLookup},
    {"percpu_array/lookup/1k", {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1024}, kLookup},
    {"hash/lookup/1k", {BPF_MAP_TYPE_HASH, 8, 8, 1024}, kLookup, "", true},
    {"hash/lookup/64k", {BPF_MAP_TYPE_HASH, 8, 8, 65536}, kLookup, "", true},
    {"hash/lookup/1k/key_4", {BPF_MAP_TYPE_HASH, 4, 8, 1024}, kLookup},
    {"hash/lookup/1k/key_12", {BPF_MAP_TYPE_HASH, 12, 8, 1024}, kLookup},
    {"hash/lookup/1k/key_16", {BPF_MAP_TYPE_HASH, 16, 8, 1024}, kLookup},
    {"hash/lookup/1k/key_20", {BPF_MAP_TYPE_HASH, 20, 8, 1024}, kLookup},
    {"hash/lookup/1k/key_40", {BPF_MAP_TYPE_HASH, 40, 8, 1024}, kLookup},
    {"lru_hash/lookup/1k/key_16", {BPF_MAP_TYPE_LRU_HASH, 16, 8, 1024}, kLookupOrMiss},
    {"hash/update/1k", {BPF_MAP_TYPE_HASH, 8, 8, 1024}, kUpdate},
    {"hash/insert+delete/1k", {BPF_MAP_TYPE_HASH, 8, 8, 1024}, kInsertDelete, "", true},
    {"hash_no_prealloc/insert+delete/1k", {BPF_MAP_TYPE_HASH, 8, 8, 1024, BPF_F_NO_PREALLOC}, kInsertDelete, "", true},
    {"percpu_hash/lookup/1k", {BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1024}, kLookup},
    {"lru_hash/lookup/1k", {BPF_MAP_TYPE_LRU_HASH, 8, 8, 1024}, kLookupOrMiss},
    {"lru_hash/lookup/64k", {BPF_MAP_TYPE_LRU_HASH, 8, 8, 65536}, kLookupOrMiss},
    {"ringbuf/reserve+submit/8", {BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20}, kRing},
    {"get_smp_processor_id", {}, "call 8\n"},
    {"ktime_get_ns", {}, "call 5\n"},
    {"get_prandom_u32", {}, "call 7\n"},
    {"call/function", {}, "call function\n", "function:\nr0 = 1\nexit\n"},
};

/// r6 counts, r7 is a number of a linear congruence, r8 the key made of it. Each run starts with a random number, so that
/// all keys of a map are asked for.
std::string program_text(const Case& c, const char* body) {
  std::string text = "call 7\nw7 = w0\nr6 = 256\nloop:\nw7 *= 1664525\nw7 += 1013904223\nw8 = w7\nw8 >>= 8\n";
  text += fmt::format("w8 &= {}\n", std::max(c.map.entries, 1u) - 1);
  for (std::uint32_t at = 8; at <= std::max(c.map.key_bytes, 16u) + 7; at += 8) text += fmt::format("*(u64 *)(r10 -{}) = r8\n", at);
  text += body;
  text += "r6 += -1\nif r6 != 0 goto loop\nr0 = 2\nexit\n";
  if (std::string_view(body).find("goto none") != std::string_view::npos) text += "none:\nr0 = 1\nexit\n";
  return text + (*body != '\0' ? c.behind : "");
}

/// A key as the loop makes it.
std::array<std::uint64_t, 5> key_of(std::uint64_t number) { return {number, number, number, number, number}; }

std::string with_key_at(std::string text, std::uint32_t key_bytes) {
  // Longer ones begin further down.
  const std::size_t at = text.find("r2 += -8");
  return key_bytes <= 8 || at == std::string::npos ? text : text.replace(at, 8, fmt::format("r2 += -{}", (key_bytes + 7) / 8 * 8));
}

class MapSymbol final : public isa::Symbols {
 public:
  explicit MapSymbol(int fd) : fd_(fd) {}
  bool map(std::string_view, std::int32_t& fd) const override {
    fd = fd_;
    return fd >= 0;
  }

 private:
  const int fd_;
};

std::uint64_t pointer(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

bpf_attr empty_attr() {
  bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  return attr;
}

/// Null: the machine's kernel.
class Side {
 public:
  Side(Runtime* runtime, const Case& c, const char* body)
      : runtime_(runtime), name_(c.name), is_ring_(c.map.type == BPF_MAP_TYPE_RINGBUF) {
    if (c.map.type != 0) make_map(c.map, c.body != kInsertDelete);
    if (c.map.type == 0 || map_ >= 0) load(c, body);
  }
  ~Side() {
    if (consumer_ != nullptr) munmap(consumer_, page());
    if (producer_ != nullptr) munmap(producer_, page());
    for (const int fd : {program_, map_})
      if (fd >= 0) ::close(fd);
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  bool works() const { return program_ >= 0; }

  /// ns for one turn of the loop. None: the program gave up, said once on stderr; the row goes on without this side.
  std::optional<double> run() {
    double ns = 0;
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      static thread_local std::uint64_t packet[16];
      bpf_attr attr = empty_attr();
      attr.test.prog_fd = static_cast<std::uint32_t>(program_);
      attr.test.data_in = pointer(packet);
      attr.test.data_size_in = sizeof packet;
      attr.test.repeat = kRunsAtOnce;
      const double start = thread_ns();
      if (bpf(BPF_PROG_TEST_RUN, attr) != 0 || attr.test.retval != 2) {
        fmt::print(stderr, "{}: the program of {} does not run: {}\n", name_, runtime_ != nullptr ? "this side" : "the kernel's side", attr.test.retval);
        return std::nullopt;
      }
      ns += thread_ns() - start;
      if (is_ring_) drain();
    }
    return ns / (kRounds * kRunsAtOnce * kOps);
  }

 private:
  static std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

  long bpf(int cmd, bpf_attr& attr) {
    return runtime_ != nullptr ? runtime_->bpf(cmd, &attr, sizeof attr) : ::syscall(SYS_bpf, cmd, &attr, sizeof attr);
  }

  void make_map(const MapShape& shape, bool filled) {
    bpf_attr attr = empty_attr();
    attr.map_type = shape.type;
    attr.key_size = shape.key_bytes;
    attr.value_size = shape.value_bytes;
    attr.max_entries = shape.entries;
    attr.map_flags = shape.flags;
    map_ = static_cast<int>(bpf(BPF_MAP_CREATE, attr));
    if (map_ < 0 || shape.key_bytes == 0 || !filled) return;
    static std::uint64_t values[1024];  // room for every CPU's
    for (std::uint32_t i = 0; i < shape.entries; ++i) {
      const auto key = key_of(i);
      bpf_attr put = empty_attr();
      put.map_fd = static_cast<std::uint32_t>(map_);
      put.key = pointer(key.data());
      put.value = pointer(values);
      bpf(BPF_MAP_UPDATE_ELEM, put);
    }
  }

  void load(const Case& c, const char* body) {
    const MapSymbol symbol(map_);
    isa::AssembleError error;
    const auto raw = isa::assemble(with_key_at(program_text(c, body), c.map.key_bytes), &error, &symbol);
    if (!raw.ok()) {
      fmt::print(stderr, "{}: line {}: {}\n", c.name, error.line, error.message);
      std::exit(1);
    }
    std::vector<char> log(1 << 16);
    bpf_attr attr = empty_attr();
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = pointer(raw.value().data());
    attr.insn_cnt = static_cast<std::uint32_t>(raw.value().size());
    attr.license = pointer("GPL");
    attr.log_buf = pointer(log.data());
    attr.log_size = static_cast<std::uint32_t>(log.size());
    attr.log_level = 4;
    program_ = static_cast<int>(bpf(BPF_PROG_LOAD, attr));
    if (program_ < 0 && runtime_ != nullptr) fmt::print(stderr, "{}: refused\n{}\n", c.name, log.data());
  }

  void drain() {
    if (consumer_ == nullptr) {
      consumer_ = mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED, map_, 0);
      producer_ = mmap(nullptr, page(), PROT_READ, MAP_SHARED, map_, static_cast<off_t>(page()));
    }
    static_cast<std::atomic<std::uint64_t>*>(consumer_)->store(static_cast<std::atomic<std::uint64_t>*>(producer_)->load());
  }

  Runtime* const runtime_;
  const char* const name_;
  const bool is_ring_;
  int map_ = -1, program_ = -1;
  void *consumer_ = nullptr, *producer_ = nullptr;
};

class OpsBench {
 public:
  OpsBench(const CommonOptions& options, Runtime& runtime) : options_(options), runtime_(runtime) {
    fmt::print("{:<34} {:>8} {:>8} {:>7} {:>11} {:>9}\n", "ns per operation", "here", "kernel", "ratio", "2 threads", "kernel's");
  }

  void measure(const Case& c) {
    Side ours(&runtime_, c, c.body), our_loop(&runtime_, c, kNothing);
    Side kernel(nullptr, c, c.body), kernel_loop(nullptr, c, kNothing);
    if (!ours.works() || !our_loop.works()) return;
    std::vector<double> here, there;
    bool kernel_runs = kernel.works() && kernel_loop.works();
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      const auto whole = ours.run(), loop = our_loop.run();
      if (!whole || !loop) return fail();
      here.push_back(*whole - *loop);
      if (!kernel_runs) continue;
      const auto kernel_whole = kernel.run(), kernel_empty = kernel_loop.run();
      kernel_runs = kernel_whole && kernel_empty;
      if (kernel_runs) there.push_back(*kernel_whole - *kernel_empty);
    }
    if (!kernel_runs) there.clear();
    const double ns = median(here), kernel_ns = median(there);
    // What is hidden in the loop has no ratio.
    const bool has_ratio = kernel_ns > 1;
    fmt::print("{:<34} {:>8.1f} {:>8} {:>7}", c.name, ns, there.empty() ? "-" : fmt::format("{:.1f}", kernel_ns),
               has_ratio ? fmt::format("{:.2f}", ns / kernel_ns) : "-");
    Records::Ratios ratios;
    if (has_ratio) ratios.emplace_back("kernel", ns / kernel_ns);
    records_.add(fmt::format("program_ops/{}", c.name), ns, "ns", ratios);
    if (c.two_threads) {
      const double times = two_threads(ours);
      const std::optional<double> kernel_times = kernel_runs ? std::optional(two_threads(kernel)) : std::nullopt;
      fmt::print(" {:>10.2f}x {:>8}", times, kernel_times ? fmt::format("{:.2f}x", *kernel_times) : "-");
      Records::Ratios to_kernel;
      if (kernel_times) to_kernel.emplace_back("kernel", times / *kernel_times);
      records_.add(fmt::format("program_ops/{}/two_threads", c.name), times, "times one thread", to_kernel);
    }
    fmt::print("\n");
  }

  /// False: a row of ours did not run, or the records could not be written.
  bool finish() const { return records_.write(options_.json) && all_ran_; }

 private:
  /// Operations per second of two threads with one map against one thread alone. By CPU time: what the map makes them wait
  /// for each other shows, what others on the machine do does not.
  double two_threads(Side& side) const {
    std::vector<double> ratios;
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      const auto one = side.run();
      std::optional<double> other;
      std::thread thread([&] { other = side.run(); });
      const auto mine = side.run();
      thread.join();
      if (one && mine && other) ratios.push_back(*one / *mine + *one / *other);
    }
    return median(ratios);
  }

  void fail() { all_ran_ = false; }

  const CommonOptions& options_;
  Runtime& runtime_;
  bool all_ran_ = true;
  Records records_;
};

int run(const CommonOptions& options, const std::string& filter) {
  RuntimeOptions runtime_options;
  runtime_options.name = "bench";
  runtime_options.btf = adder_btf;
  Result<std::unique_ptr<Runtime>> runtime = Runtime::create(runtime_options);
  if (!runtime.ok()) return fmt::print(stderr, "program_ops_bench: no runtime\n"), 1;
  OpsBench bench(options, **runtime);
  for (const Case& c : kCases)
    if (std::string_view(c.name).find(filter) != std::string_view::npos) bench.measure(c);
  return bench.finish() ? 0 : 1;
}

}  // namespace
}  // namespace ring3::bench

int main(int argc, char** argv) {
  ring3::bench::CommonOptions options;
  std::string filter;
  CLI::App app("Helpers and map operations inside a program, here and in the machine's kernel.");
  ring3::bench::add_common_options(app, options);
  app.add_option("--filter", filter, "only the rows whose names contain this");
  CLI11_PARSE(app, argc, argv);
  return ring3::bench::run(options, filter);
}
