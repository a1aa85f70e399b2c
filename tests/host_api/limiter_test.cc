// The host of docs/host-api.md does what the page says.
#include <gtest/gtest.h>
#include <unistd.h>

#include "limiter_btf.h"
#include "limiter_host.h"
#include "tests/integration/libbpf_door.h"
#include "tests/support/log_lines.h"

namespace {

TEST(HostApiDoc, TheExampleHost) {
  ring3::test::LogLines log;
  auto limiter = Limiter::start(&log);
  ASSERT_TRUE(limiter.ok()) << log.text();
  Limiter& host = **limiter;
  request big{.client = 1, .bytes = 5000, .cost = 0}, small{.client = 1, .bytes = 100, .cost = 0};
  EXPECT_TRUE(host.admit(big, nullptr)) << "the fallback lets everything pass";

  {
    const ring3::test::LibbpfDoor door(host.runtime(), limiter_btf);
    ring3::test::ObjectFile module(RING3_MODULE_DIR "/limiter.bpf.o");
    ASSERT_EQ(module.load(), 0) << log.text();
    const int link = module.attach("small");
    ASSERT_GT(link, 0) << log.text();
    EXPECT_FALSE(host.admit(big, nullptr));
    EXPECT_TRUE(host.admit(small, nullptr));
    EXPECT_EQ(small.cost, 100u);
    EXPECT_TRUE(host.admit(small, &big));
    EXPECT_EQ(small.cost, 100u + 2500u);
    ::close(link);
  }
  host.runtime().bpf(0, nullptr, 0);  // any command: the runtime notices what was closed
  EXPECT_TRUE(host.admit(big, nullptr)) << "back to the fallback";
}

}  // namespace
