// Dispatchers: XDP programs of several owners at one device, composed by a loader as libxdp's, with libxdp's own dispatcher object
// (behaviour.md D.6). Skipped where libxdp is not installed.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "ring3/hook.h"
#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kDevice = 7;
constexpr std::uint32_t kDrop = 1, kPass = 2, kSendBack = 3;
enum Mark : std::uint32_t { kEarly = 1, kLate, kMiddle, kMiddleToo, kSilent };

class Dispatcher : public RunWorld {
 protected:
  Dispatcher() : hook_(Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kDevice, .name = "wire"}).value()) {}
  void SetUp() override {
    RunWorld::SetUp();
    for (const char* libraries : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"})
      if (const std::string path = std::string(libraries) + "/bpf/xdp-dispatcher.o"; std::filesystem::exists(path)) dispatcher_ = path;
    if (dispatcher_.empty() && !IsSkipped()) GTEST_SKIP() << "libxdp's dispatcher (package libxdp1) is not installed";
  }

  std::vector<std::string> words(const char* verb, std::vector<std::string> more) const {
    std::vector<std::string> all{RING3_DISPATCH_CLIENT, verb, std::to_string(kDevice), dispatcher_};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome add(const char* name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {components_, name});
    return on_host(words("add", more));
  }
  Outcome remove(const char* name) { return on_host(words("remove", {name})); }

  struct Ran {
    std::uint32_t answer;
    std::vector<std::uint32_t> marks;
    bool operator==(const Ran&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Ran& ran) {
      out << "answer " << ran.answer << " after";
      for (const std::uint32_t mark : ran.marks) out << ' ' << mark;
      return out;
    }
  };
  /// What a packet meets, in order.
  Ran run() {
    const long marks = bpf().get("/sys/fs/bpf/marks");
    EXPECT_GT(marks, 0);
    std::uint32_t none = 0;
    EXPECT_EQ(bpf().update(marks, &none), 0);
    Ran ran{hook_.run(std::array<std::byte, 64>{}).value(), {}};
    const auto at = [&](std::uint32_t key) {
      std::uint32_t value = 0;
      EXPECT_EQ(bpf().lookup(marks, &value, key), 0);
      return value;
    };
    for (std::uint32_t i = 1, count = at(0); i <= count; ++i) ran.marks.push_back(at(i));
    bpf().close(marks);
    return ran;
  }
  /// The folder of the dispatcher that runs.
  std::string folder() {
    const long link = bpf().get("/sys/fs/bpf/xdp/link-7");
    const std::uint32_t id = bpf().link_info(link).prog_id;
    bpf().close(link);
    return "/sys/fs/bpf/xdp/dispatch-7-" + std::to_string(id);
  }

  Hook hook_;
  std::string dispatcher_;
  const std::string components_ = RING3_MODULE_DIR "/components.bpf.o";
};

#define EXPECT_DONE(call)             \
  do {                                \
    const Outcome done = (call);      \
    EXPECT_EQ(done.code, 0) << done;  \
  } while (false)

TEST_F(Dispatcher, D_29_ComponentsRunByPriorityAndTheirMasks) {
  EXPECT_DONE(add("late"));
  EXPECT_DONE(add("early"));
  EXPECT_DONE(add("middle_too"));
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddleToo, kLate}}));
  EXPECT_DONE(add("silent"));
  EXPECT_DONE(add("middle"));
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddle, kMiddleToo, kSilent, kLate}})) << "by name where priorities are the same";
  // After `early` the next one runs whether it passes or drops; after `middle` only if it passes.
  EXPECT_DONE(remove("early"));
  EXPECT_DONE(add("early", {std::to_string(kDrop)}));
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddle, kMiddleToo, kSilent, kLate}}));
  EXPECT_DONE(remove("middle"));
  EXPECT_DONE(add("middle", {std::to_string(kDrop)}));
  EXPECT_EQ(run(), (Ran{kDrop, {kEarly, kMiddle}}));
  EXPECT_DONE(remove("middle"));
  EXPECT_DONE(remove("middle_too"));
  EXPECT_DONE(add("middle_too", {std::to_string(kSendBack)}));
  EXPECT_EQ(run(), (Ran{kSendBack, {kEarly, kMiddleToo}}));
  EXPECT_EQ(remove("middle").code, 1) << "it is not there";
}

TEST_F(Dispatcher, D_30_LoadersThatRaceLoseNothing) {
  EXPECT_DONE(add("early"));
  // In one tree of pins: their lock is the machine's, and each `ring3 run` mounts a tree of its own (docs/links.md).
  const auto churn = [this](const char* name) {
    std::string command;
    for (const std::string& word : words("churn", {components_, name, "150"})) command += word + " ";
    return command;
  };
  EXPECT_DONE(on_host({"sh", "-c", churn("middle") + "& " + churn("late") + "&& wait $!"}));
  EXPECT_EQ(run(), (Ran{kPass, {kEarly}}));
  EXPECT_DONE(add("silent"));
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kSilent}}));
  // One dispatcher is left, and its two components, of all those that were made: nothing stale is pinned.
  const Outcome listed = on_host({"sh", "-c", "cd /sys/fs/bpf/xdp && ls -d dispatch-* && ls dispatch-*"});
  const std::string name = folder().substr(std::string("/sys/fs/bpf/xdp/").size());
  EXPECT_EQ(listed.out, name + "\nprog0-link\nprog0-prog\nprog1-link\nprog1-prog\n");
}

TEST_F(Dispatcher, D_31_OfAnotherVersionIsLeftAlone) {
  for (const char* version : {"1", "3"}) {
    std::vector<std::string> strange = words("add", {components_, "early"});
    strange.insert(strange.begin(), {"env", std::string("DISPATCH_VERSION=") + version});
    EXPECT_DONE(on_host(strange));
    const std::string before = folder();
    const Outcome refused = add("late");
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.err.find(std::string("a dispatcher of version ") + version), std::string::npos) << refused;
    EXPECT_EQ(folder(), before);
    EXPECT_EQ(run(), (Ran{kPass, {kEarly}}));
    EXPECT_DONE(on_host({"sh", "-c", "rm -r /sys/fs/bpf/xdp"}));
  }
}

TEST_F(Dispatcher, D_32_ASlotWhoseLinkGoesIsTransparent) {
  for (const char* name : {"early", "middle", "late"}) EXPECT_DONE(add(name));
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  std::thread traffic([&] {
    while (!stop) strange += hook_.run(std::array<std::byte, 64>{}).value() != kPass;
  });
  EXPECT_DONE(on_host({"rm", folder() + "/prog1-link"}));
  stop = true;
  traffic.join();
  EXPECT_EQ(strange, 0);
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kLate}}));
}

TEST_F(Dispatcher, D_35_PinsOutliveTheirLoaders) {
  EXPECT_DONE(add("early"));
  // The loader has ended. Another one finds its component by its pin and enters it into the next dispatcher.
  const std::string before = folder();
  EXPECT_EQ(run(), (Ran{kPass, {kEarly}}));
  const long link = bpf().get((before + "/prog0-link").c_str());
  ASSERT_GT(link, 0);
  EXPECT_EQ(bpf().link_info(link).type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_TRACING));
  bpf().close(link);
  EXPECT_DONE(add("late"));
  EXPECT_NE(folder(), before);
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kLate}}));
  EXPECT_LT(bpf().get((before + "/prog0-link").c_str()), 0) << "the old one's pins are gone";
}

}  // namespace
}  // namespace ring3::test
