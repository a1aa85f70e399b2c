// behaviour.md A.3 and A.4 on the room's own door; the same checks through commands are tests/integration.
#include "struct_ops/ops_map.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/ops_world.h"

namespace ring3::struct_ops {
namespace {

class OpsMapTest : public test::OpsWorld {};

TEST_F(OpsMapTest, CreationChecksAttributesThenTypeThenSize) {
  const auto created = [&](auto change) {
    maps::MapSpec s = spec(0);
    change(s);
    Result<Ref<maps::Map>> map = create_map(s, *btf_, registry_, *this);
    return map.ok() ? Errno{} : map.error();
  };
  EXPECT_EQ(created([](maps::MapSpec&) {}), Errno{});
  EXPECT_EQ(created([](maps::MapSpec& s) { s.flags = uapi::BPF_F_LINK; }), Errno{});
  EXPECT_EQ(created([](maps::MapSpec& s) { s.key_size = 8; }), Errno::kInval);
  EXPECT_EQ(created([](maps::MapSpec& s) { s.max_entries = 2; }), Errno::kInval);
  EXPECT_EQ(created([](maps::MapSpec& s) { s.flags = 1; }), Errno::kInval);
  EXPECT_EQ(created([](maps::MapSpec& s) { s.kernel_value_type = 0; }), Errno::kInval);
  EXPECT_EQ(created([this](maps::MapSpec& s) { s.kernel_value_type = calc_type_; }), Errno::kNotSupp);
  EXPECT_EQ(created([](maps::MapSpec& s) { s.value_size += 8; }), Errno::kInval);
  EXPECT_EQ(created([](maps::MapSpec& s) { s.value_size -= 8; }), Errno::kInval);
}

TEST_F(OpsMapTest, FreshMapIsZeroAndHasOneKey) {
  auto map = classic();
  EXPECT_TRUE(is_zero(lookup(*map)));
  std::uint32_t next = 7;
  const auto out = std::as_writable_bytes(std::span(&next, 1));
  EXPECT_TRUE(map->ops().control.next_key(*map, {}, out).ok());
  EXPECT_EQ(next, 0u);
  EXPECT_EQ(map->ops().control.next_key(*map, std::as_bytes(std::span(&next, 1)), out).error(), Errno::kNoEnt);
}

TEST_F(OpsMapTest, ClassicLife) {
  auto map = classic();
  EXPECT_EQ(erase(*map), Errno::kNoEnt);
  const Value v = both();
  ASSERT_EQ(update(*map, v), Errno{}) << text_.take();
  EXPECT_EQ(calc_host_.registered, 1);
  const test::CalcOps* ops = calc_host_.table.load();
  {
    rcu::ReadSection readers;
    EXPECT_EQ(ops->add(40, 2), 42);
    EXPECT_EQ(ops->sub(1, 3), -2);
    EXPECT_EQ(ops->optional, nullptr);
  }
  const Value seen = lookup(*map);
  EXPECT_EQ(seen.state, 1u);
  EXPECT_EQ(seen.add, fds_.at(static_cast<std::int32_t>(v.add))->id());
  EXPECT_EQ(seen.sub, fds_.at(static_cast<std::int32_t>(v.sub))->id());
  EXPECT_EQ(update(*map, v), Errno::kBusy);
  EXPECT_EQ(erase(*map), Errno{});
  EXPECT_EQ(calc_host_.unregistered, 1);
  EXPECT_EQ(lookup(*map).state, 2u);
  EXPECT_EQ(erase(*map), Errno::kInProgress);
  EXPECT_EQ(update(*map, v), Errno::kBusy);
  EXPECT_EQ(calc_host_.unregistered, 1);
}

TEST_F(OpsMapTest, ClassicRegistrationOutlivesEveryDescriptor) {
  auto map = classic();
  ASSERT_EQ(update(*map, both()), Errno{});
  const std::uint32_t id = map->id();
  map = nullptr;
  fds_.clear();
  rcu::drain();
  {
    rcu::ReadSection readers;
    EXPECT_EQ(calc_host_.table.load()->add(1, 2), 3);
  }
  auto found = table_.find(ObjectKind::kMap, id);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(erase(*static_cast<maps::Map*>(found->get())), Errno{});
}

TEST_F(OpsMapTest, LinkFlavourIsReadyAndCannotBeDeleted) {
  auto map = link_map();
  EXPECT_EQ(erase(*map), Errno::kOpNotSupp);
  ASSERT_EQ(update(*map, both()), Errno{});
  EXPECT_EQ(lookup(*map).state, 3u);
  EXPECT_EQ(calc_host_.registered, 0);
  EXPECT_EQ(erase(*map), Errno::kOpNotSupp);
  EXPECT_EQ(update(*map, both()), Errno::kBusy);
}

TEST_F(OpsMapTest, UpdateRefusesInOrderAndLeavesNothing) {
  auto map = classic();
  const Value good = both();
  EXPECT_EQ(update(*map, good, 1), Errno::kTooBig);
  EXPECT_EQ(update(*map, good, 0, 1), Errno::kInval);
  EXPECT_EQ(update(*map, good, 1, 1), Errno::kInval);
  Value v = good;
  v.padding[3] = 1;
  EXPECT_EQ(update(*map, v), Errno::kInval);
  v = good;
  v.state = 1;
  EXPECT_EQ(update(*map, v), Errno::kInval);
  v = good;
  v.count = 1;
  EXPECT_EQ(update(*map, v), Errno::kInval);
  v = good;
  v.scale = 101;
  EXPECT_EQ(update(*map, v), Errno::kRange);
  EXPECT_NE(text_.take().find("scale is above 100"), std::string::npos);
  v = good;
  v.reserved = 1;
  EXPECT_EQ(update(*map, v), Errno::kInval);
  EXPECT_NE(text_.take().find("member reserved"), std::string::npos);
  EXPECT_TRUE(is_zero(lookup(*map)));
  EXPECT_EQ(calc_host_.validated, 0);
  v = good;
  v.scale = 7;
  EXPECT_EQ(update(*map, v), Errno{});
  EXPECT_EQ(calc_host_.table.load()->scale, 7u);
  EXPECT_EQ(lookup(*map).scale, 7u);
  EXPECT_EQ(erase(*map), Errno{});
}

TEST_F(OpsMapTest, UpdateRefusesForeignDescriptors) {
  auto map = classic();
  const auto with_add = [&](std::int32_t fd) {
    Value v;
    v.add = static_cast<std::uint64_t>(fd);
    return update(*map, v);
  };
  EXPECT_EQ(with_add(program(kAdd, 0, 0, uapi::BPF_PROG_TYPE_SOCKET_FILTER)), Errno::kInval);
  EXPECT_EQ(with_add(program(kAdd, 0, other_type_)), Errno::kInval);
  EXPECT_EQ(with_add(program(kAdd, 1)), Errno::kInval);
  EXPECT_EQ(with_add(fd_of(link_map())), Errno::kInval);
  EXPECT_EQ(with_add(99), Errno::kBadF);
  EXPECT_TRUE(is_zero(lookup(*map)));
  EXPECT_EQ(with_add(program(kAdd, 0)), Errno{});
  EXPECT_EQ(erase(*map), Errno{});
}

/// A client is asked which files it means, and may never answer; what it named may be a link that it has let go of meanwhile, whose end
/// calls the host. Neither may find the type's callbacks, or the map, locked.
TEST_F(OpsMapTest, DescriptorsAreAskedForUnderNoLock) {
  struct Asking final : maps::FdSource {
    Asking(const OpsType& of, maps::FdSource& answering) : type(of), fds(answering) {}
    Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) override {
      ++asked;
      std::thread([this] {
        if (!type.host_mutex.try_lock()) return;
        type.host_mutex.unlock();
        ++unlocked;
      }).join();
      return fds.object(fd, kind);
    }
    const OpsType& type;
    maps::FdSource& fds;
    int asked = 0, unlocked = 0;
  };
  auto map = link_map();
  Asking asking(as_ops_map(map.get())->type(), *this);
  const Value v = both();
  const std::uint32_t key = 0;
  EXPECT_TRUE(map->ops().control.update(*map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&v, 1)), 0, asking).ok());
  EXPECT_EQ(asking.asked, 2);
  EXPECT_EQ(asking.unlocked, 2);
}

TEST_F(OpsMapTest, ProgramsAreDroppedWhenAnUpdateFails) {
  auto map = classic();
  Value v;
  v.add = static_cast<std::uint64_t>(program(kAdd, 0));
  v.sub = 99;
  const Ref<Object>& held = fds_.at(static_cast<std::int32_t>(v.add));
  EXPECT_EQ(update(*map, v), Errno::kBadF);
  rcu::drain();
  EXPECT_EQ(held->refs(), 1u);
}

TEST_F(OpsMapTest, ValidateAndRegMayRefuse) {
  auto map = classic();
  calc_host_.needs_optional = true;
  EXPECT_EQ(update(*map, both()), Errno::kNoData);
  EXPECT_NE(text_.take().find("optional is missing"), std::string::npos);
  EXPECT_EQ(calc_host_.registered, 0);
  calc_host_.needs_optional = false;
  auto first = classic();
  ASSERT_EQ(update(*first, both()), Errno{});
  EXPECT_EQ(update(*map, both()), Errno::kExist);
  EXPECT_TRUE(is_zero(lookup(*map)));
  EXPECT_EQ(erase(*map), Errno::kNoEnt);
  EXPECT_EQ(erase(*first), Errno{});
  EXPECT_EQ(update(*map, both()), Errno{});
  EXPECT_EQ(erase(*map), Errno{});
}

/// The host is shown a table that it may refuse, which then goes: listings must not have looked at it.
TEST_F(OpsMapTest, TableIsNotListedBeforeTheHostHasTakenIt) {
  auto map = classic();
  const OpsMap& ops = *as_ops_map(map.get());
  const std::uint64_t empty = ops.memory_bytes();
  int shown = 0;
  calc_host_.registering = [&] {
    ++shown;
    EXPECT_EQ(ops.memory_bytes(), empty);
    EXPECT_TRUE(ops.programs().empty());
    EXPECT_NE(ops.ops(), nullptr);  // to the host it is there
  };
  calc_host_.reg_answer = Errno::kNoSpc;
  EXPECT_EQ(update(*map, both()), Errno::kNoSpc);
  EXPECT_EQ(ops.ops(), nullptr);
  calc_host_.reg_answer = Errno{};
  EXPECT_EQ(update(*map, both()), Errno{});
  EXPECT_EQ(shown, 2);
  EXPECT_GT(ops.memory_bytes(), empty);
  EXPECT_EQ(ops.programs().size(), 2u);
  EXPECT_EQ(erase(*map), Errno{});
}

TEST_F(OpsMapTest, CountShowsTheHostsHoldsAndTheyKeepItAlive) {
  auto map = classic();
  ASSERT_EQ(update(*map, both()), Errno{});
  StructOpsInstance* instance = calc_host_.current;
  const test::CalcOps* ops = calc_host_.table.load();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(instance->hold());
  EXPECT_EQ(lookup(*map).count, 3u);
  EXPECT_EQ(erase(*map), Errno{});
  EXPECT_EQ(lookup(*map).count, 3u);
  map = nullptr;
  fds_.clear();
  rcu::drain();
  {
    rcu::ReadSection readers;
    EXPECT_EQ(ops->add(2, 2), 4);
  }
  for (int i = 0; i < 3; ++i) instance->release();
}

TEST_F(OpsMapTest, HostEjectsAClassicInstance) {
  auto map = classic();
  ASSERT_EQ(update(*map, both()), Errno{});
  StructOpsAttachment* via = calc_host_.attachment;
  EXPECT_TRUE(via->eject(*calc_host_.current));
  EXPECT_EQ(lookup(*map).state, 2u);
  EXPECT_FALSE(via->eject());
  EXPECT_EQ(calc_host_.unregistered, 1);
}

}  // namespace
}  // namespace ring3::struct_ops
