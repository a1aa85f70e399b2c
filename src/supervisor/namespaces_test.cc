#include "supervisor/namespaces.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ring3::supervisor {
namespace {

TEST(NamespacesTest, OnlyTheFileSystemOfPinsIsCalledBpf) {
  const std::string table =
      "/dev/vda / ext4 rw,relatime 0 0\n"
      "ring3 /sys/fs/bpf fuse.bpf rw,nosuid,nodev,noexec,relatime,user_id=0,group_id=0,default_permissions,allow_other 0 0\n"
      "ring3 /sys/fs/bpf2 fuse.bpf rw,user_id=0 0 0\n";
  EXPECT_EQ(mounts_with_bpffs(table, "/sys/fs/bpf"),
            "/dev/vda / ext4 rw,relatime 0 0\n"
            "bpf /sys/fs/bpf bpf rw,nosuid,nodev,noexec,relatime 0 0\n"
            "ring3 /sys/fs/bpf2 fuse.bpf rw,user_id=0 0 0\n");
  EXPECT_EQ(mounts_with_bpffs("bpf /mnt/pins fuse.bpf rw,nosuid,relatime,user_id=0,group_id=0 0 0\n", "/sys/fs/bpf"), "bpf /mnt/pins bpf rw,nosuid,relatime 0 0\n")
      << "`ring3 mount` has made it";
  EXPECT_EQ(mounts_with_bpffs("", "/sys/fs/bpf"), "");
  EXPECT_EQ(mounts_with_bpffs("bpf /sys/fs/bpf bpf rw 0 0\n", "/sys/fs/bpf"), "bpf /sys/fs/bpf bpf rw 0 0\n") << "the machine's own, below";
}

/// In a process of nobody's, with namespaces of its own. Its exit code; 77: it may have none.
int as_nobody(int (*what)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)) ::_exit(76);
    ::prctl(PR_SET_DUMPABLE, 1);  // who has changed its user may not write its own maps
    std::string why;
    ::_exit(enter_namespaces(why).ok() ? what() : 77);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr const char* kTree = "/tmp/ring3-not-writable";

TEST(NamespacesTest, FilesOfItsOwnWhereTheMachineLetsOnlyRoot) {
  namespace fs = std::filesystem;
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make what nobody may write";
  // A directory that is none of /tmp's, which is the workshop.
  const std::string tree = "/var" + std::string(kTree);
  fs::remove_all(tree);
  fs::create_directories(tree + "/folder");
  std::ofstream(tree + "/file") << "the machine's";
  std::ofstream(tree + "/folder/inner") << "below";
  fs::create_symlink("folder", tree + "/link");
  const int code = as_nobody([] {
    const std::string mine = "/var" + std::string(kTree);
    std::string why;
    if (::open((mine + "/lock").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0) return 1;
    if (!make_writable(mine, why).ok()) return 2;
    if (::open((mine + "/lock").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600) < 0) return 3;
    std::string text;
    if (!std::getline(std::ifstream(mine + "/file"), text) || text != "the machine's") return 4;
    if (!std::getline(std::ifstream(mine + "/link/inner"), text) || text != "below") return 5;
    if (make_writable("/var/tmp/ring3-not-there", why).ok() || why.find("ring3-not-there") == std::string::npos) return 6;
    return ::access("/tmp", F_OK) == 0 ? 0 : 7;
  });
  EXPECT_FALSE(fs::exists(tree + "/lock")) << "the machine never sees it";
  fs::remove_all(tree);
  if (code == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(code, 0);
}

TEST(NamespacesTest, WhatIsWritableStaysAsItIs) {
  const int code = as_nobody([] {
    std::string why;
    struct stat before, after;
    if (::stat("/tmp", &before) != 0 || !make_writable("/tmp", why).ok() || ::stat("/tmp", &after) != 0) return 1;
    return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? 0 : 2;
  });
  if (code == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace ring3::supervisor
