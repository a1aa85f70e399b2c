// behaviour.md A.5 on the room's own door.
#include "struct_ops/ops_link.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include "tests/support/ops_world.h"

namespace ring3::struct_ops {
namespace {

class OpsLinkTest : public test::OpsWorld {
 protected:
  Ref<maps::Map> ready() {
    auto map = link_map();
    EXPECT_EQ(update(*map, both()), Errno{});
    return map;
  }
  Ref<attach::Link> attached(const Ref<maps::Map>& map) {
    Ref<attach::Link> link = create_link(map, 0, {}).value();
    EXPECT_TRUE(link->attach().ok());
    EXPECT_TRUE(table_.publish(*link).ok());
    return link;
  }
  Errno created(Ref<maps::Map> map) {
    Result<Ref<attach::Link>> link = create_link(std::move(map), 0, {});
    return link.ok() ? Errno{} : link.error();
  }
  static std::uint32_t map_id(const attach::Link& link) {
    uapi::bpf_link_info info{};
    link.fill_info(info);
    EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_STRUCT_OPS));
    EXPECT_EQ(info.prog_id, 0u);
    return info.struct_ops.map_id;
  }
};

TEST_F(OpsLinkTest, NeedsAReadyMapOfTheLinkFlavour) {
  EXPECT_EQ(created(link_map()), Errno::kInval);
  auto map = classic();
  EXPECT_EQ(created(map), Errno::kInval);
  ASSERT_EQ(update(*map, both()), Errno{});
  EXPECT_EQ(created(map), Errno::kInval);
  EXPECT_EQ(erase(*map), Errno{});
  EXPECT_EQ(created(ready()), Errno{});
}

TEST_F(OpsLinkTest, RegistersWhileItLivesAndMayBeMadeAgain) {
  auto map = ready();
  for (int round = 1; round <= 2; ++round) {
    auto link = attached(map);
    EXPECT_EQ(map_id(*link), map->id());
    EXPECT_EQ(calc_host_.registered, round);
    {
      rcu::ReadSection readers;
      EXPECT_EQ(calc_host_.table.load()->sub(9, 4), 5);
    }
    link = nullptr;
    EXPECT_EQ(calc_host_.unregistered, round);
  }
}

TEST_F(OpsLinkTest, RefusedRegistrationLeavesAPendingLink) {
  auto map = ready();
  auto first = attached(map);
  Ref<attach::Link> second = create_link(map, 0, {}).value();
  Result<void> refused = second->attach();
  EXPECT_EQ(errno_of(refused), Errno::kExist);
  EXPECT_NE(text_.take().find("name is taken"), std::string::npos);
  second = nullptr;
  EXPECT_EQ(calc_host_.unregistered, 0);
}

TEST_F(OpsLinkTest, UpdateFollowsTheRules) {
  auto old_map = ready();
  auto new_map = ready();
  auto link = attached(old_map);
  const auto updated = [&](Ref<Object> next, Ref<Object> expected, std::uint32_t flags) {
    return errno_of(link->update_map(std::move(next), std::move(expected), flags));
  };
  EXPECT_EQ(updated(new_map, nullptr, 1), Errno::kInval);
  EXPECT_EQ(updated(new_map, old_map, 0), Errno::kInval);
  EXPECT_EQ(updated(link_map(), nullptr, 0), Errno::kInval);
  EXPECT_EQ(updated(classic(), nullptr, 0), Errno::kInval);
  EXPECT_EQ(updated(new_map, new_map, uapi::BPF_F_REPLACE), Errno::kPerm);

  maps::MapSpec s = spec(uapi::BPF_F_LINK);
  s.kernel_value_type = other_wrapper_;
  s.value_size = 72;
  Ref<maps::Map> other = create_map(s, *btf_, registry_, *this).value();
  struct {
    std::uint64_t header[8] = {}, add = 0;
  } v;
  v.add = static_cast<std::uint64_t>(program(kAdd, 0, other_type_));
  const std::uint32_t key = 0;
  ASSERT_TRUE(other->ops().control.update(*other, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&v, 1)), 0, *this).ok());
  EXPECT_EQ(updated(other, nullptr, 0), Errno::kInval);

  calc_host_.update_answer = Errno::kNoSpc;
  EXPECT_EQ(updated(new_map, old_map, uapi::BPF_F_REPLACE), Errno::kNoSpc);
  EXPECT_EQ(map_id(*link), old_map->id());
  calc_host_.update_answer = Errno{};
  calc_host_.updatable = false;
  EXPECT_EQ(updated(new_map, old_map, uapi::BPF_F_REPLACE), Errno::kOpNotSupp);
  calc_host_.updatable = true;
  EXPECT_EQ(updated(new_map, old_map, uapi::BPF_F_REPLACE), Errno{});
  EXPECT_EQ(map_id(*link), new_map->id());
  EXPECT_EQ(calc_host_.current, as_ops_map(new_map.get()));
  EXPECT_EQ(updated(old_map, nullptr, 0), Errno{});
  EXPECT_EQ(calc_host_.updated, 2);
}

TEST_F(OpsLinkTest, DetachEmptiesTheLinkAndHangsUp) {
  auto map = ready();
  auto link = attached(map);
  const int fd = link->poll_fd().value();
  pollfd p{fd, POLLIN, 0};
  EXPECT_EQ(::poll(&p, 1, 0), 0);
  EXPECT_TRUE(link->detach().ok());
  EXPECT_EQ(::poll(&p, 1, 0), 1);
  EXPECT_EQ(p.revents, POLLHUP);
  EXPECT_EQ(map_id(*link), 0u);
  EXPECT_TRUE(link->detach().ok());
  EXPECT_EQ(errno_of(link->update_map(map, nullptr, 0)), Errno::kNoLink);
  EXPECT_EQ(calc_host_.unregistered, 1);
  ::close(fd);
}

TEST_F(OpsLinkTest, HostEjectsWhatALinkRegistered) {
  auto map = ready();
  auto link = attached(map);
  EXPECT_TRUE(calc_host_.attachment->eject());
  EXPECT_TRUE(link->hung_up());
  EXPECT_EQ(map_id(*link), 0u);
  EXPECT_EQ(calc_host_.unregistered, 1);
}

/// A member may be called, and found at fault, before reg() has answered.
TEST_F(OpsLinkTest, EjectDuringTheRegistrationIsNotLost) {
  auto map = ready();
  std::future<bool> ejected;
  calc_host_.registering = [&] {
    ejected = std::async(std::launch::async, [via = calc_host_.attachment] { return via->eject(); });
    // It has to wait for reg(); one that does not is given the time to be found out.
    EXPECT_EQ(ejected.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  };
  auto link = attached(map);
  EXPECT_TRUE(ejected.get());
  EXPECT_TRUE(link->hung_up());
  EXPECT_EQ(calc_host_.registered, 1);
  EXPECT_EQ(calc_host_.unregistered, 1);
}

TEST_F(OpsLinkTest, OneOfTwoEjectsTakesItOut) {
  for (int round = 0; round < 200; ++round) {
    auto map = ready();
    auto link = attached(map);
    StructOpsAttachment* const via = calc_host_.attachment;
    std::promise<void> go;
    const std::shared_future<void> gone = go.get_future().share();
    const auto eject = [via, gone] {
      gone.wait();
      return via->eject();
    };
    auto one = std::async(std::launch::async, eject), other = std::async(std::launch::async, eject);
    go.set_value();
    const bool first = one.get(), second = other.get();
    ASSERT_NE(first, second);
    fds_.clear();
  }
  EXPECT_EQ(calc_host_.unregistered, 200);
}

/// A host that keeps something for each table in charge would set it up anew, and then take it down as the old one's.
TEST_F(OpsLinkTest, UpdateToTheMapItHoldsIsNoChange) {
  auto map = ready();
  auto link = attached(map);
  EXPECT_EQ(errno_of(link->update_map(map, nullptr, 0)), Errno{});
  EXPECT_EQ(errno_of(link->update_map(map, map, uapi::BPF_F_REPLACE)), Errno{});
  EXPECT_EQ(calc_host_.updated, 0);
  EXPECT_EQ(map_id(*link), map->id());
  calc_host_.updatable = false;
  EXPECT_EQ(errno_of(link->update_map(map, nullptr, 0)), Errno::kOpNotSupp);
}

}  // namespace
}  // namespace ring3::struct_ops
