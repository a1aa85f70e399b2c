// What does an operation on owned objects cost a program, here and in the machine's kernel? The same object file is loaded by
// libbpf on both sides and run by BPF_PROG_TEST_RUN (nothing is attached): 256 turns a run, the loop's own cost subtracted.
//
//   kptr_bench OBJECTS-DIR [--rounds N] [--json FILE]
//
// Rounds are interleaved, figures are medians over rounds; `ratio` is here / kernel of the same run. A program that one side
// refuses is left out and named.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adder_btf.h"
#include "bench/support/records.h"
#include "ring3/runtime.h"
#include "tests/integration/libbpf_door.h"
#include "uapi/bpf.h"

namespace ring3 {
namespace {

constexpr double kTurns = 256;  // of a run
constexpr std::uint32_t kRepeat = 200;

struct Case {
  const char* file;
  const char* name;     // in the records
  const char* program;
  double ops;           // of a turn
};
constexpr Case kCases[] = {
    {"kptr.bpf.o", "exchange", "exchange", 2},
    {"kptr.bpf.o", "object new and drop", "new_drop", 1},
    {"kptr.bpf.o", "list pop and push", "pop_push", 1},
    {"kptr.bpf.o", "rbtree remove and add, 64 nodes", "remove_add", 1},
    {"kptr_timer.bpf.o", "timer start", "start", 1},
};

/// One side: the runtime, or the machine's kernel when there is none.
class Side {
 public:
  Side(Runtime* runtime, const std::string& path) : runtime_(runtime), file_(path.c_str()) {}
  int load() { return file_.load(); }
  /// Nanoseconds of a run; absent: it failed.
  std::optional<double> run(const char* program, std::uint32_t repeat) const {
    std::uint8_t packet[64] = {};
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    attr.test.prog_fd = static_cast<std::uint32_t>(file_.program(program));
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
    attr.test.data_size_in = sizeof packet;
    attr.test.repeat = repeat;
    const long done = runtime_ != nullptr ? runtime_->bpf(uapi::BPF_PROG_TEST_RUN, &attr, sizeof attr)
                                          : ::syscall(SYS_bpf, uapi::BPF_PROG_TEST_RUN, &attr, sizeof attr);
    if (done < 0 || attr.test.retval != 0) return std::nullopt;
    return attr.test.duration;
  }

 private:
  Runtime* const runtime_;
  test::ObjectFile file_;
};

/// Both sides of one object file; a side that refuses it is null.
struct Sides {
  std::unique_ptr<Side> here, kernel;
};

std::unique_ptr<Side> loaded(Runtime* runtime, const std::string& path) {
  auto side = std::make_unique<Side>(runtime, path);
  if (const int error = side->load(); error != 0) {
    std::fprintf(stderr, "kptr_bench: %s does not load %s: %s\n", runtime != nullptr ? "ring3" : "the kernel", path.c_str(),
                 std::strerror(-error));
    return nullptr;
  }
  return side;
}

Sides load_both(Runtime& runtime, const std::string& path) {
  Sides sides;
  {
    const test::LibbpfDoor door(runtime, adder_btf);
    sides.here = loaded(&runtime, path);
  }
  sides.kernel = loaded(nullptr, path);
  return sides;
}

/// Of one operation.
std::optional<double> cost(const Side* side, const Case& c) {
  if (side == nullptr) return std::nullopt;
  const std::optional<double> base = side->run("nothing", kRepeat), all = side->run(c.program, kRepeat);
  if (!base || !all) return std::nullopt;
  return (*all - *base) / (kTurns * c.ops);
}

int measure(const std::string& objects, const bench::CommonOptions& options) {
  auto runtime = Runtime::create({.name = "bench", .btf = adder_btf});
  if (!runtime.ok()) return 1;
  bench::Records records;
  bench::Geomean all;
  std::string file;
  Sides sides;
  std::printf("%-34s %10s %10s %7s\n", "operation", "here ns", "kernel ns", "ratio");
  for (const Case& c : kCases) {
    if (file != c.file) {
      sides = load_both(**runtime, objects + "/" + (file = c.file));
      for (const Side* side : {sides.here.get(), sides.kernel.get()})
        if (side != nullptr) (void)side->run("fill", 1);
    }
    std::vector<double> here, kernel;
    for (std::uint32_t round = 0; round < options.rounds; ++round) {
      if (const auto ns = cost(sides.here.get(), c)) here.push_back(*ns);
      if (const auto ns = cost(sides.kernel.get(), c)) kernel.push_back(*ns);
    }
    if (here.empty()) {
      std::printf("%-34s not measured here\n", c.name);
      continue;
    }
    const double ns = bench::median(here), peer = bench::median(kernel);
    std::optional<double> ratio;
    if (!kernel.empty() && peer > 0) {
      ratio = ns / peer;
      all.add(*ratio);
    }
    std::printf("%-34s %10.1f %10.1f %7.2f\n", c.name, ns, peer, ratio.value_or(0));
    records.add(std::string("kptr/") + c.name, ns, "ns", {{"kernel", ratio}});
  }
  if (const auto mean = all.value()) {
    std::printf("geomean of %d: %.2f of the kernel's time\n", all.count(), *mean);
    records.add("kptr/geomean", *mean, "ratio", {{"kernel", *mean}});
  }
  return records.write(options.json) ? 0 : 1;
}

}  // namespace
}  // namespace ring3

int main(int argc, char** argv) {
  CLI::App app{"What operations on owned objects cost, here and in the machine's kernel."};
  ring3::bench::CommonOptions options;
  std::string objects;
  app.add_option("OBJECTS", objects, "the folder of kptr.bpf.o and kptr_timer.bpf.o")->required();
  ring3::bench::add_common_options(app, options);
  CLI11_PARSE(app, argc, argv);
  return ring3::measure(objects, options);
}
