// Tail calls through a program array that a client fills, on the way compiled programs take: the array is known, and the
// program looks its slot up itself.
#include <gtest/gtest.h>

#include <array>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class TailCalls : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3);
    array_ = bpf().create(attr);
    ASSERT_GT(array_, 0);
  }
  long load(std::string_view text) {
    const long program = bpf().load({.text = text, .prog_type = uapi::BPF_PROG_TYPE_XDP, .map_fds = {static_cast<std::int32_t>(array_)}});
    EXPECT_GT(program, 0) << bpf().log();
    return program;
  }
  void put(std::uint32_t slot, long program) {
    const auto fd = static_cast<std::uint32_t>(program);
    ASSERT_EQ(bpf().update(array_, &fd, slot), 0);
  }
  std::uint32_t run(long program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = attr.test.data_out = reinterpret_cast<std::uintptr_t>(packet_.data());
    attr.test.data_size_in = attr.test.data_size_out = static_cast<std::uint32_t>(packet_.size());
    EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr), 0);
    return attr.test.retval;
  }

  long array_ = 0;
  std::array<std::uint8_t, 64> packet_{};
};

/// Calls slot packet[0]; 1 when it comes back.
constexpr std::string_view kDispatch =
    "r2 = *(u32 *)(r1 +0)\nr4 = *(u32 *)(r1 +4)\nr5 = r2\nr5 += 14\nif r5 > r4 goto out\nr3 = *(u8 *)(r2 +0)\n"
    "r2 = map[name:m0]\ncall bpf_tail_call\nout: r0 = 1\nexit";

TEST_F(TailCalls, GoToTheProgramInTheSlot) {
  const long main = load(kDispatch);
  put(0, load("r0 = 10\nexit"));
  put(2, load("r0 = *(u32 *)(r1 +4)\nr1 = *(u32 *)(r1 +0)\nr0 -= r1\nexit"));  // the same context
  EXPECT_EQ(run(main), 10u);
  packet_[0] = 2;
  EXPECT_EQ(run(main), 64u);
  packet_[0] = 1;  // empty
  EXPECT_EQ(run(main), 1u);
  packet_[0] = 3;  // no such slot
  EXPECT_EQ(run(main), 1u);
  packet_[0] = 255;
  EXPECT_EQ(run(main), 1u);
}

TEST_F(TailCalls, EndAtTheLimit) {
  const long self = load(
      "r2 = *(u32 *)(r1 +0)\nr4 = *(u32 *)(r1 +4)\nr5 = r2\nr5 += 14\nif r5 > r4 goto out\nr3 = *(u8 *)(r2 +0)\nr3 += 1\n"
      "*(u8 *)(r2 +0) = r3\nr2 = map[name:m0]\nr3 = 1\ncall bpf_tail_call\nout: r0 = 2\nexit");
  put(1, self);
  EXPECT_EQ(run(self), 2u);
  EXPECT_EQ(packet_[0], 34u);  // the first run, and 33 more
  put(0, load("r0 = 10\nexit"));
  packet_[0] = 0;
  EXPECT_EQ(run(load(kDispatch)), 10u);  // the count begins anew
}

/// Linux's compiler counts what it enters.
TEST_F(TailCalls, D_33_EmptySlotsDoNotCount) {
  put(1, load("r0 = 10\nexit"));
  EXPECT_EQ(run(load("r6 = r1\nr7 = 40\nagain: r1 = r6\nr2 = map[name:m0]\nr3 = 0\ncall bpf_tail_call\nr7 += -1\nif r7 != 0 goto again\n"
                     "r1 = r6\nr2 = map[name:m0]\nr3 = 1\ncall bpf_tail_call\nr0 = 1\nexit")),
            10u);
}

/// behaviour.md D.1.6: whoever is in an array or uses it first fixes the kind of all, or one would take another's context for its own.
TEST_F(TailCalls, ArraysAreForProgramsOfOneKind) {
  const auto new_array = [&] {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.map_type = uapi::BPF_MAP_TYPE_PROG_ARRAY;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 3;
    return bpf().create(attr);
  };
  const auto load_as = [&](std::uint32_t type, std::uint32_t attach_type, long array) {
    return bpf().load({.text = "r2 = map[name:m0]\nr3 = 0\ncall bpf_tail_call\nr0 = 1\nexit", .member = attach_type, .prog_type = type,
                       .map_fds = {static_cast<std::int32_t>(array)}});
  };
  const auto put_into = [&](long array, long program) {
    const auto fd = static_cast<std::uint32_t>(program);
    return bpf().update(array, &fd);
  };
  const long used = new_array();
  ASSERT_GT(load_as(uapi::BPF_PROG_TYPE_XDP, 0, used), 0) << bpf().log();
  const long classifier = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  EXPECT_EQ(put_into(used, classifier), -EINVAL);
  EXPECT_EQ(put_into(used, load_as(uapi::BPF_PROG_TYPE_XDP, uapi::BPF_XDP, used)), 0);  // the context is the same
  EXPECT_EQ(load_as(uapi::BPF_PROG_TYPE_XDP, uapi::BPF_XDP_DEVMAP, used), -EINVAL);
  const long filled = new_array();
  ASSERT_EQ(put_into(filled, classifier), 0);
  EXPECT_EQ(load_as(uapi::BPF_PROG_TYPE_XDP, 0, filled), -EINVAL);
  EXPECT_NE(bpf().log().find("is for programs of another kind"), std::string::npos) << bpf().log();
  EXPECT_GT(load_as(uapi::BPF_PROG_TYPE_SCHED_CLS, 0, filled), 0) << bpf().log();
  const long connects = new_array();
  ASSERT_GT(load_as(uapi::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, uapi::BPF_CGROUP_INET4_CONNECT, connects), 0) << bpf().log();
  EXPECT_EQ(load_as(uapi::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, uapi::BPF_CGROUP_UDP4_SENDMSG, connects), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
