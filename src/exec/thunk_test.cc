#include "exec/thunk.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <type_traits>

#include "exec/jit.h"
#include "exec/program_entry.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/rcu.h"
#include "ring3/read_section.h"
#include "tests/support/fake_host.h"

namespace ring3::exec {
namespace {

/// What a target was called with, and what it answers.
struct Seen {
  std::array<std::uint64_t, kMaxThunkSlots> slots{};
  std::size_t count = 0;
  std::uint64_t answer = 0;
};

std::uint64_t record(void* data, std::uint64_t* slots) {
  auto* seen = static_cast<Seen*>(data);
  std::memcpy(seen->slots.data(), slots, seen->count * sizeof(std::uint64_t));
  return seen->answer;
}

template <typename T>
ThunkArg arg_of() {
  return {static_cast<std::uint8_t>(sizeof(T)), std::is_integral_v<T> && std::is_signed_v<T>};
}

/// A thunk with the prototype of a C++ function type.
template <typename R, typename... Args>
struct Caller {
  explicit Caller(ThunkSet& set, Seen& seen) {
    ThunkShape shape;
    shape.args = {arg_of<Args>()...};
    if constexpr (std::is_void_v<R>) {
      shape.ret_bytes = 0;
    } else {
      shape.ret_bytes = sizeof(R);
      shape.ret_signed = std::is_signed_v<R>;
      shape.ret_bool = std::is_same_v<R, bool>;
    }
    seen.count = shape.slots();
    function = reinterpret_cast<R (*)(Args...)>(set.add(shape, record, &seen).value());
  }
  R operator()(Args... args) const { return function(args...); }
  R (*function)(Args...);
};

class ThunkTest : public ::testing::Test {
 protected:
  CodeMemory memory_;
  ThunkSet set_{memory_};
  Seen seen_;
};

TEST_F(ThunkTest, NarrowArgumentsAreExtendedAsDeclared) {
  Caller<void, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t> in_registers(set_, seen_);
  in_registers(-1, 0xff, -2, 0xfffe, -3, 0xfffffffd);
  EXPECT_EQ(seen_.slots[0], ~0ull);
  EXPECT_EQ(seen_.slots[1], 0xffu);
  EXPECT_EQ(seen_.slots[2], ~1ull);
  EXPECT_EQ(seen_.slots[3], 0xfffeu);
  EXPECT_EQ(seen_.slots[4], ~2ull);
  EXPECT_EQ(seen_.slots[5], 0xfffffffdu);
}

TEST_F(ThunkTest, GarbageAboveNarrowArgumentsIsNotSeen) {
  // A caller may leave anything above the declared width: call as if all were 64 bits wide.
  Caller<void, std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t> narrow(set_, seen_);
  using Wide = void (*)(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t);
  const std::uint64_t garbage = 0xdeadbeef'80808080;
  reinterpret_cast<Wide>(reinterpret_cast<void*>(narrow.function))(garbage, garbage, garbage, garbage, garbage, garbage);
  EXPECT_EQ(seen_.slots[0], 0x80u);
  EXPECT_EQ(seen_.slots[1], 0xffffffffffffff80u);
  EXPECT_EQ(seen_.slots[2], 0x8080u);
  EXPECT_EQ(seen_.slots[3], 0xffffffffffff8080u);
  EXPECT_EQ(seen_.slots[4], 0x80808080u);
  EXPECT_EQ(seen_.slots[5], 0xffffffff80808080u);
}

TEST_F(ThunkTest, ArgumentsBeyondSixComeFromTheStack) {
  Caller<std::uint64_t, int, int, int, int, int, int, std::int8_t, std::uint64_t, std::uint16_t, std::int32_t, bool,
         const char*>
      twelve(set_, seen_);
  seen_.answer = 77;
  EXPECT_EQ(twelve(1, 2, 3, 4, 5, 6, -7, ~8ull, 0xfff9, -10, true, "x"), 77u);
  EXPECT_EQ(seen_.slots[0], 1u);
  EXPECT_EQ(seen_.slots[5], 6u);
  EXPECT_EQ(static_cast<std::int64_t>(seen_.slots[6]), -7);
  EXPECT_EQ(seen_.slots[7], ~8ull);
  EXPECT_EQ(seen_.slots[8], 0xfff9u);
  EXPECT_EQ(static_cast<std::int64_t>(seen_.slots[9]), -10);
  EXPECT_EQ(seen_.slots[10], 1u);
  EXPECT_STREQ(reinterpret_cast<const char*>(seen_.slots[11]), "x");
}

struct Three { std::uint8_t a, b, c; };
struct Twelve { std::uint64_t a; std::uint32_t b; };
struct Sixteen { std::uint64_t a, b; };

TEST_F(ThunkTest, StructsByValueTakeOneOrTwoSlots) {
  Caller<void, Three, Twelve, Sixteen, int> four(set_, seen_);
  four({1, 2, 3}, {0x1111, 0x22222222}, {0x3333, 0x4444}, -5);
  ASSERT_EQ(seen_.count, 6u);
  // Behind a struct's end a slot is whatever the caller had in the register, as in Linux.
  EXPECT_EQ(seen_.slots[0] & 0xffffff, 0x030201u);
  EXPECT_EQ(seen_.slots[1], 0x1111u);
  EXPECT_EQ(static_cast<std::uint32_t>(seen_.slots[2]), 0x22222222u);
  EXPECT_EQ(seen_.slots[3], 0x3333u);
  EXPECT_EQ(seen_.slots[4], 0x4444u);
  EXPECT_EQ(static_cast<std::int64_t>(seen_.slots[5]), -5);
}

TEST_F(ThunkTest, StructThatDoesNotFitTheLastRegisterGoesToTheStackWhole) {
  Caller<void, int, int, int, int, int, Sixteen, int, int> mixed(set_, seen_);
  mixed(1, 2, 3, 4, 5, {0x66, 0x77}, 8, 9);
  EXPECT_EQ(seen_.slots[4], 5u);
  EXPECT_EQ(seen_.slots[5], 0x66u);
  EXPECT_EQ(seen_.slots[6], 0x77u);
  EXPECT_EQ(seen_.slots[7], 8u);
  EXPECT_EQ(seen_.slots[8], 9u);
}

TEST_F(ThunkTest, ResultsAreCutToTheDeclaredType) {
  seen_.answer = 0xfedcba98'fedcba98;
  EXPECT_EQ((Caller<std::uint64_t>(set_, seen_)()), 0xfedcba98'fedcba98u);
  EXPECT_EQ((Caller<std::int32_t>(set_, seen_)()), static_cast<std::int32_t>(0xfedcba98));
  EXPECT_EQ((Caller<std::uint16_t>(set_, seen_)()), 0xba98);
  EXPECT_EQ((Caller<std::int8_t>(set_, seen_)()), static_cast<std::int8_t>(0x98));
  EXPECT_TRUE((Caller<bool>(set_, seen_)()));
  seen_.answer = 0x100;
  EXPECT_FALSE((Caller<bool>(set_, seen_)()));
  Caller<void>(set_, seen_)();
}

TEST_F(ThunkTest, WideResultOfNarrowMemberIsExtended) {
  ThunkShape shape{.args = {}, .ret_bytes = 4, .ret_signed = true};
  seen_.answer = 0x1'80000000;
  auto* wide = reinterpret_cast<std::uint64_t (*)()>(set_.add(shape, record, &seen_).value());
  EXPECT_EQ(wide(), 0xffffffff80000000u);
}

TEST_F(ThunkTest, ManyMembersTakeSeveralPages) {
  ThunkShape shape;
  shape.args.assign(6, ThunkArg{4, true});
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(set_.add(shape, record, &seen_).ok());
  EXPECT_GT(set_.memory_bytes(), ThunkSet::kPageBytes);
  EXPECT_LE(set_.memory_bytes(), ThunkSet::kMaxPages * ThunkSet::kPageBytes);
}

TEST_F(ThunkTest, EightPagesAreEnough) {
  ThunkShape shape;
  shape.args.assign(kMaxThunkSlots, ThunkArg{2, true});
  Result<void*> thunk = set_.add(shape, record, &seen_);
  while (thunk.ok()) thunk = set_.add(shape, record, &seen_);
  EXPECT_EQ(thunk.error(), Errno::kTooBig);
  EXPECT_EQ(set_.memory_bytes(), ThunkSet::kMaxPages * ThunkSet::kPageBytes);
}

TEST_F(ThunkTest, ShapesWithoutAThunkAreRefused) {
  ThunkShape shape;
  shape.args.assign(kMaxThunkSlots + 1, ThunkArg{});
  EXPECT_EQ(set_.add(shape, record, &seen_).error(), Errno::kNotSupp);
  shape.args.assign(1, ThunkArg{17, false});
  EXPECT_EQ(set_.add(shape, record, &seen_).error(), Errno::kNotSupp);
  shape.args.assign(1, ThunkArg{0, false});
  EXPECT_EQ(set_.add(shape, record, &seen_).error(), Errno::kNotSupp);
}

std::uint64_t sum(void* data, std::uint64_t* slots) {
  static_cast<std::atomic<std::uint64_t>*>(data)->fetch_add(1, std::memory_order_relaxed);
  return slots[0] + slots[1];
}

TEST_F(ThunkTest, AnyThreadMayCall) {
  std::atomic<std::uint64_t> calls{0};
  ThunkShape shape;
  shape.args.assign(2, ThunkArg{8, false});
  auto* add = reinterpret_cast<std::uint64_t (*)(std::uint64_t, std::uint64_t)>(set_.add(shape, sum, &calls).value());
  std::array<std::thread, 4> threads;
  std::atomic<int> wrong{0};
  for (std::uint64_t t = 0; t < threads.size(); ++t)
    threads[t] = std::thread([add, t, &wrong] {
      for (std::uint64_t i = 0; i < 1000; ++i)
        if (add(t, i) != t + i) ++wrong;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(calls, 4000u);
}

TEST(ThunkLifetimeTest, FreedOnlyAfterReaders) {
  CodeMemory memory;
  std::atomic<std::uint64_t> calls{0};
  std::atomic<void*> current{nullptr};
  std::atomic<bool> stop{false};
  ThunkShape shape;
  shape.args.assign(2, ThunkArg{8, false});
  const auto make = [&] {
    auto set = std::make_unique<ThunkSet>(memory);
    current.store(set->add(shape, sum, &calls).value(), std::memory_order_release);
    return set;
  };
  std::unique_ptr<ThunkSet> live = make();
  std::array<std::thread, 2> callers;
  for (std::thread& t : callers)
    t = std::thread([&] {
      do {
        rcu::ReadSection readers;
        auto* add = reinterpret_cast<std::uint64_t (*)(std::uint64_t, std::uint64_t)>(current.load(std::memory_order_acquire));
        if (add(1, 2) != 3) std::abort();
      } while (!stop.load());
    });
  for (int i = 0; i < 200; ++i) {
    std::unique_ptr<ThunkSet> old = std::move(live);
    live = make();
    ThunkSet::free_after_readers(std::move(old));
  }
  stop.store(true);
  for (std::thread& t : callers) t.join();
  rcu::drain();
  EXPECT_GT(calls, 0u);
}

/// A program that calls nothing is entered by the thunk itself; whatever stands in the way, the result is the same.
TEST_F(ThunkTest, LeafProgramsAreCountedAndMeasured) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const auto compile = [&](std::string_view text) {
    auto program = std::make_shared<rewrite::XlatedProgram>();
    program->insns = isa::decode(isa::assemble(text).value()).value();
    const auto count = static_cast<std::uint32_t>(program->insns.size());
    program->subprogs.push_back({0, count, 0});
    program->original_idx.resize(count);
    auto code = make_jit(memory_)->compile(program).value();
    EXPECT_NE(code->leaf(), nullptr);
    return code;
  };
  test::FakeHost host;
  Machine machine(host);
  ProgramEntry entry(machine, {});
  ThunkShape shape;
  shape.args.assign(2, ThunkArg{});
  const auto member = reinterpret_cast<std::uint64_t (*)(std::uint64_t, std::uint64_t)>(set_.add(shape, entry).value());
  EXPECT_EQ(member(1, 2), 0u);  // no code yet
  ASSERT_TRUE(entry.set_code(compile("r2 = *(u64 *)(r1 +8)\nr0 = *(u64 *)(r1 +0)\nr0 += r2\nexit")).ok());
  EXPECT_EQ(member(1, 2), 3u);  // outside of any section
  for (int i = 0; i < 3; ++i) {
    ReadSection readers;
    EXPECT_EQ(member(5, 6), 11u);
  }
  EXPECT_EQ(entry.totals().runs, 4u);
  machine.stats_users = 1;
  EXPECT_EQ(member(1, 2), 3u);
  machine.stats_users = 0;
  ASSERT_TRUE(entry.set_code(compile("r0 = 7\nexit")).ok());
  {
    ReadSection readers;
    EXPECT_EQ(member(1, 2), 7u);
  }
  EXPECT_EQ(entry.totals().runs, 6u);
  // Every 256th run takes the long way, which times it.
  EXPECT_EQ(entry.totals().sampled_runs, 1u);
  for (std::uint32_t i = 0; i < RunStats::kSampledEvery; ++i) {
    ReadSection readers;
    EXPECT_EQ(member(1, 2), 7u);
  }
  EXPECT_EQ(entry.totals().sampled_runs, 2u);
  EXPECT_EQ(entry.totals().runs, 6u + RunStats::kSampledEvery);
  rcu::drain();  // the first code lives in memory_
}

TEST_F(ThunkTest, ProgramsThatNeedASlotAreNoLeaves) {
  test::FakeHost host;
  Machine machine(host);
  ProgramEntry entry(machine, {.touches_percpu = true});
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble("r0 = 7\nexit").value()).value();
  program->subprogs.push_back({0, 2, 0});
  program->original_idx.resize(2);
  ASSERT_TRUE(entry.set_code(make_best_engine(memory_)->compile(program).value()).ok());
  EXPECT_EQ(entry.leaf_slot().load(), nullptr);
  EXPECT_EQ(entry.run(nullptr), 7u);
}

}  // namespace
}  // namespace ring3::exec
