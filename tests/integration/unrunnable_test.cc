// Programs that need what this host lacks: refused, or, in a runtime that is for trying programs out, verified and listed only.
#include <gtest/gtest.h>

#include "base/text_sink.h"
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

}  // namespace
}  // namespace ring3::test
