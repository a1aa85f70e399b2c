// Programs that need what this host lacks: refused, or, in a runtime that is for trying programs out, verified and listed only.
#include <gtest/gtest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/text_sink.h"
#include "control/client.h"
#include "ring3/hook.h"
#include "test_host_btf.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

/// A kprobe that sends a signal, helper #109, which only a kernel should.
constexpr const char* kSignals = "r1 = 10\ncall 109\nr0 = 0\nexit";

struct Trial {
  explicit Trial(bool accept) {
    RuntimeOptions options;
    options.name = "trial";
    options.btf = test_host_btf;
    options.accept_unrunnable = accept;
    runtime = Runtime::create(options).value();
    host = btf::Btf::parse({static_cast<const std::byte*>(test_host_btf.data), test_host_btf.size}, nullptr, nothing, btf::Origin::kHost).value();
    bpf = std::make_unique<BpfClient>(*runtime, *host);
  }
  NullSink nothing;
  std::unique_ptr<Runtime> runtime;
  std::shared_ptr<const btf::Btf> host;
  std::unique_ptr<BpfClient> bpf;
};

TEST(UnrunnableTest, RefusedByAHost) {
  Trial trial(false);
  EXPECT_EQ(trial.bpf->load({.text = kSignals, .prog_type = uapi::BPF_PROG_TYPE_KPROBE}), -EINVAL);
  EXPECT_NE(trial.bpf->log().find("helper #109 is not provided by this host"), std::string::npos) << trial.bpf->log();
}

TEST(UnrunnableTest, ListedButNotRun) {
  Trial trial(true);
  const long program = trial.bpf->load({.text = kSignals, .prog_type = uapi::BPF_PROG_TYPE_KPROBE});
  ASSERT_GT(program, 0) << trial.bpf->log();
  EXPECT_NE(trial.bpf->log().find("neither attached nor run"), std::string::npos) << trial.bpf->log();
  const uapi::bpf_prog_info info = trial.bpf->prog_info(program);
  EXPECT_NE(info.id, 0u);
  EXPECT_NE(info.xlated_prog_len, 0u);
  EXPECT_EQ(info.jited_prog_len, 0u);
  EXPECT_EQ(info.run_cnt, 0u);
  uapi::bpf_attr run = BpfClient::zero();
  run.test.prog_fd = static_cast<std::uint32_t>(program);
  EXPECT_EQ(trial.bpf->bpf(uapi::BPF_PROG_TEST_RUN, run), kENotSupp);
}

/// A tail call finds nothing there, as in an empty slot.
TEST(UnrunnableTest, NoWayLeadsIntoIt) {
  Trial trial(true);
  const long absent = trial.bpf->load({.text = "r6 = r1\nr1 = 10\ncall 109\nr0 = 7\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  EXPECT_LT(absent, 0);  // what the verifier refuses stays refused
  const long program = trial.bpf->load({.text = kSignals, .prog_type = uapi::BPF_PROG_TYPE_KPROBE});
  ASSERT_GT(program, 0) << trial.bpf->log();
  uapi::bpf_attr attach = BpfClient::zero();
  attach.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attach.link_create.attach_type = uapi::BPF_PERF_EVENT;
  EXPECT_LT(trial.bpf->bpf(uapi::BPF_LINK_CREATE, attach), 0);
}

long update(BpfClient& bpf, long link, long program) {
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(program);
  return bpf.bpf(uapi::BPF_LINK_UPDATE, attr);
}

/// bpf_clone_redirect(), helper #13, needs the kernel's devices,
constexpr const char* kClones = "r2 = 1\nr3 = 0\ncall 13\nr0 = 0\nexit";
/// and bpf_skb_cgroup_id(), helper #79, its groups.
constexpr const char* kCgroupId = "call 79\nr0 = 1\nexit";

TEST(UnrunnableTest, NoLinkIsUpdatedToIt) {
  Trial trial(true);
  Hook in = Hook::add(*trial.runtime, {.kind = HookKind::kTcxIngress, .device = 7, .name = "in"}).value();
  const long runs = trial.bpf->load({.text = "r0 = 5\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  const long verified = trial.bpf->load({.text = kClones, .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  ASSERT_GT(verified, 0) << trial.bpf->log();
  ASSERT_NE(trial.bpf->log().find("neither attached nor run"), std::string::npos) << trial.bpf->log();
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(verified);
  attr.link_create.target_ifindex = 7;
  attr.link_create.attach_type = uapi::BPF_TCX_INGRESS;
  EXPECT_EQ(trial.bpf->bpf(uapi::BPF_LINK_CREATE, attr), kENotSupp);
  attr.link_create.prog_fd = static_cast<std::uint32_t>(runs);
  const long link = trial.bpf->create_with(uapi::BPF_LINK_CREATE, attr);
  ASSERT_GT(link, 0);
  EXPECT_EQ(update(*trial.bpf, link, verified), kENotSupp);
  const std::array<std::byte, 64> packet{};
  EXPECT_EQ(in.run(packet).value(), 5u);
}

TEST(UnrunnableTest, NoNodeIsUpdatedToIt) {
  Trial trial(true);
  const int folder = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(folder, 0);
  HookNode node = HookNode::add(*trial.runtime, {.file = folder}).value();
  const long runs = trial.bpf->load({.text = "r0 = 1\nexit", .prog_type = uapi::BPF_PROG_TYPE_CGROUP_SKB});
  const long verified = trial.bpf->load({.text = kCgroupId, .prog_type = uapi::BPF_PROG_TYPE_CGROUP_SKB});
  ASSERT_GT(verified, 0) << trial.bpf->log();
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(runs);
  attr.link_create.target_fd = static_cast<std::uint32_t>(folder);
  attr.link_create.attach_type = uapi::BPF_CGROUP_INET_INGRESS;
  const long link = trial.bpf->create_with(uapi::BPF_LINK_CREATE, attr);
  ASSERT_GT(link, 0);
  EXPECT_EQ(update(*trial.bpf, link, verified), kENotSupp);
  const std::array<std::byte, 64> packet{};
  EXPECT_TRUE(node.run(NodeHook::kIngress, packet).value().allowed);
  ::close(folder);
}

/// bpf_tcp_raw_gen_syncookie_ipv4(), helper #204, needs the kernel's secrets.
constexpr const char* kCookies = R"(
  r1 = r10
  r1 += -48
  r0 = 0
  *(u64 *)(r1 +0) = r0
  *(u64 *)(r1 +8) = r0
  *(u64 *)(r1 +16) = r0
  *(u64 *)(r1 +24) = r0
  *(u64 *)(r1 +32) = r0
  *(u64 *)(r1 +40) = r0
  r2 = r10
  r2 += -24
  r3 = 20
  call 204
  r0 = 2
  exit
)";

TEST(UnrunnableTest, NoDeviceGetsIt) {
  Trial trial(true);
  Hook wire = Hook::add(*trial.runtime, {.kind = HookKind::kXdp, .device = 7, .name = "wire"}).value();
  const std::string path = "/tmp/ring3-unrunnable-" + std::to_string(::getpid()) + ".sock";
  ASSERT_TRUE(trial.runtime->listen({.path = path, .policy = nullptr}).ok());
  std::string why;
  const auto client = control::Client::connect(path, why);
  ASSERT_TRUE(client.ok()) << why;
  const long verified = trial.bpf->load({.text = kCookies, .prog_type = uapi::BPF_PROG_TYPE_XDP});
  ASSERT_GT(verified, 0) << trial.bpf->log();
  ASSERT_NE(trial.bpf->log().find("neither attached nor run"), std::string::npos) << trial.bpf->log();
  EXPECT_EQ((*client)->set_device_program({.device = 7, .program = static_cast<std::int32_t>(verified)}).error(), Errno::kNotSupp);
  EXPECT_NE((*client)->text().find("verified only"), std::string::npos) << (*client)->text();
  EXPECT_EQ(wire.run(std::array<std::byte, 64>{}).value(), kHookNext);
}

/// A reader would have entered it.
TEST(UnrunnableTest, NoIteratorIsMadeOfIt) {
  Trial trial(true);
  const auto load = [&](const char* text) {
    return trial.bpf->load({.text = text, .member = uapi::BPF_TRACE_ITER, .prog_type = uapi::BPF_PROG_TYPE_TRACING,
                            .attach_btf_id = trial.host->find("bpf_iter_bpf_map", btf::Kind::kFunc)});
  };
  const long runs = load("r0 = 0\nexit"), verified = load(kSignals);
  ASSERT_GT(verified, 0) << trial.bpf->log();
  ASSERT_NE(trial.bpf->log().find("neither attached nor run"), std::string::npos) << trial.bpf->log();
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(verified);
  attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
  EXPECT_EQ(trial.bpf->bpf(uapi::BPF_LINK_CREATE, attr), kENotSupp);
  attr.link_create.prog_fd = static_cast<std::uint32_t>(runs);
  const long link = trial.bpf->create_with(uapi::BPF_LINK_CREATE, attr);
  ASSERT_GT(link, 0);
  EXPECT_EQ(update(*trial.bpf, link, verified), kENotSupp);
}

}  // namespace
}  // namespace ring3::test
