// A loader that dies by SIGKILL at any step of a load leaves nothing behind (behaviour.md F.1.3): the steps are
// the packets it exchanges with the host.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "control/module_client.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

constexpr int kLoaded = 0;
constexpr int kKilled = -SIGKILL;

class LoaderDeath : public ControlWorld {
 protected:
  std::size_t live() { return runtime_->impl().objects().live_count(); }

  /// The host notices a death in its own time; 20 s are for a machine under load.
  bool settles_at(std::size_t objects) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    do {
      (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);  // any command drains the doorbells
      rcu::drain();
      if (live() == objects) return true;
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < deadline);
    return false;
  }

  bool module_stands() { return !runtime_->impl().modules().list().empty(); }

  /// The loader is dead, its last packets may still be on their way: whatever comes of them has come when this is true.
  bool load_ended(std::size_t before) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
      rcu::drain();
      if (module_stands() || live() == before) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::string leaks() {
    std::string text;
    for (const std::string& line : runtime_->impl().objects().live()) text += line + "\n";
    return text;
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

}  // namespace
}  // namespace ring3::test
