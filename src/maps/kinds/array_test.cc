#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

TEST(ArrayTest, AttributesAreChecked) {
  FakeHost host;
  const auto type = BPF_MAP_TYPE_ARRAY;
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 8, 8, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 0, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_NO_PREALLOC)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_PRESERVE_ELEMS)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 0x80000000, 1)), E2BIG);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_NUMA_NODE | BPF_F_MMAPABLE)), 0);
  EXPECT_EQ(create_errno(host, spec(type, 4, 0x7fffffff, 0xffffffff)), ENOMEM);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, BPF_F_MMAPABLE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, BPF_F_NUMA_NODE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32769, 1)), E2BIG);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32768, 1)), 0);
}

TEST(ArrayTest, LookupUpdateDeleteAndTheirErrnos) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 3)).value();
  std::uint32_t key = 2, out_of_range = 3;
  std::uint64_t value = 0x1122334455667788, out = 1;
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out, 0u) << "slots exist from the start, as zeros";
  EXPECT_EQ(update(*m, key, value, BPF_ANY), 0);
  EXPECT_EQ(update(*m, key, value, BPF_EXIST), 0);
  EXPECT_EQ(update(*m, key, value, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, key, value, 3), EINVAL);
  EXPECT_EQ(update(*m, key, value, 8), EINVAL);
  EXPECT_EQ(update(*m, out_of_range, value), E2BIG);
  EXPECT_EQ(update(*m, out_of_range, value, 3), EINVAL) << "flags come before the index";
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out, value);
  EXPECT_EQ(lookup(*m, out_of_range, out), ENOENT);
  EXPECT_EQ(erase(*m, key), EINVAL);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(key), writable(out), 0)), 524);
  EXPECT_EQ(find<std::uint64_t>(*m, out_of_range), nullptr);
  EXPECT_EQ(*find<std::uint64_t>(*m, key), value);
  EXPECT_EQ(m->ops().data.update(*m, &out_of_range, &value, 0), -E2BIG);
  EXPECT_EQ(m->ops().data.erase(*m, &key), -EINVAL);
}

TEST(ArrayTest, KeysAreZeroToMaxMinusOne) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 1, 3)).value();
  EXPECT_EQ(keys<std::uint32_t>(*m), (std::vector<std::uint32_t>{0, 1, 2}));
  std::uint32_t key = 99, next = 7;
  EXPECT_EQ(code(next_key(*m, bytes(key), writable(next))), 0);
  EXPECT_EQ(next, 0u) << "an unknown key starts again";
}

TEST(ArrayTest, OddSizesDoNotTouchNeighbours) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 13, 3)).value();
  struct Odd {
    char c[13];
  } a{{'a'}}, b{}, out{};
  std::memset(b.c, 'b', sizeof b.c);
  for (std::uint32_t k : {0u, 1u, 2u}) EXPECT_EQ(update(*m, k, a), 0);
  std::uint32_t one = 1, two = 2;
  EXPECT_EQ(update(*m, one, b), 0);
  EXPECT_EQ(lookup(*m, one, out), 0);
  EXPECT_EQ(std::memcmp(out.c, b.c, 13), 0);
  EXPECT_EQ(lookup(*m, two, out), 0);
  EXPECT_EQ(std::memcmp(out.c, a.c, 13), 0);
}

TEST(ArrayTest, LockIsHiddenFromClientsAndKeptByUpdates) {
  FakeHost host;
  struct Value {
    std::uint32_t before, lock;
    std::uint64_t after;
  };
  auto s = spec(BPF_MAP_TYPE_ARRAY, 4, sizeof(Value), 1);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 4, 4, nullptr, 0, 0});
  auto m = make(host, s).value();
  std::uint32_t key = 0;
  Value v{1, 0xffffffff, 2}, out{};
  EXPECT_EQ(update(*m, key, v, BPF_F_LOCK), 0);
  EXPECT_EQ(find<Value>(*m, key)->lock, 0u) << "a client's bytes never become a lock";
  EXPECT_EQ(lookup(*m, key, out, BPF_F_LOCK), 0);
  EXPECT_EQ(out.before, 1u);
  EXPECT_EQ(out.lock, 0u);
  EXPECT_EQ(out.after, 2u);
  find<Value>(*m, key)->lock = 1;  // a program holds it
  EXPECT_EQ(update(*m, key, v), 0);
  EXPECT_EQ(find<Value>(*m, key)->lock, 1u);
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out.lock, 0u);
  find<Value>(*m, key)->lock = 0;
}

TEST(ArrayTest, InlineLookupComputesTheSameAddress) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 12, 0x10)).value();
  InlineCode inlined;
  m->ops().codegen.lookup(*m, inlined);
  const std::vector<isa::Insn>& code = inlined.insns;
  ASSERT_EQ(code.size(), 7u);
  // Read as arithmetic: bounds, stride, base.
  EXPECT_EQ(code[2].op, isa::Op::kJge);
  EXPECT_EQ(code[2].imm, 0x10);
  EXPECT_EQ(code[2].jump, 4);
  std::uint32_t key = 5;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(find<char>(*m, key)),
            static_cast<std::uintptr_t>(code[4].imm) + 5 * static_cast<std::uintptr_t>(code[3].imm));
}

TEST(ArrayTest, DirectValueIsForOneSlot) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 12, 1)).value();
  std::uint32_t key = 0;
  EXPECT_EQ(m->ops().codegen.direct_value(*m, 4).value(), reinterpret_cast<std::uintptr_t>(find<char>(*m, key)) + 4);
  EXPECT_EQ(m->ops().codegen.direct_value(*m, 12).error(), Errno::kInval);
  auto two = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 12, 2)).value();
  EXPECT_EQ(two->ops().codegen.direct_value(*two, 0).error(), Errno::kNotSupp);
}

struct Seen {
  std::vector<std::uint32_t> keys;
  std::size_t stop_at = 1000;
};
std::uint64_t see(const void* key, void* value, void* data) {
  auto* seen = static_cast<Seen*>(data);
  seen->keys.push_back(*static_cast<const std::uint32_t*>(key));
  *static_cast<std::uint64_t*>(value) += 1;
  return seen->keys.size() == seen->stop_at;
}

TEST(ArrayTest, ForEachVisitsAllUntilToldToStop) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4)).value();
  Seen all, two{.keys = {}, .stop_at = 2};
  EXPECT_EQ(m->ops().data.for_each(*m, see, &all, 0), 4);
  EXPECT_EQ(all.keys, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(m->ops().data.for_each(*m, see, &two, 0), 2);
  EXPECT_EQ(m->ops().data.for_each(*m, see, &two, 1), -EINVAL);
  std::uint32_t key = 1;
  EXPECT_EQ(*find<std::uint64_t>(*m, key), 2u);
}

TEST(PerCpuArrayTest, ProgramsSeeTheirSlotClientsAll) {
  FakeHost host(3);
  auto m = make(host, spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 2)).value();
  EXPECT_EQ(m->value_bytes(), 24u);
  struct PerCpu {
    std::uint32_t v[6];
  } in{{10, 9, 11, 9, 12, 9}}, out{};
  std::uint32_t key = 1, bad = 2;
  EXPECT_EQ(update(*m, key, in), 0);
  for (std::uint32_t cpu : {0u, 1u, 2u}) {
    FakeHost::cpu() = cpu;
    EXPECT_EQ(*find<std::uint32_t>(*m, key), 10 + cpu);
    EXPECT_EQ(m->ops().data.lookup_percpu(*m, &key, cpu), find<void>(*m, key));
  }
  EXPECT_EQ(m->ops().data.lookup_percpu(*m, &key, 3), nullptr);
  FakeHost::cpu() = 1;
  std::uint32_t mine = 77;
  EXPECT_EQ(m->ops().data.update(*m, &key, &mine, BPF_EXIST), 0);
  FakeHost::cpu() = 0;
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out.v[0], 10u);
  EXPECT_EQ(out.v[1], 0u) << "padding reads as zero";
  EXPECT_EQ(out.v[2], 77u);
  EXPECT_EQ(out.v[4], 12u);
  EXPECT_EQ(update(*m, key, in, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, key, in, BPF_F_LOCK), EINVAL);
  EXPECT_EQ(update(*m, bad, in), E2BIG);
  EXPECT_EQ(lookup(*m, bad, out), ENOENT);
  EXPECT_EQ(erase(*m, key), EINVAL);
}

TEST(ArrayStressTest, LockedWritersAndReadersSeeWholeValues) {
  FakeHost host;
  struct Value {
    std::uint32_t lock, pad;
    std::uint64_t a[8];
  };
  auto s = spec(BPF_MAP_TYPE_ARRAY, 4, sizeof(Value), 1);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 0, 4, nullptr, 0, 0});
  auto m = make(host, s).value();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      std::uint32_t key = 0;
      for (std::uint64_t i = 0; i < 2000; ++i) {
        Value v{};
        for (auto& a : v.a) a = t * 100000 + i;
        EXPECT_EQ(update(*m, key, v, BPF_F_LOCK), 0);
        Value out{};
        EXPECT_EQ(lookup(*m, key, out, BPF_F_LOCK), 0);
        for (auto a : out.a) EXPECT_EQ(a, out.a[0]);
      }
    });
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace ring3::maps
