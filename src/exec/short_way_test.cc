// The short ways into compiled code: of the thunk, and of ProgramEntry::run(). Whatever comes in between, a run begins with
// what the long way would give it, and leaves the thread's context as it was.
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>

#include "exec/jit.h"
#include "exec/program_entry.h"
#include "exec/thunk.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/rcu.h"
#include "ring3/read_section.h"
#include "tests/support/fake_host.h"

namespace ring3::exec {
namespace {

using Member = std::uint64_t (*)(std::uint64_t, std::uint64_t);
using rewrite::HelperFn;

constexpr std::string_view kAskAndAdd =
    "r6 = r1\ncall 0\nr2 = *(u64 *)(r6 +8)\nr0 = *(u64 *)(r6 +0)\nr0 += r2\nexit";

class ShortWayTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
    seen_ = {};
    // Tests before this one may have made it hard for the thread to get a slot of its own.
    for (int i = 0; i < 5000; ++i) machine_.slots.release(machine_.slots.acquire());
  }
  ~ShortWayTest() override { rcu::drain(); }

  std::unique_ptr<Code> compile(std::string_view text, HelperFn helper, std::uint32_t id = 1000) {
    auto program = std::make_shared<rewrite::XlatedProgram>();
    program->insns = isa::decode(isa::assemble(text).value()).value();
    const auto count = static_cast<std::uint32_t>(program->insns.size());
    program->subprogs.push_back({0, count, 0});
    program->original_idx.resize(count);
    program->helpers.push_back({id, "helper", helper});
    program->kfuncs.push_back({"bpf_throw", nullptr, 0, false, true});
    program->touches_percpu = GetParam();
    return make_jit(machine_.code)->compile(program).value();
  }
  /// A member that runs `code`.
  Member member_of(ProgramEntry& entry, std::unique_ptr<Code> code) {
    EXPECT_TRUE(entry.set_code(std::move(code)).ok());
    ThunkShape shape;
    shape.args.assign(2, ThunkArg{});
    return reinterpret_cast<Member>(thunks_.add(shape, entry).value());
  }
  static std::uint64_t call(Member member, std::uint64_t a, std::uint64_t b) {
    ReadSection readers;
    return member(a, b);
  }
  /// Every slot is free.
  bool all_slots_are_back() {
    std::uint32_t taken[3];
    for (std::uint32_t& slot : taken) slot = machine_.slots.acquire();
    for (const std::uint32_t slot : taken) machine_.slots.release(slot);
    return true;
  }
  static bool is_as_made(const RunContext& idle) {
    return idle.tail_calls == 0 && !idle.unused && idle.tail_target == nullptr && !idle.holds_slot && !idle.owns_slot &&
           !idle.thrown && idle.outer == nullptr && idle.attach_cookie == 0 && idle.func_ip == 0 && idle.client == nullptr &&
           idle.seq == nullptr && idle.traced == nullptr;
  }
  EntryOptions options() const { return {.touches_percpu = GetParam()}; }

  /// What helpers of these tests see and do.
  struct Seen {
    RunContext run;
    const RunContext* at = nullptr;
    const Code* target = nullptr;
    std::uint64_t calls = 0;
  };
  static Seen seen_;
  static std::uint64_t look(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
    seen_.run = run;
    seen_.at = &run;
    ++seen_.calls;
    EXPECT_EQ(current_run(), &run);
    return 0;
  }

  test::FakeHost host_{3};
  Machine machine_{host_};
  ThunkSet thunks_{machine_.code};
};
ShortWayTest::Seen ShortWayTest::seen_;

TEST_P(ShortWayTest, ARunBeginsWithAllItNeeds) {
  ProgramEntry entry(machine_, options());
  const Member member = member_of(entry, compile(kAskAndAdd, look));
  std::uint64_t slots[2] = {30, 12};
  for (int i = 0; i < 300; ++i) {  // also the way of runs that are timed, and of threads without a slot of their own
    EXPECT_EQ(i % 2 == 0 ? call(member, 30, 12) : entry.run(slots), 42u);
    EXPECT_EQ(seen_.run.host, &host_);
    EXPECT_EQ(seen_.run.machine, &machine_);
    EXPECT_EQ(seen_.run.entry, &entry);
    EXPECT_EQ(seen_.run.root, &entry);
    EXPECT_EQ(seen_.run.code, entry.code());
    EXPECT_EQ(seen_.run.outer, nullptr);
    EXPECT_EQ(seen_.run.holds_slot, GetParam());
    EXPECT_EQ(seen_.run.owns_slot, GetParam());
    EXPECT_LT(seen_.run.cpu, 3u);
    EXPECT_EQ(seen_.run.tail_calls, 0u);
    ASSERT_EQ(current_run(), nullptr);
    ASSERT_TRUE(is_as_made(t_runs.idle));
  }
  if (ring3::detail::t_reader != nullptr) {
    EXPECT_EQ(seen_.at, &t_runs.idle);
  }
  EXPECT_EQ(entry.totals().runs, 300u);
  EXPECT_TRUE(all_slots_are_back());
}

TEST_P(ShortWayTest, ATailCallGoesOnInTheTarget) {
  ProgramEntry entry(machine_, options());
  const auto target = compile("r0 = *(u64 *)(r1 +0)\nr0 += 1000\nexit", look);
  const Member member = member_of(entry, compile("call 0\nr0 = 1\nexit", [](std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t,
                                                                          std::uint64_t, RunContext& run) -> std::uint64_t {
    ++run.tail_calls;
    run.tail_ctx = reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx));
    run.tail_target = seen_.target;
    if (!run.holds_slot) {  // what a target that touches per-CPU state gets
      run.cpu = run.machine->slots.acquire();
      run.holds_slot = run.owns_slot = true;
    }
    return 0;
  }, 12));
  for (int i = 0; i < 40; ++i) {
    seen_.target = i % 2 == 0 ? target.get() : nullptr;  // an empty slot: the program goes on
    EXPECT_EQ(call(member, 5, 0), i % 2 == 0 ? 1005u : 1u);
    ASSERT_EQ(current_run(), nullptr);
    ASSERT_TRUE(is_as_made(t_runs.idle));
  }
  EXPECT_TRUE(all_slots_are_back());
}

TEST_P(ShortWayTest, AnExceptionEndsTheRun) {
  ProgramEntry entry(machine_, options());
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble("r1 = 77\ncall 0\nr0 = 1\nexit").value()).value();
  program->insns[1].op = isa::Op::kCallKfunc;
  program->subprogs.push_back({0, 4, 0});
  program->original_idx.resize(4);
  program->kfuncs.push_back({"bpf_throw", nullptr, 0, false, true});
  program->touches_percpu = GetParam();
  const Member member = member_of(entry, make_jit(machine_.code)->compile(program).value());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(call(member, 0, 0), 77u);
    ASSERT_EQ(current_run(), nullptr);
    ASSERT_TRUE(is_as_made(t_runs.idle));
  }
  EXPECT_TRUE(all_slots_are_back());
}

TEST_P(ShortWayTest, FaultingLoadsReadZero) {
  ProgramEntry entry(machine_, options());
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble("r2 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r2 +0)\nr0 += 5\nexit").value()).value();
  program->subprogs.push_back({0, 4, 0});
  program->original_idx.resize(4);
  program->faulting = {1};
  program->touches_percpu = GetParam();
  const Member member = member_of(entry, make_jit(machine_.code)->compile(program).value());
  std::uint64_t there = 37;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(call(member, reinterpret_cast<std::uintptr_t>(&there), 0), 42u);
    EXPECT_EQ(call(member, 0, 0), 5u);
    EXPECT_EQ(call(member, 0x8000'0000'0000'0000, 0), 5u);
  }
}

#if defined(__x86_64__)

/// What a signal handler does between two instructions of a thread that enters programs.
struct Interruption {
  Member other = nullptr, same = nullptr;
  std::uint64_t times = 0, wrong = 0, skipped = 0;
};
Interruption interruption;

void interrupt(int) {
  ReadSection readers;
  ++interruption.times;
  if (interruption.other(1, 2) != 3) ++interruption.wrong;
  const std::uint64_t same = interruption.same(10, 20);
  if (same == 0) ++interruption.skipped;
  else if (same != 30) ++interruption.wrong;
}

void set_single_steps(bool on) {
  const std::uint64_t flags = __builtin_ia32_readeflags_u64();
  __builtin_ia32_writeeflags_u64(on ? flags | 0x100u : flags & ~std::uint64_t{0x100});
}

/// A handler that runs programs, the interrupted one among them, after every single instruction of a call.
TEST_P(ShortWayTest, AnyInstructionMayBeInterrupted) {
  if (ring3::detail::t_reader == nullptr) {
    ReadSection once;
    if (ring3::detail::t_reader == nullptr) GTEST_SKIP() << "a sanitizer: programs take the long way";
  }
  const auto quiet = [](std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) -> std::uint64_t {
    return run.holds_slot ? run.cpu : 0;
  };
  ProgramEntry entry(machine_, options()), other(machine_, options());
  const Member member = member_of(entry, compile(kAskAndAdd, quiet));
  interruption = {.other = member_of(other, compile(kAskAndAdd, quiet)), .same = member};
  for (int i = 0; i < 40; ++i) {  // the thread gets all it can get
    call(member, 1, 2);
    call(interruption.other, 1, 2);
  }
  struct sigaction action {}, before {};
  action.sa_handler = interrupt;
  action.sa_flags = SA_NODEFER;
  ASSERT_EQ(sigaction(SIGTRAP, &action, &before), 0);
  std::uint64_t results[4];
  set_single_steps(true);
  for (std::uint64_t i = 0; i < 4; ++i) results[i] = call(member, i, 5);
  set_single_steps(false);
  sigaction(SIGTRAP, &before, nullptr);
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(results[i], i + 5);
  EXPECT_GT(interruption.times, 4 * 40u);
  EXPECT_EQ(interruption.wrong, 0u);
  EXPECT_GT(interruption.skipped, 0u);                       // while it ran
  EXPECT_LT(interruption.skipped, interruption.times);       // and only then
  EXPECT_EQ(entry.totals().recursion_misses, interruption.skipped);
  EXPECT_EQ(current_run(), nullptr);
  EXPECT_TRUE(is_as_made(t_runs.idle));
  EXPECT_TRUE(all_slots_are_back());
}

#endif

INSTANTIATE_TEST_SUITE_P(Slot, ShortWayTest, ::testing::Bool(),
                         [](const auto& which) { return which.param ? std::string("Leased") : std::string("None"); });

}  // namespace
}  // namespace ring3::exec
