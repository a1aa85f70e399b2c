// Clients without any library: what bpf(2) and the descriptors it gives owe to a process, a thread, a child and a signal.
#include <gtest/gtest.h>

#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

class RunClient : public RunWorld {
 protected:
  /// A mode of run_client.c.
  void works(const std::vector<std::string>& words) { works_everywhere(client(words)); }
};

TEST_F(RunClient, MapCommandsAnswerAsLinux) { works({"map"}); }
TEST_F(RunClient, PageProtectionCounts) { works({"readonly"}); }
TEST_F(RunClient, MappedMapIsMemoryOfBoth) { works({"mmap"}); }
TEST_F(RunClient, ThreadsCallAtTheSameTime) { works({"threads"}); }
TEST_F(RunClient, ChildrenInheritDescriptors) { works({"fork"}); }
TEST_F(RunClient, ExecMakesANewAddressSpace) { works({"exec"}); }
TEST_F(RunClient, DescriptorsCrossSockets) { works({"pass"}); }
TEST_F(RunClient, DescriptorsAreLookedAtAgain) { EXPECT_EQ(alone(client({"again"})).code, 0); }
TEST_F(RunClient, AThousandMapsLeaveNoDescriptors) {
  // In the supervisor's own user namespace, so that the client may look at its descriptors.
  const Outcome done = alone(client({"churn"}), {"--no-namespaces"});
  EXPECT_EQ(done.code, 0) << done;
}
TEST_F(RunClient, RingsThatAreOpenedAgainWakeAgain) { works({"rings"}); }
TEST_F(RunClient, RingsThatAreGoneLeaveNoDescriptors) {
  const Outcome done = alone(client({"ring-churn"}), {"--no-namespaces"});
  EXPECT_EQ(done.code, 0) << done;
}
TEST_F(RunClient, MemlockCanBeRaised) { works({"memlock"}); }
TEST_F(RunClient, DescriptorsAreNamedAsLinuxNamesThem) { works({"link-text"}); }
TEST_F(RunClient, SignalsDoNotRepeatCalls) {
  works({"storm", "restart"});
  works({"storm", "interrupt"});
}

TEST_F(RunClient, SignalsEndRunsThatAreRepeated) { works({"endless", "signal"}); }
TEST_F(RunClient, RunsOfThoseWhoAreKilledEnd) {
  const std::size_t before = live();
  for (const bool own : {true, false}) {
    // The command's first process is a shell, which goes on when the one that runs is killed.
    const std::vector<std::string> words{"sh", "-c", RING3_RUN_CLIENT " endless wait & child=$!; sleep 0.3; kill -KILL $child; wait $child; echo ended $?"};
    const Outcome killed = own ? alone(words) : on_host(words);
    EXPECT_EQ(killed.code, 0) << killed;
    EXPECT_TRUE(killed.says("ended 137")) << killed;
    // And one that the command leaves behind.
    const Outcome left = own ? alone({"sh", "-c", RING3_RUN_CLIENT " endless wait >/dev/null & sleep 0.3"}) : on_host({"sh", "-c", RING3_RUN_CLIENT " endless wait >/dev/null & sleep 0.3"});
    EXPECT_EQ(left.code, 0) << left;
  }
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(RunClient, PerfEventsOfBpfOutput) { works({"perf"}); }
TEST_F(RunClient, FdinfoTellsOfObjects) {
  const Outcome own = alone(client({"fdinfo"}), {"--fdinfo"});
  EXPECT_EQ(own.code, 0) << own;
  const Outcome hosts = on_host(client({"fdinfo"}), {"--fdinfo"});
  EXPECT_EQ(hosts.code, 0) << hosts;
}
TEST_F(RunClient, DescriptorsOfTheWrongKind) { works({"wrong-files"}); }
TEST_F(RunClient, MemoryThatGoesWhileItIsRead) { works({"unmap"}); }
TEST_F(RunClient, MemoryThatBlocksHoldsUpNobodyElse) {
  if (alone(client({"block"})).code == 77) GTEST_SKIP() << "userfaultfd is not allowed here";
  works({"block"});
}
TEST_F(RunClient, MemoryThatBlocksForGoodEndsWithTheCommand) {
  if (alone(client({"block", "leave"})).code == 77) GTEST_SKIP() << "userfaultfd is not allowed here";
  const std::size_t before = live();
  EXPECT_EQ(on_host(client({"block", "leave"})).code, 0);
  EXPECT_TRUE(settles_at(before)) << leaks();
}
TEST_F(RunClient, MemoryAndFilesOfAStuckFileSystemHoldUpNobodyElse) {
  const Outcome own = alone(client({"stuck"}));
  if (own.code == 77) GTEST_SKIP() << "no FUSE here";
  EXPECT_EQ(own.code, 0) << own;
  const std::size_t before = live();
  const Outcome hosts = on_host(client({"stuck"}));
  EXPECT_EQ(hosts.code, 0) << hosts;
  EXPECT_TRUE(settles_at(before)) << leaks();
}
TEST_F(RunClient, FilesOfAStuckFileSystemEndWithTheCommand) {
  if (alone(client({"stuck", "leave"})).code == 77) GTEST_SKIP() << "no FUSE here";
  const std::size_t before = live();
  EXPECT_EQ(on_host(client({"stuck", "leave"})).code, 128 + SIGKILL);
  EXPECT_TRUE(settles_at(before)) << leaks();
}
TEST_F(RunClient, LimitsOfTheCommandsOwnRuntime) {
  const Outcome maps = alone(client({"limit"}), {"--limit", "maps=5", "-v"});
  EXPECT_EQ(maps.code, 0) << maps;
  EXPECT_TRUE(maps.says("5 maps, errno " + std::to_string(EPERM))) << maps;
  EXPECT_TRUE(maps.says("has 5 objects of kind map, as many as this host lets one user's clients have")) << maps;
  const Outcome bytes = alone(client({"large", "100"}), {"--limit", "bytes=200000"});
  EXPECT_TRUE(bytes.says("errno 0")) << bytes;
  const Outcome beyond = alone(client({"large", "200"}), {"--limit", "bytes=200000", "-v"});
  EXPECT_TRUE(beyond.says("errno " + std::to_string(E2BIG))) << beyond;
  EXPECT_TRUE(beyond.says("a map of 204800 bytes is larger than the 200000")) << beyond;
  EXPECT_EQ(alone({"true"}, {"--limit", "maps=x"}).code, 125);
  EXPECT_EQ(alone({"true"}, {"--limit", "mops=1"}).code, 125);
}
TEST_F(RunClient, AttributesOfNoise) {
  for (const char* seed : {"1", "2", "3"}) works({"fuzz", seed});
}

TEST_F(RunClient, PinsEndWithACommandOfItsOwn) {
  for (int i = 0; i < 2; ++i) {
    const Outcome own = alone(client({"pin", "/sys/fs/bpf/kept"}));
    EXPECT_EQ(own.code, 0) << own;
  }
}

TEST_F(RunClient, PinsStayOnAHost) {
  const std::size_t before = live();
  EXPECT_EQ(on_host(client({"pin", "/sys/fs/bpf/kept"})).code, 0);
  EXPECT_TRUE(settles_at(before + 1)) << leaks();
  EXPECT_NE(on_host(client({"pin", "/sys/fs/bpf/kept"})).code, 0);
  const syscall::PinIdentity root{0, 0, {}, true};
  EXPECT_TRUE(runtime_->impl().kernel().pins().unlink("/sys/fs/bpf/kept", root).ok());
}

TEST_F(RunClient, ExitCodeIsTheCommands) {
  EXPECT_EQ(alone(client({"leave", "7"})).code, 7);
  EXPECT_EQ(alone({"sh", "-c", "kill -9 $$"}).code, 128 + SIGKILL);
  EXPECT_EQ(alone({"/no/such/command"}).code, 127);
  EXPECT_EQ(alone({"/"}).code, 126);
}

TEST_F(RunClient, SignalsArePassedOn) {
  const auto running = start_alone({"sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"});
  ASSERT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
  running->kill(SIGTERM);
  EXPECT_EQ(running->wait().code, 3);
}

TEST_F(RunClient, RunWithinRunSaysSo) {
  const Outcome nested = alone({RING3_COMMAND, "run", "--", "true"});
  EXPECT_EQ(nested.code, 125) << nested;
  EXPECT_TRUE(nested.says("`ring3 run` within `ring3 run`")) << nested;
}

TEST_F(RunClient, HostThatIsNotThere) {
  Command nobody({"ring3", "-H", folder_ + "/nobody.sock", "run", "--", "true"}, folder_);
  const Outcome gone = nobody.wait();
  EXPECT_EQ(gone.code, 125) << gone;
  EXPECT_TRUE(gone.says("nobody.sock")) << gone;
}

TEST_F(RunClient, WithoutNamespacesCallsStillGoToTheRuntime) {
  const Outcome plain = alone(client({"map"}), {"--no-namespaces"});
  EXPECT_EQ(plain.code, 0) << plain;
}

TEST_F(RunClient, FilesOfTheKernelTellOfTheRuntime) {
  const std::vector<std::string> look{"sh", "-c", "grep -c ' T ' /proc/kallsyms; cat /sys/devices/system/cpu/possible; zcat /proc/config.gz 2>/dev/null | head -1"};
  for (const Outcome& told : {alone(look, {"-v"}), on_host(look, {"-v"})}) {
    if (told.says("no namespaces")) GTEST_SKIP() << told;
    EXPECT_EQ(told.code, 0) << told;
    EXPECT_LT(std::strtol(told.out.c_str(), nullptr, 10), 2000) << "the functions of the test host, not of the machine's kernel";
    EXPECT_GT(std::strtol(told.out.c_str(), nullptr, 10), 0) << told;
    if (::access("/proc/config.gz", R_OK) == 0) {
      EXPECT_TRUE(told.says("# Of a runtime of ring3's")) << told;
    }
  }
}

TEST_F(RunClient, ReportCountsWhatFailed) {
  const Outcome report = alone(client({"map"}), {"--report"});
  EXPECT_EQ(report.code, 0) << report;
  EXPECT_TRUE(report.says("MAP_LOOKUP_ELEM")) << report;
  EXPECT_TRUE(report.says("ENOENT")) << report;
}

TEST_F(RunClient, ClientsOutliveTheirSupervisorWithErrors) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const std::string input = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends[0]);
  const std::string out = folder_ + "/orphan";
  const auto running = start_alone({"sh", "-c", "exec " RING3_RUN_CLIENT " orphan <" + input + " >" + out});
  OwnedFd reader(ends[0]), writer(ends[1]);
  const auto text = [&] {
    std::ifstream file(out);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  ASSERT_TRUE(eventually([&] { return text() == "ready\n"; }));
  running->kill(SIGKILL);
  EXPECT_EQ(running->wait().code, -SIGKILL);
  writer.reset();
  EXPECT_TRUE(eventually([&] { return text() == "ready\nerrno " + std::to_string(ENOSYS) + "\n"; })) << text();
  ::unlink(out.c_str());
}

TEST_F(RunClient, ClientsOutliveTheirHostWithErrors) {
  const auto running = start_on_host(client({"host-gone"}));
  ASSERT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
  client_ = nullptr;
  runtime_ = nullptr;
  const Outcome gone = running->wait();
  EXPECT_EQ(gone.code, 0) << gone;
  EXPECT_TRUE(gone.says("errno " + std::to_string(ECONNREFUSED))) << gone;
}

TEST_F(RunClient, KilledClientsLeaveNothing) {
  const std::size_t before = live();
  for (int i = 0; i < 5; ++i) {
    const auto running = start_on_host(client({"host-gone"}));
    ASSERT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
    running->kill(i % 2 == 0 ? SIGKILL : SIGTERM);
    (void)running->wait();
    EXPECT_TRUE(settles_at(before)) << leaks();
  }
}

}  // namespace
}  // namespace ring3::test
