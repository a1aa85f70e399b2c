// The host of docs/host-api.md does what the page says.
#include <gtest/gtest.h>
#include <unistd.h>

#include "limiter_btf.h"
#include "limiter_host.h"
#include "tests/integration/libbpf_door.h"

namespace {

class Lines final : public ring3::Log {
 public:
  void line(ring3::Severity, std::string_view, std::string_view text) override { text_ += std::string(text) + "\n"; }
  std::string text_;
};

TEST(HostApiDoc, TheExampleHost) {
  Lines log;
  auto limiter = Limiter::start(&log);
  ASSERT_TRUE(limiter.ok()) << log.text_;
  Limiter& host = **limiter;
  request big{.client = 1, .bytes = 5000, .cost = 0}, small{.client = 1, .bytes = 100, .cost = 0};
  EXPECT_TRUE(host.admit(big, nullptr)) << "the fallback lets everything pass";

  {
    const ring3::test::LibbpfDoor door(host.runtime(), limiter_btf);
    ring3::test::ObjectFile module(RING3_MODULE_DIR "/limiter.bpf.o");
    ASSERT_EQ(module.load(), 0) << log.text_;
    const int link = module.attach("small");
    ASSERT_GT(link, 0) << log.text_;
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
