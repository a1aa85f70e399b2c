// Map helpers on real maps, spin locks, and tail calls through a program array.
#include <array>
#include <thread>

#include "exec/program_entry.h"
#include "maps/testing.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class MapHelpersTest : public HelperTest {
 protected:
  maps::testing::FakeHost map_host_;
};

TEST_F(MapHelpersTest, HashFromLookupToDelete) {
  auto map = maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_HASH, 4, 8, 16)).value();
  const std::uint32_t key = 7;
  const std::uint64_t value = 99;
  EXPECT_EQ(call(BPF_FUNC_map_lookup_elem, map.get(), &key), 0);
  EXPECT_EQ(call(BPF_FUNC_map_delete_elem, map.get(), &key), -2);
  EXPECT_EQ(call(BPF_FUNC_map_update_elem, map.get(), &key, &value, BPF_EXIST), -2);
  EXPECT_EQ(call(BPF_FUNC_map_update_elem, map.get(), &key, &value, BPF_NOEXIST), 0);
  EXPECT_EQ(call(BPF_FUNC_map_update_elem, map.get(), &key, &value, BPF_NOEXIST), -17);
  const auto* found = reinterpret_cast<std::uint64_t*>(call(BPF_FUNC_map_lookup_elem, map.get(), &key));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, 99u);
  EXPECT_EQ(call(BPF_FUNC_map_delete_elem, map.get(), &key), 0);
}

TEST_F(MapHelpersTest, MissingOperationsAnswerTheKindsErrno) {
  auto map = maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_HASH, 4, 8, 16)).value();
  std::uint64_t value = 0;
  const std::int64_t missing = to_syscall(map->ops().control.missing);
  EXPECT_EQ(call(BPF_FUNC_map_push_elem, map.get(), &value, 0), missing);
  EXPECT_EQ(call(BPF_FUNC_map_pop_elem, map.get(), &value), missing);
  EXPECT_EQ(call(BPF_FUNC_map_peek_elem, map.get(), &value), missing);
  EXPECT_EQ(call(BPF_FUNC_map_lookup_percpu_elem, map.get(), &value, 0), 0);
}

TEST_F(MapHelpersTest, AnotherCpusValueIsReachableByNumber) {
  auto map = maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2)).value();
  const std::uint32_t key = 1;
  std::array<std::int64_t, 4> seen{};
  for (std::uint32_t cpu = 0; cpu < 4; ++cpu) {
    seen[cpu] = call(BPF_FUNC_map_lookup_percpu_elem, map.get(), &key, cpu);
    EXPECT_NE(seen[cpu], 0);
    if (cpu > 0) {
      EXPECT_NE(seen[cpu], seen[cpu - 1]);
    }
  }
  maps::testing::FakeHost::cpu() = 2;
  EXPECT_EQ(call(BPF_FUNC_map_lookup_elem, map.get(), &key), seen[2]);
  maps::testing::FakeHost::cpu() = 0;
  EXPECT_EQ(call(BPF_FUNC_map_lookup_percpu_elem, map.get(), &key, 4), 0);
}

/// Subprogram 3 adds values up and stops at the third element.
class SummingCode final : public Code {
 public:
  std::uint64_t call_subprog(RunContext&, std::uint32_t subprog, std::uint64_t map, std::uint64_t key,
                             std::uint64_t value, std::uint64_t ctx, std::uint64_t) const override {
    EXPECT_EQ(subprog, 3u);
    EXPECT_EQ(map, expected_map);
    *reinterpret_cast<std::uint64_t*>(ctx) += *reinterpret_cast<std::uint64_t*>(value);
    return *reinterpret_cast<std::uint32_t*>(key) == 2 ? 1 : 0;
  }
  const char* tier() const override { return "test"; }
  std::uint64_t expected_map = 0;

 protected:
  std::uint64_t enter(RunContext&, void*) const override { return 0; }
};

TEST_F(MapHelpersTest, ForEachVisitsUntilTold) {
  auto map = maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_ARRAY, 4, 8, 5)).value();
  for (std::uint32_t key = 0; key < 5; ++key) {
    const std::uint64_t value = 10 * (key + 1);
    ASSERT_EQ(call(BPF_FUNC_map_update_elem, map.get(), &key, &value, 0), 0);
  }
  SummingCode code;
  code.expected_map = reg(map.get());
  run_.code = &code;
  std::uint64_t sum = 0;
  EXPECT_EQ(call(BPF_FUNC_for_each_map_elem, map.get(), 3, &sum, 0), 3);
  EXPECT_EQ(sum, 60u);
  EXPECT_EQ(call(BPF_FUNC_for_each_map_elem, map.get(), 3, &sum, 1), -22);
}

TEST_F(MapHelpersTest, SpinLockExcludes) {
  std::uint32_t lock = 0;
  std::uint64_t counter = 0;
  std::array<std::thread, 3> threads;
  for (std::thread& t : threads)
    t = std::thread([&] {
      RunContext run;
      const auto take = find_helper(BPF_FUNC_spin_lock)->fn;
      const auto give = find_helper(BPF_FUNC_spin_unlock)->fn;
      for (int i = 0; i < 1000; ++i) {
        take(reg(&lock), 0, 0, 0, 0, run);
        ++counter;
        give(reg(&lock), 0, 0, 0, 0, run);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(counter, 3000u);
  EXPECT_EQ(lock, 0u);
}

// A program array as small as it gets: one object a slot.

class TestProgram final : public Runnable {
 public:
  TestProgram(ObjectTable& table, Machine& machine, EntryOptions options) : Runnable(ObjectKind::kProg, table, {}) {
    entry_ = std::make_unique<ProgramEntry>(machine, options);
  }
  Result<void> set_code(std::unique_ptr<const Code> code) { return entry_->set_code(std::move(code)); }
};

class SlotMap final : public maps::Map {
 public:
  SlotMap(const maps::MapOps& ops, const maps::MapSpec& spec, maps::MapHost& host) : Map(ops, spec, host) {}
  std::array<Object*, 3> slots{};
};

void* slot(maps::Map& map, const void* key) noexcept {
  return static_cast<SlotMap&>(map).slots[*static_cast<const std::uint32_t*>(key)];
}
constexpr maps::MapOps kSlotOps{.type = BPF_MAP_TYPE_PROG_ARRAY, .name = "slots", .control = {}, .data = {.lookup = slot}, .codegen = {}};

/// Tail calls into slot `next`, or answers when that falls through.
class ChainCode final : public Code {
 public:
  ChainCode(maps::Map& array, std::uint32_t next, std::uint64_t answer) : array_(array), next_(next), answer_(answer) {}
  std::uint64_t call_subprog(RunContext&, std::uint32_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t) const override {
    return 0;
  }
  const char* tier() const override { return "test"; }

 protected:
  std::uint64_t enter(RunContext& run, void* ctx) const override {
    find_helper(BPF_FUNC_tail_call)->fn(reinterpret_cast<std::uint64_t>(ctx), reinterpret_cast<std::uint64_t>(&array_), next_, 0, 0, run);
    return run.tail_target != nullptr ? 0 : answer_ + 1000 * run.tail_calls + (run.holds_slot ? 1 : 0);
  }

 private:
  maps::Map& array_;
  const std::uint32_t next_;
  const std::uint64_t answer_;
};

class TailCallTest : public MapHelpersTest {
 protected:
  Ref<TestProgram> program(std::uint32_t next, std::uint64_t answer, EntryOptions options = {}) {
    auto p = Ref<TestProgram>::adopt(new TestProgram(map_host_.table, machine_, options));
    EXPECT_TRUE(p->set_code(std::make_unique<ChainCode>(*array_, next, answer)).ok());
    return p;
  }
  Ref<SlotMap> array_ = Ref<SlotMap>::adopt(
      new SlotMap(kSlotOps, maps::testing::spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3), map_host_));
};

TEST_F(TailCallTest, EmptySlotAndIndexOutsideFallThrough) {
  EXPECT_EQ(program(0, 10)->entry()->run(nullptr), 10u);  // nor is it counted
  EXPECT_EQ(program(3, 20)->entry()->run(nullptr), 20u);
}

TEST_F(TailCallTest, TargetRunsInThePlaceOfTheCaller) {
  Ref<TestProgram> second = program(3, 50);
  array_->slots[1] = second.get();
  Ref<TestProgram> first = program(1, 10);
  EXPECT_EQ(first->entry()->run(nullptr), 1050u);
  EXPECT_EQ(first->entry()->totals().runs, 1u);
}

TEST_F(TailCallTest, ChainsEndAtTheLimit) {
  Ref<TestProgram> self = program(0, 7);
  array_->slots[0] = self.get();
  EXPECT_EQ(self->entry()->run(nullptr), 33 * 1000u + 7);
}

TEST_F(TailCallTest, TargetThatTouchesPerCpuStateLeasesASlot) {
  Ref<TestProgram> second = program(3, 50, {.touches_percpu = true});
  array_->slots[1] = second.get();
  EXPECT_EQ(program(1, 10)->entry()->run(nullptr), 1051u);
  for (std::uint32_t i = 0; i < host_.possible_cpus(); ++i) machine_.slots.acquire();  // it came back
}

}  // namespace
}  // namespace ring3::exec
