// BPF_PROG_TEST_RUN for every kind that has one: what goes in, what comes out, what is refused.
#include <gtest/gtest.h>

#include <array>

#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

using Packet = std::array<std::uint8_t, 64>;

Packet packet() {
  Packet p{};
  p[12] = 0x08;  // ETH_P_IP
  p[14] = 0x45;
  p[63] = 9;
  return p;
}

class TestRun : public World {
 protected:
  long load(std::string_view text, std::uint32_t type) { return bpf().load({.text = text, .prog_type = type}); }

  /// attr.test with a packet going in.
  uapi::bpf_attr with_packet(long program, const Packet& p) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(p.data());
    attr.test.data_size_in = static_cast<std::uint32_t>(p.size());
    return attr;
  }
  long run(uapi::bpf_attr& attr) { return bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr); }
};

TEST_F(TestRun, SocketFilterSeesWhatIsBehindTheLinkLayer) {
  const long program = load("r0 = *(u32 *)(r1 +0)\nexit", uapi::BPF_PROG_TYPE_SOCKET_FILTER);
  ASSERT_GT(program, 0) << bpf().log();
  const Packet p = packet();
  uapi::bpf_attr attr = with_packet(program, p);
  Packet out{};
  attr.test.data_out = reinterpret_cast<std::uintptr_t>(out.data());
  attr.test.data_size_out = sizeof(out);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 64u - 14u);
  EXPECT_EQ(attr.test.data_size_out, 64u);
}

TEST_F(TestRun, RawTracepointsRunOnArguments) {
  const long program = load("r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 += r2\nexit", uapi::BPF_PROG_TYPE_RAW_TRACEPOINT);
  ASSERT_GT(program, 0) << bpf().log();
  const std::uint64_t arguments[13] = {40, 2};
  uapi::bpf_attr attr = BpfClient::zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(arguments);
  attr.test.ctx_size_in = 16;
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 42u);
  const auto with = [&](auto change) {
    uapi::bpf_attr other = attr;
    other.test.retval = 0;
    change(other);
    return run(other);
  };
  EXPECT_EQ(with([](auto& a) { a.test.ctx_size_in = 8; }), -EINVAL);  // less than the program reads
  EXPECT_EQ(with([](auto& a) { a.test.ctx_size_in = 12 * 8; }), 0);
  EXPECT_EQ(with([](auto& a) { a.test.ctx_size_in = 13 * 8; }), -EINVAL);
  EXPECT_EQ(with([](auto& a) { a.test.repeat = 1; }), -EINVAL);
  EXPECT_EQ(with([](auto& a) { a.test.batch_size = 1; }), -EINVAL);
  EXPECT_EQ(with([&](auto& a) { a.test.data_in = a.test.ctx_in, a.test.data_size_in = 64; }), -EINVAL);
  EXPECT_EQ(with([](auto& a) { a.test.cpu = 1; }), -EINVAL);
  EXPECT_EQ(with([](auto& a) { a.test.flags = uapi::BPF_F_TEST_RUN_ON_CPU; }), 0);
  EXPECT_EQ(with([](auto& a) { a.test.flags = uapi::BPF_F_TEST_RUN_ON_CPU, a.test.cpu = 1u << 20; }), -ENXIO);
}

TEST_F(TestRun, XdpReadsAndWritesThePacket) {
  const long program = load(
      "r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 64\nif r4 > r3 goto drop\n"
      "r0 = *(u8 *)(r2 +63)\nr5 = 77\n*(u8 *)(r2 +0) = r5\nexit\ndrop:\nr0 = 1\nexit",
      uapi::BPF_PROG_TYPE_XDP);
  ASSERT_GT(program, 0) << bpf().log();
  const Packet p = packet();
  uapi::bpf_attr attr = with_packet(program, p);
  Packet out{};
  attr.test.data_out = reinterpret_cast<std::uintptr_t>(out.data());
  attr.test.data_size_out = sizeof(out);
  attr.test.repeat = 3;
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 9u);
  EXPECT_EQ(out[0], 77);
  EXPECT_EQ(out[63], 9);

  std::uint8_t head[8] = {};
  attr.test.data_out = reinterpret_cast<std::uintptr_t>(head);
  attr.test.data_size_out = sizeof(head);
  EXPECT_EQ(run(attr), -ENOSPC);
  EXPECT_EQ(head[0], 77);
  EXPECT_EQ(attr.test.data_size_out, 64u);
}

TEST_F(TestRun, TcContextGoesInAndOut) {
  const long program = load("r2 = *(u32 *)(r1 +8)\nr2 += 1\n*(u32 *)(r1 +8) = r2\nr0 = *(u32 *)(r1 +0)\nexit",
                            uapi::BPF_PROG_TYPE_SCHED_CLS);
  ASSERT_GT(program, 0) << bpf().log();
  const Packet p = packet();
  uapi::bpf_attr attr = with_packet(program, p);
  uapi::__sk_buff ctx{}, out{};
  ctx.mark = 41;
  attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(&ctx);
  attr.test.ctx_out = reinterpret_cast<std::uintptr_t>(&out);
  attr.test.ctx_size_in = attr.test.ctx_size_out = sizeof(ctx);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 64u);
  EXPECT_EQ(out.mark, 42u);
  ctx.len = 1;  // not a client's to set
  EXPECT_EQ(run(attr), -EINVAL);
}

TEST_F(TestRun, SyscallProgramsWorkOnTheirContext) {
  const long program = bpf().load({.text = "r2 = *(u64 *)(r1 +0)\nr2 *= 2\n*(u64 *)(r1 +8) = r2\nr0 = 5\nexit",
                                   .flags = uapi::BPF_F_SLEEPABLE,
                                   .prog_type = uapi::BPF_PROG_TYPE_SYSCALL});
  ASSERT_GT(program, 0) << bpf().log();
  std::uint64_t ctx[2] = {21, 0};
  uapi::bpf_attr attr = BpfClient::zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(ctx);
  attr.test.ctx_size_in = sizeof(ctx);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 5u);
  EXPECT_EQ(ctx[1], 42u);
  attr.test.ctx_size_in = 8;  // less than the program reaches
  EXPECT_EQ(run(attr), -EINVAL);
  attr.test.ctx_size_in = 65536;  // whether or not so much can be read
  attr.test.ctx_in = 8;
  EXPECT_EQ(run(attr), -EINVAL);
  attr.test.ctx_size_in = 65535;
  EXPECT_EQ(run(attr), -EFAULT);
  attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(ctx);
  attr.test.ctx_size_in = sizeof(ctx);
  attr.test.repeat = 1;
  EXPECT_EQ(run(attr), -EINVAL);
}

TEST_F(TestRun, AHostRunsAProgramById) {
  const long filter = load("r0 = *(u32 *)(r1 +0)\nexit", uapi::BPF_PROG_TYPE_SOCKET_FILTER);
  ASSERT_GT(filter, 0) << bpf().log();
  const Packet p = packet();
  const std::uint32_t id = bpf().prog_info(filter).id;
  const Result<TestRunOutcome> run = runtime_->test_run(id, {.data = p.data(), .data_bytes = p.size()});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->retval, 64u - 14u);
  EXPECT_EQ(run->data.size(), p.size());
  EXPECT_EQ(runtime_->test_run(id, {.data = p.data(), .data_bytes = 3}).error(), Errno::kInval);
  EXPECT_EQ(runtime_->test_run(id + 1, {}).error(), Errno::kNoEnt);

  const long syscall = bpf().load({.text = "r0 = *(u32 *)(r1 +0)\nr2 = 8\n*(u32 *)(r1 +4) = r2\nexit",
                                   .flags = uapi::BPF_F_SLEEPABLE,
                                   .prog_type = uapi::BPF_PROG_TYPE_SYSCALL});
  const std::uint32_t ctx[2] = {5, 0};
  const Result<TestRunOutcome> called =
      runtime_->test_run(bpf().prog_info(syscall).id, {.ctx = ctx, .ctx_bytes = sizeof(ctx)});
  ASSERT_TRUE(called.ok());
  EXPECT_EQ(called->retval, 5u);
  EXPECT_EQ(static_cast<int>(called->ctx[4]), 8);
  const long member = bpf().load({.text = kAddText});
  EXPECT_EQ(runtime_->test_run(bpf().prog_info(member).id, {}).error(), Errno::kOpNotSupp);
}

/// Waits for so many looks and not longer.
class ImpatientCaller final : public syscall::Caller {
 public:
  explicit ImpatientCaller(int looks) : looks_(looks), own_(model::Rights::all()) {}
  const syscall::Credentials& credentials() const override { return own_.credentials(); }
  model::Rights rights() const override { return own_.rights(); }
  syscall::UserMemory& memory() override { return own_.memory(); }
  syscall::ClientFiles& files() override { return own_.files(); }
  mode_t umask() override { return own_.umask(); }
  bool gave_up() noexcept override { return --looks_ <= 0; }

 private:
  int looks_;
  syscall::OwnCaller own_;
};

TEST_F(TestRun, WhoGivesUpEndsHisRuns) {
  const auto run_as = [&](syscall::Caller& who, uapi::bpf_attr& attr) {
    return syscall::bpf(runtime_->impl().kernel(), who, uapi::BPF_PROG_TEST_RUN, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr);
  };
  const Packet p = packet();
  for (const std::uint32_t type : {uapi::BPF_PROG_TYPE_SOCKET_FILTER, uapi::BPF_PROG_TYPE_XDP, uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_PROG_TYPE_FLOW_DISSECTOR}) {
    const long program = load("r0 = 0\nexit", type);
    ASSERT_GT(program, 0) << bpf().log();
    ImpatientCaller soon(3);
    uapi::bpf_attr attr = with_packet(program, p);
    attr.test.repeat = UINT32_MAX;
    attr.test.retval = 77;
    EXPECT_EQ(run_as(soon, attr), -EINTR) << type;
    EXPECT_EQ(attr.test.retval, 77u) << "nothing comes out";
    ImpatientCaller never(0);
    attr.test.repeat = 1;
    EXPECT_EQ(run_as(never, attr), 0) << "one run is always made";
  }
  const long frames = load("r0 = 1\nexit", uapi::BPF_PROG_TYPE_XDP);
  ImpatientCaller soon(3);
  uapi::bpf_attr attr = with_packet(frames, p);
  attr.test.repeat = UINT32_MAX;
  attr.test.flags = uapi::BPF_F_TEST_XDP_LIVE_FRAMES;
  EXPECT_EQ(run_as(soon, attr), -EINTR);
}

TEST_F(TestRun, WhatIsRefused) {
  const long filter = load("r0 = 0\nexit", uapi::BPF_PROG_TYPE_SOCKET_FILTER);
  const Packet p = packet();
  uapi::bpf_attr attr = with_packet(filter, p);
  attr.test.data_size_in = 13;
  EXPECT_EQ(run(attr), -EINVAL) << "shorter than a link-layer header";
  attr = with_packet(filter, p);
  attr.test.cpu = 1;
  EXPECT_EQ(run(attr), -EINVAL);
  attr = with_packet(filter, p);
  attr.test.ctx_size_in = 8;
  EXPECT_EQ(run(attr), -EINVAL) << "a size without a pointer";
  attr = with_packet(filter, p);
  attr.test.data_in = 8;
  EXPECT_EQ(run(attr), -EFAULT);
  attr = with_packet(1'000'000, p);
  EXPECT_EQ(run(attr), -EBADF);
  const long kprobe = load("r0 = 0\nexit", uapi::BPF_PROG_TYPE_KPROBE);
  if (kprobe > 0) {
    attr = with_packet(kprobe, p);
    EXPECT_EQ(run(attr), kENotSupp);
  }
}

}  // namespace
}  // namespace ring3::test
