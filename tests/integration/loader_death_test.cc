// A loader that dies by SIGKILL at any step of a load leaves nothing behind (behaviour.md F.1.3): the steps are
// the packets it exchanges with the host.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "control/module_client.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

constexpr int kLoaded = 0;
constexpr int kKilled = -SIGKILL;

class LoaderDeath : public ControlWorld {
 protected:
  bool module_stands() { return !runtime_->impl().modules().list().empty(); }

  /// The loader is dead, its last packets may still be on their way: whatever comes of them has come when this is true.
  bool load_ended(std::size_t before) {
    return eventually([&] { return module_stands() || live() == before; });
  }

  void nothing_is_left(std::size_t before, const std::string& step) {
    ASSERT_TRUE(settles_at(before)) << step << "\n" << leaks();
    EXPECT_EQ(bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0), 0u) << step;
    EXPECT_EQ(bpf().next_id(uapi::BPF_PROG_GET_NEXT_ID, 0), 0u) << step;
    EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u) << step;
    EXPECT_EQ(calc_.registered.load(), calc_.unregistered.load()) << step;
    EXPECT_FALSE(module_stands()) << step;
  }

  void dies_everywhere(const char* when) {
    const std::size_t before = live();
    for (long packet = 1;; ++packet) {
      const int end = load("calc", "calc", when, packet).code;
      if (end != kKilled) {
        EXPECT_EQ(end, kLoaded) << log_.take();
        EXPECT_GT(packet, 20) << "that is no whole load";
        break;
      }
      ASSERT_TRUE(load_ended(before)) << when << " " << packet << "\n" << leaks();
      if (module_stands()) {
        // Killed between the commit and its answer: the module stands, whole.
        EXPECT_EQ(call_add(40, 2), 42);
        ASSERT_TRUE(control::remove(*connect(), "calc", false).ok());
      }
      nothing_is_left(before, std::string(when) + " " + std::to_string(packet));
      if (HasFatalFailure()) return;
    }
    EXPECT_EQ(call_add(40, 2), 42);
    EXPECT_TRUE(control::remove(*connect(), "calc", false).ok());
    nothing_is_left(before, "after rmmod");
  }
};

TEST_F(LoaderDeath, BeforeAnyPacket) { dies_everywhere("--die-before"); }
TEST_F(LoaderDeath, AfterAnyPacket) { dies_everywhere("--die-after"); }

/// A generated loader is killed while it runs: what it has made so far was its runner's, and goes with it.
TEST_F(LoaderDeath, E_29_InTheMiddleOfARun) {
  const std::size_t before = live();
  for (const char* when : {"--die-before", "--die-after"}) {
    for (long packet = 1;; ++packet) {
      const int end = load("light", "generated", when, packet).code;
      ASSERT_TRUE(settles_at(before)) << when << " " << packet << "\n" << leaks();
      nothing_is_left(before, std::string(when) + " " + std::to_string(packet));
      if (HasFatalFailure()) return;
      if (end == kKilled) continue;
      EXPECT_EQ(end, kLoaded) << log_.take();
      EXPECT_GT(packet, 20) << "that is no whole run";
      break;
    }
  }
}

}  // namespace
}  // namespace ring3::test
