// Stack helpers, called by compiled programs: what they find first is in the program's code.
#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "exec/jit.h"
#include "exec/stack_walk.h"
#include "maps/stack_trace.h"
#include "maps/testing.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;
using isa::Insn;
using isa::Op;

constexpr std::size_t kEntries = 16;
using Addresses = std::array<std::uint64_t, kEntries>;

class StackHelpersTest : public HelperTest {
 protected:
  /// Main calls a function, which calls the helper with the given flags: r1 is the buffer.
  std::unique_ptr<Code> compile(std::uint64_t flags, std::uint32_t id = BPF_FUNC_get_stack, const void* map = nullptr) {
    auto x = std::make_shared<rewrite::XlatedProgram>();
    const auto constant = [&](std::uint8_t reg, std::uint64_t value) {
      x->insns.push_back({.op = Op::kLdImm64, .bits = 64, .dst = reg, .imm = static_cast<std::int64_t>(value)});
      x->insns.push_back({.op = Op::kLdImm64Hi, .bits = 64, .imm = static_cast<std::int64_t>(value) >> 32});
    };
    x->insns = {{.op = Op::kCallSubprog, .bits = 64, .src = 1, .jump = 1}, {.op = Op::kExit, .bits = 64}};
    if (id == BPF_FUNC_get_stackid) {
      constant(2, reinterpret_cast<std::uintptr_t>(map));
      constant(3, flags);
    } else {
      x->insns.push_back({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = 2, .src = 1});
      constant(3, sizeof(Addresses));
      constant(4, flags);
    }
    x->insns.push_back({.op = Op::kCallHelper, .bits = 64, .imm = 0});
    x->insns.push_back({.op = Op::kExit, .bits = 64});
    const auto end = static_cast<std::uint32_t>(x->insns.size());
    x->subprogs = {{0, 2, 0}, {2, end, 0}};
    x->helpers.push_back(*find_helper(id));
    for (std::uint32_t i = 0; i < end; ++i) x->original_idx.push_back(i);
    return make_jit(machine_.code)->compile(x).value();
  }

  std::int64_t run(const Code& code, void* buffer) {
    RunScope scope(run_);
    rcu::ReadSection readers;
    return static_cast<std::int64_t>(code.run(run_, buffer));
  }

  static bool is_inside(const Code& code, std::uint64_t address) {
    const auto bytes = code.listing().bytes;
    return address - reinterpret_cast<std::uintptr_t>(bytes.data()) < bytes.size();
  }
};

TEST_F(StackHelpersTest, AProgramsFunctionsComeFirst) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const auto code = compile(0);
  Addresses out{};
  const std::int64_t bytes = run(*code, out.data());
  ASSERT_GE(bytes, 16);
  EXPECT_EQ(bytes % 8, 0);
  EXPECT_TRUE(is_inside(*code, out[0])) << "the function";
  EXPECT_TRUE(is_inside(*code, out[1])) << "main";
  EXPECT_GT(out[0], out[1]) << "functions stand in their order";
  Addresses skipped{};
  const auto one_less = compile(1);
  EXPECT_EQ(run(*one_less, skipped.data()), bytes - 8);
  EXPECT_TRUE(is_inside(*one_less, skipped[0]));
}

TEST_F(StackHelpersTest, TheUsersPartIsTheHostsAlone) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const auto code = compile(maps::kStackUser);
  Addresses out{};
  const std::int64_t bytes = run(*code, out.data());
  ASSERT_GE(bytes, 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(bytes) / 8; ++i) EXPECT_FALSE(is_inside(*code, out[i]));
}

TEST_F(StackHelpersTest, ThreadsHaveTheirOwn) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const auto code = compile(0);
  std::thread other([&] {
    RunContext mine;
    mine.host = &host_;
    mine.machine = &machine_;
    RunScope scope(mine);
    rcu::ReadSection readers;
    Addresses out{};
    EXPECT_GE(static_cast<std::int64_t>(code->run(mine, out.data())), 16);
    EXPECT_TRUE(is_inside(*code, out[0]));
  });
  other.join();
}

TEST_F(StackHelpersTest, ErrorsAreLinuxs) {
  Addresses out;
  const auto get = [&](std::size_t bytes, std::uint64_t flags) { return call(BPF_FUNC_get_stack, nullptr, out.data(), bytes, flags); };
  out.fill(~std::uint64_t{0});
  EXPECT_EQ(get(sizeof out, 1 << 12), -EINVAL);
  EXPECT_EQ(out[0], 0u) << "cleared";
  EXPECT_EQ(get(sizeof out, maps::kStackFastCompare), -EINVAL);
  EXPECT_EQ(get(12, 0), -EINVAL);
  EXPECT_EQ(get(32, maps::kStackUserBuildId), -EINVAL) << "only the user's have build ids";
  EXPECT_EQ(get(24, maps::kStackUserBuildId | maps::kStackUser), -EINVAL);
  EXPECT_EQ(get(sizeof out, 255), -EFAULT);
  EXPECT_EQ(get(0, 0), 0);
}

TEST_F(StackHelpersTest, ChainsHaveNumbers) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  maps::testing::FakeHost map_host;
  auto map = maps::testing::make(map_host, maps::testing::spec(BPF_MAP_TYPE_STACK_TRACE, 4, sizeof(Addresses), 64)).value();
  const auto code = compile(0, BPF_FUNC_get_stackid, map.get());
  std::int64_t ids[2];
  for (std::int64_t& id : ids) id = run(*code, nullptr);  // one place in the program: one chain
  ASSERT_GE(ids[0], 0);
  EXPECT_EQ(ids[0], ids[1]);
  Addresses out{};
  EXPECT_EQ(maps::testing::lookup(*map, static_cast<std::uint32_t>(ids[0]), out), 0);
  EXPECT_TRUE(is_inside(*code, out[0]));
  const auto wrong = compile(1 << 12, BPF_FUNC_get_stackid, map.get());
  EXPECT_EQ(run(*wrong, nullptr), -EINVAL);
}

TEST(StackWalkTest, FramePointersThatAreNoneEndTheWalk) {
  RunContext run;
  Addresses out{};
  // On the stack itself: sanitizers keep variables elsewhere, but for those whose size is not known before.
  const volatile std::size_t words = 4;
  auto* const fake = static_cast<std::uintptr_t*>(__builtin_alloca(words * sizeof(std::uintptr_t)));
  std::fill_n(fake, 4, 0);
  EXPECT_EQ(walk_stack(run, fake, StackPart::kAll, out), 0u) << "null";
  fake[0] = reinterpret_cast<std::uintptr_t>(fake);
  EXPECT_EQ(walk_stack(run, fake, StackPart::kAll, out), 0u) << "a ring";
  fake[0] = reinterpret_cast<std::uintptr_t>(fake) + 3;
  EXPECT_EQ(walk_stack(run, fake, StackPart::kAll, out), 0u) << "odd";
  fake[0] = ~std::uintptr_t{7};
  EXPECT_EQ(walk_stack(run, fake, StackPart::kAll, out), 0u) << "beyond the stack";
  static std::uintptr_t elsewhere[2] = {1, reinterpret_cast<std::uintptr_t>(&walk_stack)};
  EXPECT_EQ(walk_stack(run, elsewhere, StackPart::kAll, out), 0u) << "not on the stack";
  fake[1] = reinterpret_cast<std::uintptr_t>(&walk_stack);
  fake[0] = reinterpret_cast<std::uintptr_t>(fake + 2);
  EXPECT_EQ(walk_stack(run, fake, StackPart::kNative, out), 1u);
  EXPECT_EQ(out[0], fake[1]);
}

TEST(StackWalkTest, AddressesOfTheHostHaveBuildIds) {
  const auto here = reinterpret_cast<std::uintptr_t>(&build_id_entry);
  const BuildIdEntry entry = build_id_entry(here);
  const BuildIdEntry behind = build_id_entry(here + 5);
  if (entry.status == BuildIdEntry::kValid) {
    EXPECT_EQ(behind.offset, entry.offset + 5);
  }
  EXPECT_EQ(behind.status, entry.status);
  EXPECT_EQ(behind.build_id, entry.build_id);
  const BuildIdEntry libc = build_id_entry(reinterpret_cast<std::uintptr_t>(&std::memcpy));
  EXPECT_NE(libc.status, BuildIdEntry::kEmpty);
  int data = 0;
  const BuildIdEntry none = build_id_entry(reinterpret_cast<std::uintptr_t>(&data));
  EXPECT_EQ(none.status, BuildIdEntry::kIp);
  EXPECT_EQ(none.offset, reinterpret_cast<std::uintptr_t>(&data));
}

}  // namespace
}  // namespace ring3::exec
