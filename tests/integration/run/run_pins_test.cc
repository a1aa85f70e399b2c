// /sys/fs/bpf under `ring3 run`: a file system of the pins, in the command's own mount namespace.
#include <gtest/gtest.h>

#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

class RunPins : public RunWorld {
 protected:
  void SetUp() override {
    RunWorld::SetUp();
    if (!IsSkipped() && alone({"grep", "-q", "/sys/fs/bpf fuse.bpf", "/proc/self/mounts"}).code != 0)
      GTEST_SKIP() << "neither mount namespaces nor /dev/fuse here";
  }
};

TEST_F(RunPins, TreeOfTheCommandsOwnRuntime) {
  const Outcome tree = alone(client({"tree"}));
  EXPECT_EQ(tree.code, 0) << tree;
}

TEST_F(RunPins, TreeOfAHost) {
  const std::size_t before = live();
  const Outcome tree = on_host(client({"tree"}));
  EXPECT_EQ(tree.code, 0) << tree;
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(RunPins, B_25_TheTableOfMountsAndStatfs) {
  for (const auto& told : {alone({"grep", " /sys/fs/bpf ", "/proc/mounts"}), on_host({"grep", " /sys/fs/bpf ", "/proc/mounts"})})
    EXPECT_EQ(told.out, "bpf /sys/fs/bpf bpf rw,nosuid,nodev,noexec,relatime 0 0\n") << told;
  const Outcome type = alone({"stat", "-f", "-c", "%t", "/sys/fs/bpf"});
  EXPECT_EQ(type.out, "cafe4a11\n") << type;
  // The rest of the table is as it was.
  EXPECT_EQ(alone({"sh", "-c", "grep -v ' /sys/fs/bpf ' /proc/mounts | head -1"}).out, alone({"sh", "-c", "head -1 /proc/self/mounts"}).out);
}

TEST_F(RunPins, B_26_PreloadedIterators) {
  const Outcome tables = alone({"cat", "/sys/fs/bpf/maps.debug", "/sys/fs/bpf/progs.debug"});
  EXPECT_EQ(tables.code, 0) << tables;
  EXPECT_TRUE(tables.says("  id name             max_entries  cur_entries\n")) << tables;
  EXPECT_TRUE(tables.says("  id name             attached\n")) << tables;
  EXPECT_TRUE(tables.says(" dump_bpf_map     bpf_iter_bpf_map\n")) << tables;
  EXPECT_NE(alone({"sh", "-c", "echo x > /sys/fs/bpf/maps.debug"}).code, 0);
  EXPECT_FALSE(alone({"sh", "-c", "rm -f /sys/fs/bpf/maps.debug; ls /sys/fs/bpf"}).says("maps.debug"));
}

TEST_F(RunPins, OneCommandSeesWhatAnotherHasPinnedOnTheHost) {
  EXPECT_EQ(on_host(client({"pin", "/sys/fs/bpf/kept"})).code, 0);
  const Outcome listed = on_host({"ls", "/sys/fs/bpf"});
  EXPECT_TRUE(listed.says("kept")) << listed;
  EXPECT_EQ(on_host({"unlink", "/sys/fs/bpf/kept"}).code, 0);
  EXPECT_FALSE(on_host({"ls", "/sys/fs/bpf"}).says("kept"));
}

TEST_F(RunPins, NothingIsMountedOutside) {
  const auto running = start_alone({"sh", "-c", "mkdir /sys/fs/bpf/inside && echo ready && exec cat"});
  EXPECT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
  EXPECT_NE(::access("/sys/fs/bpf/inside", F_OK), 0);
  running->kill(SIGKILL);
  (void)running->wait();
}

/// The file system is served until the command's last look at it, and a supervisor that is gone leaves errors.
TEST_F(RunPins, TreeOfASupervisorThatDied) {
  const std::string out = folder_ + "/left";
  const auto running = start_alone({"sh", "-c", "ls /sys/fs/bpf >/dev/null; echo ready; while ls /sys/fs/bpf >/dev/null 2>&1; do :; done; ls /sys/fs/bpf 2>" + out});
  EXPECT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
  running->kill(SIGKILL);
  (void)running->wait();
  const auto text = [&] {
    std::ifstream file(out);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  EXPECT_TRUE(eventually([&] { return text().find("/sys/fs/bpf") != std::string::npos; })) << text();
  ::unlink(out.c_str());
}

}  // namespace
}  // namespace ring3::test
