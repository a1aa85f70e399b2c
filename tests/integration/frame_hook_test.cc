// XDP at a host's device: one program, held by a link that nobody else can disturb (behaviour.md D.4.5).
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "ring3/hook.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kDevice = 7;
constexpr std::uint32_t kByStack = 1u << 1, kByDriver = 1u << 2;  // XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE
constexpr std::uint32_t kDrop = 1, kPass = 2, kSendBack = 3;

class FrameHook : public World {
 protected:
  FrameHook() : hook_(Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kDevice, .name = "wire"}).value()) {}

  long load(const std::string& text, std::uint32_t attach_type = 0, std::uint32_t type = uapi::BPF_PROG_TYPE_XDP) {
    return bpf().load({.text = text, .member = attach_type, .prog_type = type});
  }
  long answers(std::uint32_t action) { return load("r0 = " + std::to_string(action) + "\nexit"); }
  long link(long program, std::uint32_t flags = 0, std::uint32_t device = kDevice) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = device;
    attr.link_create.attach_type = uapi::BPF_XDP;
    attr.link_create.flags = flags;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  long update(long link, long program, std::uint32_t flags = 0, long old = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_update.link_fd = static_cast<std::uint32_t>(link);
    attr.link_update.new_prog_fd = static_cast<std::uint32_t>(program);
    attr.link_update.flags = flags;
    attr.link_update.old_prog_fd = static_cast<std::uint32_t>(old);
    return bpf().bpf(uapi::BPF_LINK_UPDATE, attr);
  }
  std::uint32_t run(std::vector<std::byte>* left = nullptr) { return hook_.run(std::array<std::byte, 64>{}, left).value(); }

  Hook hook_;
};

TEST_F(FrameHook, ALinkHoldsThePlaceAlone) {
  EXPECT_EQ(run(), kHookNext);
  const long drops = answers(kDrop), passes = answers(kPass);
  const long first = link(drops);
  ASSERT_GT(first, 0);
  EXPECT_EQ(run(), kDrop);
  EXPECT_EQ(link(passes), -EBUSY);
  EXPECT_EQ(link(drops), -EBUSY);
  const uapi::bpf_link_info info = bpf().link_info(first);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_XDP));
  EXPECT_EQ(info.prog_id, bpf().prog_info(drops).id);
  EXPECT_EQ(info.tcx.ifindex, kDevice);
  bpf().close(first);
  EXPECT_EQ(run(), kHookNext);
  EXPECT_GT(link(passes), 0);
  EXPECT_EQ(run(), kPass);
}

TEST_F(FrameHook, UpdatesSwapTheProgramIfItIsTheExpectedOne) {
  const long a = answers(kDrop), b = answers(kPass);
  const long held = link(a);
  EXPECT_EQ(update(held, b, uapi::BPF_F_REPLACE, b), -EPERM);
  EXPECT_EQ(run(), kDrop);
  EXPECT_EQ(update(held, b, uapi::BPF_F_REPLACE, a), 0);
  EXPECT_EQ(run(), kPass);
  EXPECT_EQ(update(held, b), 0) << "it is there already";
  EXPECT_EQ(update(held, load("r0 = 2\nexit", uapi::BPF_XDP)), -EINVAL) << "loaded for another attach type";
  EXPECT_EQ(update(held, load("r0 = 0\nexit", 0, uapi::BPF_PROG_TYPE_SCHED_CLS)), -EINVAL);
  EXPECT_EQ(update(held, a, 1u << 5), -EINVAL);
  EXPECT_EQ(bpf().link_detach(held), 0);
  EXPECT_EQ(update(held, a), -ENOLINK);
  EXPECT_EQ(run(), kHookNext);
}

TEST_F(FrameHook, WhatDoesNotFitIsRefused) {
  const long program = answers(kPass);
  EXPECT_EQ(link(program, kByStack | kByDriver), -EINVAL);
  EXPECT_EQ(link(program, 1u << 0), -EINVAL) << "XDP_FLAGS_UPDATE_IF_NOEXIST is netlink's";
  EXPECT_EQ(link(program, 0, kDevice + 1), -ENODEV);
  EXPECT_EQ(link(load("r0 = 0\nexit", 0, uapi::BPF_PROG_TYPE_SCHED_CLS)), -EINVAL);
  EXPECT_EQ(link(load("r0 = 2\nexit", uapi::BPF_XDP_DEVMAP)), -EINVAL);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.target_ifindex = kDevice;
  attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = uapi::BPF_XDP;
  log_.take();
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_ATTACH, attr), -EINVAL);
  EXPECT_NE(log_.take().find("programs at BPF_XDP are held by links"), std::string::npos);
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_DETACH, attr), -EINVAL);
  EXPECT_EQ(hook_.size(), 0u);
  EXPECT_GT(link(program, kByStack), 0);
}

TEST_F(FrameHook, WhatProgramsMakeOfAFrameIsGivenBack) {
  const long held = link(load(R"(
    r6 = r1
    r2 = -4
    call bpf_xdp_adjust_head#44
    r2 = *(u32 *)(r6 +0)
    r3 = *(u32 *)(r6 +4)
    r4 = r2
    r4 += 1
    if r4 > r3 goto out
    r5 = *(u32 *)(r6 +12)
    *(u8 *)(r2 +0) = r5
  out:
    r0 = 3
    exit)"));
  ASSERT_GT(held, 0) << bpf().log();
  std::vector<std::byte> left;
  EXPECT_EQ(run(&left), kSendBack);
  ASSERT_EQ(left.size(), 68u);
  EXPECT_EQ(left[0], std::byte{kDevice}) << "ingress_ifindex";
  EXPECT_EQ(left[4], std::byte{0});
}

TEST_F(FrameHook, ADeviceThatGoesTakesItsLinksAlong) {
  const long held = link(answers(kDrop));
  ASSERT_TRUE(hook_.remove().ok());
  EXPECT_EQ(run(), kHookNext);
  EXPECT_EQ(bpf().link_info(held).tcx.ifindex, 0u);
  EXPECT_EQ(update(held, answers(kPass)), -ENOLINK);
  EXPECT_EQ(bpf().link_detach(held), 0);
  EXPECT_EQ(link(answers(kPass)), -ENODEV);
}

}  // namespace
}  // namespace ring3::test
