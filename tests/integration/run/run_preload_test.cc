// `ring3 run --preload`: the same client, linked dynamically, through the library in LD_PRELOAD. Skipped where that is not built.
#include <gtest/gtest.h>

#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

class RunPreload : public RunWorld {
 protected:
  void SetUp() override {
    const std::string command = RING3_COMMAND;
    if (::access((command.substr(0, command.rfind('/')) + "/libring3_preload.so").c_str(), R_OK) != 0)
      GTEST_SKIP() << "libring3_preload.so is not part of this build";
  }
  void works(std::vector<std::string> words) {
    words.insert(words.begin(), RING3_RUN_CLIENT "_dynamic");
    works_everywhere(words, {"--preload"});
  }
};

TEST_F(RunPreload, MapCommandsAnswerAsLinux) { works({"map"}); }
TEST_F(RunPreload, MappedMapIsMemoryOfBoth) { works({"mmap"}); }
TEST_F(RunPreload, ThreadsCallAtTheSameTime) { works({"threads"}); }
TEST_F(RunPreload, ChildrenInheritDescriptors) { works({"fork"}); }
TEST_F(RunPreload, ExecMakesANewAddressSpace) { works({"exec"}); }
TEST_F(RunPreload, DescriptorsCrossSockets) { works({"pass"}); }
TEST_F(RunPreload, MemlockCanBeRaised) { works({"memlock"}); }
TEST_F(RunPreload, DescriptorsAreNamedAsLinuxNamesThem) { works({"link-text"}); }
TEST_F(RunPreload, SignalsDoNotRepeatCalls) { works({"storm", "restart"}); }

TEST_F(RunPreload, ExitCodeIsTheCommands) {
  EXPECT_EQ(alone({RING3_RUN_CLIENT "_dynamic", "leave", "7"}, {"--preload"}).code, 7);
  EXPECT_EQ(alone({"/no/such/command"}, {"--preload"}).code, 127);
}

TEST_F(RunPreload, PinsGoByTheirPaths) {
  EXPECT_EQ(alone({RING3_RUN_CLIENT "_dynamic", "pin", "/sys/fs/bpf/kept"}, {"--preload"}).code, 0);
}

TEST_F(RunPreload, ClientsOutliveTheirHostWithErrors) {
  const auto running = start_on_host({RING3_RUN_CLIENT "_dynamic", "host-gone"}, {"--preload"});
  ASSERT_TRUE(eventually([&] { return running->out() == "ready\n"; }));
  client_ = nullptr;
  runtime_ = nullptr;
  const Outcome gone = running->wait();
  EXPECT_EQ(gone.code, 0) << gone;
  EXPECT_TRUE(gone.says("errno " + std::to_string(ECONNREFUSED))) << gone;
}

TEST_F(RunPreload, StockToolSeesTheHostsTypes) {
  if (::access("/usr/sbin/bpftool", X_OK) != 0) GTEST_SKIP() << "no bpftool";
  const Outcome types = on_host({"/usr/sbin/bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"}, {"--preload"});
  EXPECT_EQ(types.code, 0) << types.err;
  EXPECT_TRUE(types.says("struct calc_ops {"));
}

}  // namespace
}  // namespace ring3::test
