// What does a struct_ops call cost, from the host's hot path into a program and back? Each layer on top of the
// one before, against a native indirect call of the same function; last the way a host goes: a program that was loaded
// and verified, called through a point. `ratio_to_native` is that call's time over the native one's in the same run.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <ctime>
#include <memory>

#include "base/check.h"
#include "bench/adder_host.h"
#include "exec/detour.h"
#include "exec/engine.h"
#include "exec/jit.h"
#include "exec/program_entry.h"
#include "exec/thunk.h"
#include "object/rcu_inline.h"
#include "tests/support/fake_host.h"

namespace ring3 {
namespace {

using isa::Insn;
using isa::Op;
using Member = std::uint64_t (*)(std::uint64_t, std::uint64_t);

__attribute__((noinline)) std::uint64_t native_add(std::uint64_t a, std::uint64_t b) { return a + b; }

/// r0 = ctx[0] + ctx[1], as clang compiles a member that adds its arguments.
std::shared_ptr<const rewrite::XlatedProgram> adding_program(bool touches_percpu) {
  auto x = std::make_shared<rewrite::XlatedProgram>();
  x->insns = {
      Insn{.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = 2, .src = 1, .off = 8},
      Insn{.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = 0, .src = 1, .off = 0},
      Insn{.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = 0, .src = 2},
      Insn{.op = Op::kExit, .bits = 64},
  };
  x->subprogs = {{.start_idx = 0, .end_idx = 4, .stack_bytes = 0}};
  x->original_idx = {0, 1, 2, 3};
  x->touches_percpu = touches_percpu;
  return x;
}

/// A program that is native code: what is left is the cost of the way in.
class NativeCode final : public exec::Code {
 public:
  std::uint64_t call_subprog(exec::RunContext&, std::uint32_t, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t, std::uint64_t) const override {
    return 0;
  }
  const char* tier() const override { return "native"; }

 protected:
  std::uint64_t enter(exec::RunContext&, void* ctx) const override {
    const auto* slots = static_cast<const std::uint64_t*>(ctx);
    return slots[0] + slots[1];
  }
};

enum class Tier { kNative, kInterpreter, kJit };

struct Policy {
  Policy(Tier tier, bool touches_percpu) : entry(machine, {.touches_percpu = touches_percpu}) {
    std::unique_ptr<exec::Code> code;
    if (tier == Tier::kNative)
      code = std::make_unique<NativeCode>();
    else if (tier == Tier::kJit)
      code = exec::make_best_engine(machine.code)->compile(adding_program(touches_percpu)).value();
    else
      code = exec::make_interpreter()->compile(adding_program(touches_percpu)).value();
    RING3_CHECK(entry.set_code(std::move(code)).ok(), "code is set");
    exec::ThunkShape shape;
    shape.args.assign(2, exec::ThunkArg{});
    member = reinterpret_cast<Member>(thunks.add(shape, entry).value());
  }

  test::FakeHost host;
  exec::Machine machine{host};
  exec::ProgramEntry entry;
  exec::ThunkSet thunks{machine.code};
  Member member = nullptr;
};

void native_indirect_call(benchmark::State& state) {
  Member member = native_add;
  benchmark::DoNotOptimize(member);
  std::uint64_t sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum = member(sum, 1));
}
BENCHMARK(native_indirect_call);

/// The guard every hot path has, around a native function.
void native_call_in_read_section(benchmark::State& state) {
  Member member = native_add;
  benchmark::DoNotOptimize(member);
  std::uint64_t sum = 0;
  for (auto _ : state) {
    rcu::InlineReadSection readers;
    benchmark::DoNotOptimize(sum = member(sum, 1));
  }
}
BENCHMARK(native_call_in_read_section);

/// What counting every run adds to it.
void count_a_run(benchmark::State& state) {
  static exec::RunStats stats;
  for (auto _ : state) stats.count_run();
}
BENCHMARK(count_a_run)->ThreadRange(1, 2);

void enter_program(benchmark::State& state, Tier tier, bool touches_percpu) {
  const Policy policy(tier, touches_percpu);
  std::uint64_t slots[2] = {0, 1};
  for (auto _ : state) benchmark::DoNotOptimize(slots[0] = policy.entry.run(slots));
}
BENCHMARK_CAPTURE(enter_program, native, Tier::kNative, false);
BENCHMARK_CAPTURE(enter_program, native_percpu, Tier::kNative, true);
BENCHMARK_CAPTURE(enter_program, interpreter, Tier::kInterpreter, false);
BENCHMARK_CAPTURE(enter_program, jit, Tier::kJit, false);

/// r0 = add(ctx[0], ctx[1]): a program with a function.
std::shared_ptr<const rewrite::XlatedProgram> calling_program() {
  auto x = std::make_shared<rewrite::XlatedProgram>();
  x->insns = {
      Insn{.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = 2, .src = 1, .off = 8},
      Insn{.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = 1, .src = 1, .off = 0},
      Insn{.op = Op::kCallSubprog, .bits = 64, .jump = 1, .imm = 1},
      Insn{.op = Op::kExit, .bits = 64},
      Insn{.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = 0, .src = 1},
      Insn{.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = 0, .src = 2},
      Insn{.op = Op::kExit, .bits = 64},
  };
  x->subprogs = {{.start_idx = 0, .end_idx = 4, .stack_bytes = 0}, {.start_idx = 4, .end_idx = 7, .stack_bytes = 0}};
  x->original_idx = {0, 1, 2, 3, 4, 5, 6};
  return x;
}

enum class Redirected { kNot, kNoMore, kReplaced, kTraced };

/// What a link at the program's function adds to a run: nothing without one; kNoMore: the last has gone, and the code was kept.
void call_a_function(benchmark::State& state, Redirected how) {
  test::FakeHost host;
  exec::Machine machine{host};
  const auto engine = exec::make_best_engine(machine.code);
  exec::Detour detour(2);
  exec::ProgramEntry entry(machine, {}), other(machine, {});
  const exec::Detour* const detours[] = {nullptr, &detour};
  RING3_CHECK(entry.set_code(engine->compile(calling_program(), how == Redirected::kNot ? exec::Detours() : exec::Detours(detours)).value()).ok(), "code");
  RING3_CHECK(other.set_code(engine->compile(adding_program(false)).value()).ok(), "code");
  std::uint64_t slots[2] = {0, 1};
  if (how == Redirected::kReplaced) {
    auto replacing = std::make_shared<rewrite::XlatedProgram>(*calling_program());  // its function alone
    replacing->insns.erase(replacing->insns.begin(), replacing->insns.begin() + 4);
    replacing->subprogs = {{.start_idx = 0, .end_idx = 3, .stack_bytes = 0}};
    replacing->original_idx = {0, 1, 2};
    RING3_CHECK(other.set_code(engine->compile(replacing).value()).ok(), "code");
    RING3_CHECK(detour.replace(other).ok(), "replaced");
  }
  if (how == Redirected::kTraced) RING3_CHECK(detour.trace(exec::TracePoint::kEntry, other, 0).ok(), "traced");
  for (auto _ : state) benchmark::DoNotOptimize(slots[0] = entry.run(slots));
  if (!detour.is_empty()) detour.remove(other);
  rcu::drain();
}
BENCHMARK_CAPTURE(call_a_function, as_it_is, Redirected::kNot);
BENCHMARK_CAPTURE(call_a_function, no_more, Redirected::kNoMore);
BENCHMARK_CAPTURE(call_a_function, replaced, Redirected::kReplaced);
BENCHMARK_CAPTURE(call_a_function, fentry, Redirected::kTraced);

/// The whole way: guard, thunk, entry, program.
void struct_ops_call(benchmark::State& state, Tier tier, bool touches_percpu) {
  static std::unique_ptr<Policy> policy;
  if (state.thread_index() == 0) policy = std::make_unique<Policy>(tier, touches_percpu);
  std::uint64_t sum = 0;
  for (auto _ : state) {  // threads start together after the set-up above
    rcu::InlineReadSection readers;
    benchmark::DoNotOptimize(sum = policy->member(sum, 1));
  }
  if (state.thread_index() == 0) policy.reset();
}
BENCHMARK_CAPTURE(struct_ops_call, native, Tier::kNative, false)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(struct_ops_call, jit, Tier::kJit, false)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(struct_ops_call, jit_percpu, Tier::kJit, true)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(struct_ops_call, interpreter, Tier::kInterpreter, false)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(struct_ops_call, interpreter_percpu, Tier::kInterpreter, true)->ThreadRange(1, 2);

/// CPU time of the calling thread: what others do to the machine does not show.
double thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Nanoseconds of one native indirect call, measured here and now.
double native_call_ns() {
  constexpr int kCalls = 2'000'000;
  Member member = native_add;
  benchmark::DoNotOptimize(member);
  std::uint64_t sum = 0;
  const double start = thread_ns();
  for (int i = 0; i < kCalls; ++i) benchmark::DoNotOptimize(sum = member(sum, 1));
  return (thread_ns() - start) / kCalls;
}

constexpr std::string_view kAdd = "r2 = *(u64 *)(r1 +8)\nr0 = *(u64 *)(r1 +0)\nr0 += r2\nexit";
/// Sixteen times round a loop: what the engine costs, apart from the way in.
constexpr std::string_view kAddInALoop =
    "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr3 = 16\nagain:\nr0 += r2\nr3 -= 1\nif r3 != 0 goto again\nexit";

/// Calls a helper: it needs a run.
constexpr std::string_view kAddWithARun = "r6 = r1\ncall 7\nr2 = *(u64 *)(r6 +8)\nr0 = *(u64 *)(r6 +0)\nr0 += r2\nexit";
/// … and a CPU slot.
constexpr std::string_view kAddWithASlot = "r6 = r1\ncall 8\nr2 = *(u64 *)(r6 +8)\nr0 = *(u64 *)(r6 +0)\nr0 += r2\nexit";

void verified_struct_ops_call(benchmark::State& state, std::string_view program) {
  static std::unique_ptr<bench::AdderHost> host;
  if (state.thread_index() == 0) host = std::make_unique<bench::AdderHost>(program);
  const double native_ns = native_call_ns();
  std::uint64_t sum = 0;
  double start = 0;
  bool first = true;
  for (auto _ : state) {  // threads start together after the set-up above
    if (first) {
      start = thread_ns();
      first = false;
    }
    auto p = host->point().enter();
    benchmark::DoNotOptimize(sum = p->add(sum, 1));
  }
  const double call_ns = (thread_ns() - start) / static_cast<double>(state.iterations());
  state.counters["ratio_to_native"] = benchmark::Counter(call_ns / native_ns, benchmark::Counter::kAvgThreads);
  state.counters["ns_over_native"] = benchmark::Counter(call_ns - native_ns, benchmark::Counter::kAvgThreads);
  if (state.thread_index() == 0) host.reset();
}
BENCHMARK_CAPTURE(verified_struct_ops_call, add, kAdd)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(verified_struct_ops_call, loop, kAddInALoop);
BENCHMARK_CAPTURE(verified_struct_ops_call, with_run_and_helper, kAddWithARun);
BENCHMARK_CAPTURE(verified_struct_ops_call, with_cpu_slot, kAddWithASlot);

}  // namespace
}  // namespace ring3
