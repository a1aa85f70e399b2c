// Ordered hooks of a host: links and single programs in order, queries, runs (behaviour.md D.5, D.4).
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <utility>

#include "ring3/hook.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kDevice = 7;

class OrderedHook : public World {
 protected:
  OrderedHook() : hook_(Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = kDevice, .name = "in"}).value()) {}

  /// A program that answers a number; -1 leaves it to the next one.
  long answers(int number) {
    return bpf().load({.text = "r0 = " + std::to_string(number) + "\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  }
  std::uint32_t id(long program) { return bpf().prog_info(program).id; }
  long attach(long program, std::uint32_t flags = 0, std::uint32_t to = 0, std::uint64_t revision = 0, long replaced = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.target_ifindex = kDevice;
    attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach_type = uapi::BPF_TCX_INGRESS;
    attr.attach_flags = flags;
    attr.replace_bpf_fd = static_cast<std::uint32_t>(replaced);
    attr.relative_fd = to;
    attr.expected_revision = revision;
    return bpf().bpf(uapi::BPF_PROG_ATTACH, attr);
  }
  long detach(long program, std::uint32_t flags = 0, std::uint32_t type = uapi::BPF_TCX_INGRESS) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.target_ifindex = kDevice;
    attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach_type = type;
    attr.attach_flags = flags;
    return bpf().bpf(uapi::BPF_PROG_DETACH, attr);
  }
  long hook_link(long program, std::uint32_t flags = 0, std::uint32_t to = 0, std::uint32_t device = kDevice) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = device;
    attr.link_create.attach_type = uapi::BPF_TCX_INGRESS;
    attr.link_create.flags = flags;
    attr.link_create.tcx.relative_fd = to;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  struct Seen {
    long result;
    std::uint32_t count;
    std::uint64_t revision;
    std::vector<std::uint32_t> programs, links;
  };
  Seen query(std::uint32_t room = 64, std::uint32_t flags = 0) {
    std::array<std::uint32_t, 64> programs{}, links{};
    uapi::bpf_attr attr = BpfClient::zero();
    attr.query.target_ifindex = kDevice;
    attr.query.attach_type = uapi::BPF_TCX_INGRESS;
    attr.query.query_flags = flags;
    attr.query.count = room;
    attr.query.prog_ids = reinterpret_cast<std::uintptr_t>(programs.data());
    attr.query.link_ids = reinterpret_cast<std::uintptr_t>(links.data());
    Seen seen{bpf().bpf(uapi::BPF_PROG_QUERY, attr), attr.query.count, attr.query.revision, {}, {}};
    for (std::uint32_t i = 0; i < std::min(attr.query.count, room); ++i) {
      seen.programs.push_back(programs[i]);
      seen.links.push_back(links[i]);
    }
    return seen;
  }
  std::uint32_t run() {
    const std::array<std::byte, 64> packet{};
    return hook_.run(packet).value();
  }

  Hook hook_;
};

TEST_F(OrderedHook, D_19_AppendBeforeAfterAndQuery) {
  const long a = answers(-1), b = answers(-1), c = answers(-1), d = answers(-1), e = answers(-1);
  ASSERT_GT(a, 0) << bpf().log();
  EXPECT_EQ(query().revision, 1u);
  EXPECT_EQ(attach(a), 0);
  EXPECT_EQ(attach(b), 0);
  EXPECT_EQ(attach(c), 0);
  EXPECT_EQ(attach(d, uapi::BPF_F_BEFORE | uapi::BPF_F_ID, id(b)), 0);
  const long link = hook_link(e, uapi::BPF_F_AFTER, static_cast<std::uint32_t>(a));
  ASSERT_GT(link, 0);
  const Seen seen = query();
  EXPECT_EQ(seen.result, 0);
  EXPECT_EQ(seen.programs, (std::vector<std::uint32_t>{id(a), id(e), id(d), id(b), id(c)}));
  EXPECT_EQ(seen.links, (std::vector<std::uint32_t>{0, bpf().link_info(link).id, 0, 0, 0}));
  EXPECT_EQ(seen.revision, 6u);
  const long f = answers(-1);
  EXPECT_EQ(attach(f, uapi::BPF_F_AFTER | uapi::BPF_F_LINK_ATTACH, static_cast<std::uint32_t>(link)), 0);
  EXPECT_EQ(query().programs[2], id(f));
  EXPECT_EQ(hook_.size(), 6u);
  bpf().close(link);
  EXPECT_EQ(query().count, 5u);
}

TEST_F(OrderedHook, D_20_ErrorsOfOrderReplaceDetachAndQuery) {
  const long a = answers(-1), b = answers(-1), c = answers(-1);
  EXPECT_EQ(detach(a), -ENOENT);
  ASSERT_EQ(attach(a), 0);
  EXPECT_EQ(attach(a), -EEXIST);
  EXPECT_EQ(attach(b, uapi::BPF_F_BEFORE, static_cast<std::uint32_t>(c)), -ENOENT);
  EXPECT_EQ(attach(b, 0, static_cast<std::uint32_t>(a)), -EINVAL);
  EXPECT_EQ(attach(b, uapi::BPF_F_BEFORE | uapi::BPF_F_AFTER, static_cast<std::uint32_t>(a)), -ERANGE);
  EXPECT_EQ(attach(b, 0, 0, 9), -ESTALE);
  EXPECT_EQ(attach(b, uapi::BPF_F_BEFORE | uapi::BPF_F_ID, 9999), -ENOENT);
  EXPECT_EQ(attach(b, uapi::BPF_F_BEFORE, 9999), -EBADF);
  EXPECT_EQ(attach(b, 1u << 20), -EINVAL);
  const long link = hook_link(b);
  ASSERT_GT(link, 0);
  EXPECT_EQ(hook_link(b), -EEXIST);
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE, 0, 0, b), -EBUSY);
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE, 0, 0, a), 0);
  EXPECT_EQ(attach(a, uapi::BPF_F_REPLACE, 0, 0, answers(-1)), -ENOENT);
  EXPECT_EQ(detach(b), -EBUSY);
  EXPECT_EQ(detach(c, uapi::BPF_F_REPLACE), -EINVAL);
  EXPECT_EQ(query(1).result, -ENOSPC);
  EXPECT_EQ(query(1).count, 2u);
  EXPECT_EQ(query(0).count, 2u);
  EXPECT_EQ(query(8, 1).result, -EINVAL);
  EXPECT_EQ(detach(0, uapi::BPF_F_BEFORE), 0);
  EXPECT_EQ(detach(0, uapi::BPF_F_AFTER), -EBUSY);
}

TEST_F(OrderedHook, D_20_TheListIsFullAtSixtyFour) {
  const long a = answers(-1), other = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  EXPECT_EQ(attach(a, uapi::BPF_F_BEFORE | uapi::BPF_F_AFTER), -ERANGE) << "both ends of nothing are two places";
  EXPECT_EQ(attach(a, uapi::BPF_F_BEFORE, static_cast<std::uint32_t>(other)), -EINVAL) << "a program of another type";
  EXPECT_EQ(attach(a, uapi::BPF_F_BEFORE | uapi::BPF_F_LINK_ATTACH, static_cast<std::uint32_t>(a)), -EINVAL) << "a link that is none";
  EXPECT_EQ(attach(a, uapi::BPF_F_BEFORE | uapi::BPF_F_LINK_ATTACH | uapi::BPF_F_ID, 9999), -ENOENT);
  EXPECT_EQ(query().revision, 1u) << "nothing has changed";
  for (int i = 0; i < 64; ++i) ASSERT_EQ(attach(answers(-1)), 0) << i;
  EXPECT_EQ(attach(a), -ERANGE);
  EXPECT_EQ(hook_link(a), -ERANGE);
  EXPECT_EQ(query().count, 64u);
  EXPECT_EQ(query().revision, 65u);
}

TEST_F(OrderedHook, D_21_ReplaceOfAProgramALinkAndNothing) {
  const long a = answers(1), b = answers(2), c = answers(3), owned = answers(4);
  EXPECT_EQ(attach(b, uapi::BPF_F_REPLACE, 0, 0, a), -ENOENT);
  ASSERT_EQ(attach(a), 0);
  ASSERT_GT(hook_link(owned, uapi::BPF_F_AFTER), 0);
  EXPECT_EQ(attach(b, uapi::BPF_F_REPLACE, 0, 0, a), 0);
  EXPECT_EQ(run(), 2u);
  EXPECT_EQ(query().programs, (std::vector<std::uint32_t>{id(b), id(owned)}));
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE, 0, 0, owned), -EBUSY);
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE, 0, 0, a), -ENOENT);
  // A direction is an assertion of the place the other one has.
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE | uapi::BPF_F_AFTER, static_cast<std::uint32_t>(owned), 0, b), -ERANGE);
  EXPECT_EQ(attach(c, uapi::BPF_F_REPLACE | uapi::BPF_F_BEFORE, static_cast<std::uint32_t>(owned), 0, b), 0);
  EXPECT_EQ(query().programs, (std::vector<std::uint32_t>{id(c), id(owned)}));
  EXPECT_EQ(query().revision, 5u);
}

TEST_F(OrderedHook, D_22_DetachByProgramAndByPosition) {
  const long a = answers(-1), b = answers(-1), c = answers(-1), owned = answers(-1);
  EXPECT_EQ(detach(a), -ENOENT) << "an empty list";
  EXPECT_EQ(detach(0, uapi::BPF_F_BEFORE), -ENOENT);
  ASSERT_EQ(attach(a), 0);
  ASSERT_EQ(attach(b), 0);
  ASSERT_EQ(attach(c), 0);
  EXPECT_EQ(detach(b, uapi::BPF_F_REPLACE), -EINVAL);
  EXPECT_EQ(detach(owned), -ENOENT);
  EXPECT_EQ(detach(0, uapi::BPF_F_BEFORE), 0);
  EXPECT_EQ(query().programs, (std::vector<std::uint32_t>{id(b), id(c)}));
  EXPECT_EQ(detach(0, uapi::BPF_F_AFTER), 0);
  EXPECT_EQ(query().programs, (std::vector<std::uint32_t>{id(b)}));
  ASSERT_GT(hook_link(owned), 0);
  EXPECT_EQ(detach(owned), -EBUSY);
  EXPECT_EQ(detach(0, uapi::BPF_F_AFTER), -EBUSY) << "the last is a link's";
  EXPECT_EQ(detach(b), 0);
}

TEST_F(OrderedHook, D_23_QueriesWithTooLittleRoomAndFlags) {
  const long a = answers(-1), b = answers(-1), c = answers(-1);
  for (const long program : {a, b, c}) ASSERT_EQ(attach(program), 0);
  const Seen one = query(1);
  EXPECT_EQ(one.result, -ENOSPC);
  EXPECT_EQ(one.count, 3u);
  EXPECT_EQ(one.programs, (std::vector<std::uint32_t>{id(a)}));
  EXPECT_EQ(query(0).result, 0);
  EXPECT_EQ(query(0).count, 3u);
  EXPECT_EQ(query(8, 1).result, -EINVAL);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.query.target_ifindex = kDevice;
  attr.query.attach_type = uapi::BPF_TCX_INGRESS;
  attr.query.attach_flags = 1;
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_QUERY, attr), -EINVAL);
}

TEST_F(OrderedHook, D_24_ATargetThatGoesLeavesALinkWithoutOne) {
  const long link = hook_link(answers(1));
  ASSERT_GT(link, 0);
  ASSERT_EQ(bpf().pin(link, "/sys/fs/bpf/of_the_device"), 0);
  ASSERT_EQ(attach(answers(2)), 0);
  ASSERT_EQ(run(), 1u);
  ASSERT_TRUE(hook_.remove().ok());
  EXPECT_EQ(hook_.remove().error(), Errno::kNoEnt);
  EXPECT_EQ(run(), kHookNext);
  EXPECT_EQ(hook_link(answers(3)), -ENODEV);
  EXPECT_EQ(query().result, -ENODEV);
  EXPECT_EQ(bpf().link_info(link).tcx.ifindex, 0u);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(answers(2));
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -ENOLINK);
  EXPECT_EQ(bpf().link_detach(link), 0);
  bpf().close(link);
  EXPECT_GT(bpf().get("/sys/fs/bpf/of_the_device"), 0) << "the pin stays";
}

TEST_F(OrderedHook, D_37_IdsOfLinksAreThoseOfLinksThatAre) {
  const long a = answers(-1);
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  BpfClient walker(*runtime_, *host_btf_);
  std::thread walk([&] {
    while (!stop) {
      for (std::uint32_t at = 0; (at = walker.next_id(uapi::BPF_LINK_GET_NEXT_ID, at)) != 0;) {
        const long link = walker.fd_by_id(uapi::BPF_LINK_GET_FD_BY_ID, at);
        // It may have gone meanwhile; one that is there is whole.
        if (link < 0) strange += link != -ENOENT && link != -EAGAIN;
        else strange += walker.link_info(link).prog_id == 0 || walker.link_info(link).type != uapi::BPF_LINK_TYPE_TCX;
        if (link >= 0) walker.close(link);
      }
    }
  });
  for (int i = 0; i < 300; ++i) {
    long link;
    do link = hook_link(a);
    while (link == -EEXIST);  // the walker holds the one before
    EXPECT_GT(link, 0);
    EXPECT_EQ(hook_link(a), -EEXIST);
    bpf().close(link);
    EXPECT_EQ(hook_link(a, uapi::BPF_F_BEFORE, 9999), -EBADF);
  }
  stop = true;
  walk.join();
  EXPECT_EQ(strange, 0);
  EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u) << "what failed left none";
}

TEST_F(OrderedHook, D_24_LinksAreUpdatedDetachedAndDescribed) {
  const long a = answers(1), b = answers(2);
  const long link = hook_link(a);
  const std::uint32_t link_id = bpf().link_info(link).id;
  EXPECT_EQ(run(), 1u);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(b);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), 0);
  EXPECT_EQ(run(), 2u);
  EXPECT_EQ(bpf().link_info(link).id, link_id);
  EXPECT_EQ(bpf().link_info(link).prog_id, id(b));
  EXPECT_EQ(bpf().link_info(link).tcx.ifindex, kDevice);
  EXPECT_EQ(bpf().link_info(link).tcx.attach_type, static_cast<std::uint32_t>(uapi::BPF_TCX_INGRESS));
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(a);
  attr.link_update.old_prog_fd = static_cast<std::uint32_t>(a);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EINVAL);
  attr.link_update.flags = uapi::BPF_F_REPLACE;
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EPERM);
  attr.link_update.flags = attr.link_update.old_prog_fd = 0;
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(
      bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER}));
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EINVAL);
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(bpf().link_info(link).tcx.ifindex, 0u);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(a);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -ENOLINK);
  EXPECT_EQ(run(), kHookNext);
}

TEST_F(OrderedHook, WhatTheHostDoesNotOfferIsSaid) {
  const long a = answers(0);
  EXPECT_EQ(hook_link(a, 0, 0, 8), -ENODEV);
  EXPECT_EQ(detach(a, 0, uapi::BPF_TCX_EGRESS), -ENODEV);
  log_.take();
  EXPECT_EQ(detach(a, 0, uapi::BPF_CGROUP_INET_INGRESS), -EINVAL);
  EXPECT_NE(log_.take().find("the host offers no attach point BPF_CGROUP_INET_INGRESS"), std::string::npos);
  const long filter = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  EXPECT_EQ(hook_link(filter), -EINVAL);
  EXPECT_EQ(attach(filter), -EINVAL);
  EXPECT_EQ(Hook::add(*runtime_, {.device = kDevice}).error(), Errno::kExist);
  EXPECT_EQ(Hook::add(*runtime_, {.device = 0}).error(), Errno::kInval);
  EXPECT_EQ(hook_.run({}).error(), Errno::kInval);
}

TEST_F(OrderedHook, DevicesWithAHookAreTargetsOfDeviceMaps) {
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_DEVMAP, 4, 4, 2);
  const long map = bpf().create(attr);
  std::uint32_t device = kDevice;
  EXPECT_EQ(bpf().update(map, &device), 0);
  device = 8;
  EXPECT_EQ(bpf().update(map, &device), -EINVAL);
}

TEST_F(OrderedHook, D_25_EveryRunSeesOneOrder) {
  // Whoever comes or goes in front of it, the last one is there and decides if nobody else has; so a run never answers anything else.
  const long last = answers(3), passing = answers(-1), deciding[] = {answers(4), answers(5)};
  ASSERT_EQ(attach(last), 0);
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  std::atomic<std::uint64_t> runs{0};
  std::thread traffic([&] {
    while (!stop) {
      const std::uint32_t answer = run();
      if (answer < 3 || answer > 5) ++strange;
      ++runs;
    }
  });
  std::minstd_rand random(25);
  long link = -1;
  bool passes = false;
  for (int i = 0; i < 100'000; ++i) {
    switch (random() % 3) {
      case 0:
        ASSERT_EQ(passes ? detach(passing) : attach(passing, uapi::BPF_F_BEFORE), 0);
        passes = !passes;
        break;
      case 1:
        if (link < 0) {
          link = hook_link(deciding[0], uapi::BPF_F_BEFORE);
          ASSERT_GT(link, 0);
        } else {
          ASSERT_EQ(bpf().link_detach(link), 0);
          bpf().close(std::exchange(link, -1));
        }
        break;
      default: {
        if (link < 0) break;
        uapi::bpf_attr attr = BpfClient::zero();
        attr.link_update.link_fd = static_cast<std::uint32_t>(link);
        attr.link_update.new_prog_fd = static_cast<std::uint32_t>(deciding[random() % 2]);
        ASSERT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), 0);
      }
    }
  }
  stop = true;
  traffic.join();
  EXPECT_EQ(strange, 0);
  EXPECT_GT(runs, 0u);
}

}  // namespace
}  // namespace ring3::test
