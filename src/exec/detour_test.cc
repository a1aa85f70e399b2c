// Functions with detours, in every tier: replaced, traced, entered past, left by exceptions, changed while they run.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "exec/jit.h"
#include "exec/jit/random_program.h"
#include "exec/program_entry.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/rcu.h"
#include "rewrite/tail_calls.h"
#include "tests/support/fake_host.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

using rewrite::HelperFn;

class DetourTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !jit_available()) GTEST_SKIP() << "no compiler for this machine";
    engine_ = GetParam() ? make_jit(machine_.code) : make_interpreter();
    seen_.clear();
  }
  ~DetourTest() override { rcu::drain(); }

  /// Functions begin where they are called. Helpers by their index, from 0; function#0 throws.
  std::shared_ptr<rewrite::XlatedProgram> program_of(std::string_view text, std::vector<rewrite::HelperCall> helpers = {}) {
    auto program = std::make_shared<rewrite::XlatedProgram>();
    program->insns = isa::decode(isa::assemble(text).value()).value();
    const auto count = static_cast<std::uint32_t>(program->insns.size());
    std::vector<std::uint32_t> starts{0};
    for (std::uint32_t i = 0; i < count; ++i)
      if (program->insns[i].op == isa::Op::kCallSubprog) starts.push_back(i + 1 + static_cast<std::uint32_t>(program->insns[i].jump));
    std::sort(starts.begin(), starts.end());
    starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
    for (std::size_t i = 0; i < starts.size(); ++i)
      program->subprogs.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : count, 64});
    program->original_idx.resize(count);
    program->helpers = std::move(helpers);
    if (text.find("kernel-function#0") != std::string_view::npos) program->kfuncs.push_back({"bpf_throw", nullptr, 0, false, true});
    return program;
  }

  /// A program, with detours where `hooked` has bits.
  struct Loaded {
    Loaded(Machine& machine, EntryOptions options) : entry(machine, options) {}
    std::vector<std::unique_ptr<Detour>> detours;
    ProgramEntry entry;
  };
  std::unique_ptr<Loaded> load(std::shared_ptr<rewrite::XlatedProgram> program, unsigned hooked = 0, std::uint32_t args = 2) {
    auto loaded = std::make_unique<Loaded>(machine_, EntryOptions{.touches_percpu = program->touches_percpu});
    std::vector<const Detour*> table;
    for (std::size_t i = 0; i < program->subprogs.size(); ++i) {
      loaded->detours.push_back((hooked >> i & 1) != 0 ? std::make_unique<Detour>(args) : nullptr);
      table.push_back(loaded->detours.back().get());
    }
    if (hooked == 0) table.clear();
    auto code = engine_->compile(program, table);
    EXPECT_TRUE(code.ok());
    EXPECT_TRUE(loaded->entry.set_code(std::move(code).value()).ok());
    return loaded;
  }
  std::unique_ptr<Loaded> load(std::string_view text, unsigned hooked = 0, std::uint32_t args = 2) { return load(program_of(text), hooked, args); }

  /// What helper 0 of these tests noted.
  static std::uint64_t note(std::uint64_t a, std::uint64_t b, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
    seen_.push_back(a * 100 + b);
    return 0;
  }
  std::unique_ptr<Loaded> noting(std::string_view text) { return load(program_of(text, {{1000, "note", note}})); }

  static inline std::vector<std::uint64_t> seen_;
  test::FakeHost host_{3};
  Machine machine_{host_};
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Tiers, DetourTest, testing::Bool(), [](const auto& tier) { return tier.param ? "jit" : "interpreter"; });

constexpr std::string_view kCaller = "r6 = r1\nr1 = 7\nr2 = 5\ncall f\nr0 += 1000\nexit\nf: r0 = r1\nr0 += r2\nexit";

TEST_P(DetourTest, AnEmptyOneLeadsIntoTheBody) {
  for (const unsigned hooked : {1u, 2u, 3u}) {
    const auto program = load(kCaller, hooked);
    EXPECT_EQ(program->entry.run(nullptr), 1012u);
    EXPECT_EQ(program->entry.code()->leaf(), nullptr);
  }
}

TEST_P(DetourTest, AReplacementGetsTheArgumentsAndGivesTheResult) {
  const auto program = load(kCaller, 2);
  const auto other = load("r0 = r1\nr0 *= r2\nexit");
  ASSERT_TRUE(program->detours[1]->replace(other->entry).ok());
  EXPECT_TRUE(program->detours[1]->is_replaced());
  EXPECT_EQ(program->entry.run(nullptr), 1035u);
  program->detours[1]->remove(other->entry);
  EXPECT_TRUE(program->detours[1]->is_empty());
  EXPECT_EQ(program->entry.run(nullptr), 1012u);
}

TEST_P(DetourTest, MainIsReplacedAsWell) {
  const auto program = load(kCaller, 1);
  const auto other = load("r0 = *(u64 *)(r1 +0)\nexit");
  ASSERT_TRUE(program->detours[0]->replace(other->entry).ok());
  std::uint64_t ctx = 77;
  EXPECT_EQ(program->entry.run(&ctx), 77u);
  EXPECT_EQ(program->entry.totals().runs, 1u);
  EXPECT_EQ(other->entry.totals().runs, 0u);  // it ran in the other's run
}

struct Look {
  struct At {
    const Code* code;
    const ProgramEntry* entry;
    const ProgramEntry* root;
    bool holds_slot;
  };
  static inline At at[8];
  static inline std::size_t count;
  static std::uint64_t look(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
    at[count++] = {run.code, run.entry, run.root, run.holds_slot};
    return 0;
  }
};

TEST_P(DetourTest, TheRunIsTheReplacementsMeanwhile) {
  Look::count = 0;
  const std::vector<rewrite::HelperCall> helpers{{1000, "look", Look::look}};
  const auto program = load(program_of("call f\ncall 0\nexit\nf: r0 = 1\nexit", helpers), 2);
  auto touching = program_of("call 0\nr0 = 3\nexit", helpers);
  touching->touches_percpu = true;
  const auto other = load(touching);
  ASSERT_TRUE(program->detours[1]->replace(other->entry).ok());
  EXPECT_EQ(program->entry.run(nullptr), 0u);
  ASSERT_EQ(Look::count, 2u);
  EXPECT_EQ(Look::at[0].code, other->entry.code());
  EXPECT_EQ(Look::at[0].entry, &other->entry);
  EXPECT_EQ(Look::at[0].root, &program->entry);
  EXPECT_TRUE(Look::at[0].holds_slot);
  EXPECT_EQ(Look::at[1].code, program->entry.code());
  EXPECT_EQ(Look::at[1].entry, &program->entry);
  EXPECT_FALSE(Look::at[1].holds_slot);
  // Every slot is free again.
  std::uint32_t taken[3];
  for (std::uint32_t& slot : taken) slot = machine_.slots.acquire();
  for (const std::uint32_t slot : taken) machine_.slots.release(slot);
}

TEST_P(DetourTest, TracersRunAroundTheBodyTheLastFirst) {
  const auto program = load(kCaller, 2);
  const auto in1 = noting("r6 = r1\nr1 = 1\nr2 = *(u64 *)(r6 +0)\ncall 0\nr0 = 0\nexit");
  const auto in2 = noting("r6 = r1\nr1 = 2\nr2 = *(u64 *)(r6 +8)\ncall 0\nr0 = 0\nexit");
  const auto out1 = noting("r6 = r1\nr1 = 3\nr2 = *(u64 *)(r6 +16)\ncall 0\nr0 = 99\nexit");
  const auto out2 = noting("r6 = r1\nr1 = 4\nr2 = *(u64 *)(r6 +0)\ncall 0\nr0 = 99\nexit");
  Detour& detour = *program->detours[1];
  for (const auto* tracer : {&in1, &in2}) ASSERT_TRUE(detour.trace(TracePoint::kEntry, (*tracer)->entry, 0).ok());
  for (const auto* tracer : {&out1, &out2}) ASSERT_TRUE(detour.trace(TracePoint::kExit, (*tracer)->entry, 0).ok());
  EXPECT_EQ(detour.tracers(), 4u);
  EXPECT_TRUE(detour.is_traced_by(TracePoint::kExit, out1->entry));
  EXPECT_FALSE(detour.is_traced_by(TracePoint::kEntry, out1->entry));
  EXPECT_EQ(program->entry.run(nullptr), 1012u);
  EXPECT_EQ(seen_, (std::vector<std::uint64_t>{205, 107, 407, 312}));
  seen_.clear();
  detour.remove(in2->entry);
  detour.remove(out1->entry);
  EXPECT_EQ(program->entry.run(nullptr), 1012u);
  EXPECT_EQ(seen_, (std::vector<std::uint64_t>{107, 407}));
  detour.remove(in1->entry);
  detour.remove(out2->entry);
  EXPECT_TRUE(detour.is_empty());
  EXPECT_EQ(in1->entry.totals().runs, 2u);
  EXPECT_EQ(in2->entry.totals().runs, 1u);
}

struct Ask {
  struct At {
    std::uint32_t args;
    bool has_result;
    std::uint64_t result, cookie, func_ip;
  };
  static inline At at[4];
  static inline std::size_t count;
  static std::uint64_t ask(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
    at[count++] = {run.traced->args, run.traced->has_result, run.traced->slots[run.traced->args], run.attach_cookie, run.func_ip};
    return 0;
  }
};

TEST_P(DetourTest, HelpersTellOfTheCall) {
  Ask::count = 0;
  const auto program = load(kCaller, 2);
  const auto tracer = load(program_of("call 0\nr0 = 0\nexit", {{1000, "ask", Ask::ask}}));
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kEntry, tracer->entry, 11).ok());
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kExit, tracer->entry, 22).ok());
  program->entry.run(nullptr);
  ASSERT_EQ(Ask::count, 2u);
  EXPECT_EQ(Ask::at[0].args, 2u);
  EXPECT_FALSE(Ask::at[0].has_result);
  EXPECT_TRUE(Ask::at[1].has_result);
  EXPECT_EQ(Ask::at[1].result, 12u);
  EXPECT_EQ(Ask::at[0].cookie, 11u);
  EXPECT_EQ(Ask::at[1].cookie, 22u);
  const CodeListing listing = program->entry.code()->listing();
  if (!listing.bytes.empty()) {
    EXPECT_EQ(Ask::at[0].func_ip, reinterpret_cast<std::uintptr_t>(listing.bytes.data()) + listing.function_offset[1]);
  }
  EXPECT_NE(Ask::at[0].func_ip, 0u);
}

TEST_P(DetourTest, ATracerInItsOwnRunIsMissed) {
  // The tracer has a function that it traces itself.
  const auto program = load("call f\nexit\nf: r0 = 1\nexit", 2);
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kEntry, program->entry, 0).ok());
  EXPECT_EQ(program->entry.run(nullptr), 1u);
  EXPECT_EQ(program->entry.totals().recursion_misses, 1u);
  program->detours[1]->remove(program->entry);
}

TEST_P(DetourTest, CallbacksGoThroughIt) {
  const auto call_back = [](std::uint64_t subprog, std::uint64_t n, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; ++i) sum += run.code->call_subprog(run, static_cast<std::uint32_t>(subprog), i, 1);
    return sum;
  };
  // f is called once by itself, so that it is a function.
  const auto program = load(program_of("r1 = 1\nr2 = 3\ncall 0\nr6 = r0\nr1 = 10\nr2 = 1\ncall f\nr0 += r6\nexit\nf: r0 = r1\nr0 += r2\nexit",
                                       {{1000, "call_back", call_back}}), 2);
  EXPECT_EQ(program->entry.run(nullptr), 6u + 11u);
  const auto other = load("r0 = 100\nexit");
  ASSERT_TRUE(program->detours[1]->replace(other->entry).ok());
  EXPECT_EQ(program->entry.run(nullptr), 400u);
  EXPECT_EQ(program->entry.run_callback(1, 0, 0, 0), 100u);
}

TEST_P(DetourTest, TheLoopInLineGoesThroughIt) {
  const auto never = [](std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return std::uint64_t{0}; };
  const auto loop = [](std::uint64_t count, std::uint64_t subprog, std::uint64_t ctx, std::uint64_t, std::uint64_t, RunContext& run) {
    std::uint64_t i = 0;
    while (i < count && run.code->call_subprog(run, static_cast<std::uint32_t>(subprog), i++, ctx) == 0) {
    }
    return i;
  };
  auto text = program_of("r1 = 5\nr2 = 1 ll\nr3 = 0\nr4 = 0\ncall 0\nr6 = r0\ncall f\nr0 = r6\nexit\nf: r0 = 0\nexit",
                         {{uapi::BPF_FUNC_loop, "bpf_loop", GetParam() ? HelperFn(never) : HelperFn(loop)}});
  for (isa::Insn& insn : text->insns)
    if (insn.op == isa::Op::kLdImm64) insn.src = static_cast<std::uint8_t>(isa::Pseudo::kFunc);
  const auto program = load(text, 2);
  EXPECT_EQ(program->entry.run(nullptr), 5u);
  const auto other = load("r0 = 0\nif r1 < 2 goto on\nr0 = 1\non: exit");
  ASSERT_TRUE(program->detours[1]->replace(other->entry).ok());
  EXPECT_EQ(program->entry.run(nullptr), 3u);
}

TEST_P(DetourTest, ExceptionsEndWithTheReplacement) {
  const auto program = load(kCaller, 2);
  const auto other = load("r1 = 40\ncall kernel-function#0\nexit");
  ASSERT_TRUE(program->detours[1]->replace(other->entry).ok());
  EXPECT_EQ(program->entry.run(nullptr), 1040u);
}

TEST_P(DetourTest, ExceptionsOfTheBodyLeaveTheExitOut) {
  const auto program = load("call f\nr0 = 1\nexit\nf: r1 = 40\ncall kernel-function#0\nexit", 2);
  const auto in = noting("r1 = 1\nr2 = 1\ncall 0\nr0 = 0\nexit");
  const auto out = noting("r1 = 2\nr2 = 2\ncall 0\nr0 = 0\nexit");
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kEntry, in->entry, 0).ok());
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kExit, out->entry, 0).ok());
  EXPECT_EQ(program->entry.run(nullptr), 40u);
  EXPECT_EQ(seen_, std::vector<std::uint64_t>{101});
}

/// The tail call helper of these tests: into t_target, if there is one.
const ProgramEntry* t_target = nullptr;
std::uint64_t tail_call(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  if (t_target == nullptr || run.tail_calls >= kMaxTailCalls) return 1;
  ++run.tail_calls;
  run.tail_ctx = reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx));
  run.entry = t_target;
  run.tail_target = t_target->code();
  return 0;
}
const std::vector<rewrite::HelperCall> kTailCall{{uapi::BPF_FUNC_tail_call, "bpf_tail_call", tail_call}};

TEST_P(DetourTest, TailCallsGoPastIt) {
  // main is traced, and tail calls itself: the tracer sees one call, and its end.
  const auto program = load(program_of("call 0\nr0 = 5\nexit", kTailCall), 1, 1);
  const auto in = noting("r1 = 1\nr2 = 1\ncall 0\nr0 = 0\nexit");
  const auto out = noting("r6 = r1\nr1 = 2\nr2 = *(u64 *)(r6 +8)\ncall 0\nr0 = 0\nexit");
  ASSERT_TRUE(program->detours[0]->trace(TracePoint::kEntry, in->entry, 0).ok());
  ASSERT_TRUE(program->detours[0]->trace(TracePoint::kExit, out->entry, 0).ok());
  t_target = &program->entry;
  EXPECT_EQ(program->entry.run(nullptr), 5u);
  EXPECT_EQ(seen_, (std::vector<std::uint64_t>{101, 205}));
  // From another program, without anybody seeing it.
  const auto outer = load(program_of("call 0\nr0 = 6\nexit", kTailCall));
  seen_.clear();
  EXPECT_EQ(outer->entry.run(nullptr), 5u);
  EXPECT_TRUE(seen_.empty());
  t_target = nullptr;
}

TEST_P(DetourTest, TailCallsOfFunctionsEndInsideIt) {
  const auto program = load(program_of("r1 = 9\ncall f\nr0 += 1\nexit\nf: call 0\nr0 = 5\nexit", kTailCall), 2, 1);
  const auto target = load("r0 = 60\nexit");
  const auto out = noting("r6 = r1\nr1 = 2\nr2 = *(u64 *)(r6 +8)\ncall 0\nr0 = 0\nexit");
  ASSERT_TRUE(program->detours[1]->trace(TracePoint::kExit, out->entry, 0).ok());
  t_target = &target->entry;
  EXPECT_EQ(program->entry.run(nullptr), 61u);
  EXPECT_EQ(seen_, std::vector<std::uint64_t>{260});
  // A replacement's main tail calls with a context that is not its first argument.
  const auto with_context = load("r0 = *(u64 *)(r1 +0)\nexit");
  t_target = &with_context->entry;
  const auto other = load(program_of("r1 = r2\ncall 0\nr0 = 5\nexit", kTailCall));
  const auto caller = load("r2 = r1\nr1 = 1\ncall f\nr0 += 1\nexit\nf: r0 = 0\nexit", 2);
  ASSERT_TRUE(caller->detours[1]->replace(other->entry).ok());
  std::uint64_t ctx = 300;
  EXPECT_EQ(caller->entry.run(&ctx), 301u);
  t_target = nullptr;
}

/// With empty detours, and with programs around every function, random programs do what they do without.
TEST_P(DetourTest, ChangesNothingOfRandomPrograms) {
  const auto plain = make_interpreter();
  const auto tracer = load("r0 = 12345\nexit");
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    const auto program = jit::RandomProgram::make(seed);
    const auto run = [&](const Code& code) {
      std::vector<std::uint8_t> memory(jit::RandomProgram::kMemoryBytes + 8);
      for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::uint8_t>(i * 37 + 11);
      RunContext context;
      context.machine = &machine_;
      context.host = &host_;
      RunScope scope(context);
      memory.back() = 0;
      const std::uint64_t r0 = code.run(context, memory.data());
      return std::pair(r0, memory);
    };
    const auto want = run(*plain->compile(program).value());
    std::vector<std::unique_ptr<Detour>> detours;
    std::vector<const Detour*> table;
    for (std::size_t i = 0; i < program->subprogs.size(); ++i) {
      detours.push_back(std::make_unique<Detour>(5));
      table.push_back(detours.back().get());
    }
    const auto code = engine_->compile(program, table).value();
    ASSERT_EQ(run(*code), want) << "seed " << seed;
    for (const auto& detour : detours) {
      ASSERT_TRUE(detour->trace(TracePoint::kEntry, tracer->entry, 0).ok());
      ASSERT_TRUE(detour->trace(TracePoint::kExit, tracer->entry, 0).ok());
    }
    ASSERT_EQ(run(*code), want) << "seed " << seed << ", traced";
  }
  EXPECT_GT(tracer->entry.totals().runs, 1000u);
}

TEST_P(DetourTest, NeedsNoMemoryToLeave) {
  const auto program = load(kCaller, 2);
  const auto first = noting("r1 = 1\nr2 = 1\ncall 0\nr0 = 0\nexit"), second = noting("r1 = 2\nr2 = 2\ncall 0\nr0 = 0\nexit");
  Detour& detour = *program->detours[1];
  {
    FaultInjection fault(0);
    EXPECT_EQ(detour.replace(first->entry).error(), Errno::kNoMem);
  }
  {
    FaultInjection fault(0);
    EXPECT_EQ(detour.trace(TracePoint::kEntry, first->entry, 0).error(), Errno::kNoMem);
  }
  EXPECT_TRUE(detour.is_empty());
  for (const auto* tracer : {&first, &second}) ASSERT_TRUE(detour.trace(TracePoint::kEntry, (*tracer)->entry, 0).ok());
  {
    FaultInjection fault(0);
    detour.remove(second->entry);
  }
  EXPECT_EQ(detour.tracers(), 1u);
  EXPECT_FALSE(detour.is_traced_by(TracePoint::kEntry, second->entry));
  EXPECT_EQ(program->entry.run(nullptr), 1012u);
  EXPECT_EQ(seen_, std::vector<std::uint64_t>{101});
  ASSERT_TRUE(detour.trace(TracePoint::kEntry, second->entry, 0).ok());
  EXPECT_EQ(detour.tracers(), 2u);
  detour.remove(first->entry);
  detour.remove(second->entry);
  EXPECT_TRUE(detour.is_empty());
}

TEST_P(DetourTest, ChangesWhileOthersRun) {
  const auto program = load(kCaller, 2);
  const auto other = load("r0 = 500\nexit"), tracer = load("r0 = 0\nexit");
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> runners;
  for (int i = 0; i < 2; ++i)
    runners.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        const std::uint64_t got = program->entry.run(nullptr);
        if (got != 1012 && got != 1500) wrong.fetch_add(1);
      }
    });
  for (int i = 0; i < 5000; ++i) {
    Detour& detour = *program->detours[1];
    if (i % 2 == 0) {
      ASSERT_TRUE(detour.replace(other->entry).ok());
      detour.remove(other->entry);
    } else {
      ASSERT_TRUE(detour.trace(TracePoint::kEntry, tracer->entry, 0).ok());
      ASSERT_TRUE(detour.trace(TracePoint::kExit, tracer->entry, 0).ok());
      detour.remove(tracer->entry);
    }
  }
  stop.store(true);
  for (std::thread& runner : runners) runner.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace ring3::exec
