#include "supervisor/namespaces.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ring3::supervisor
