// Checks B-27 and B-28: tokens (behaviour.md B.7). Callers in a user namespace are played: what the host sees of them is
// that they are foreign, and what they may do inside.
#include "tests/integration/bpffs/mount_world.h"

namespace ring3::test {
namespace {

/// Knows a few directories that do not exist on this machine, by descriptor.
class MountFiles final : public syscall::ClientFiles {
 public:
  explicit MountFiles(std::map<int, std::string> directories) : directories_(std::move(directories)) {}
  Result<syscall::FileIdentity> identify(int fd, OwnedFd& open) override { return own_.identify(fd, open); }
  Result<int> install(OwnedFd fd) override { return own_.install(std::move(fd)); }
  Result<void> close(int fd) override { return own_.close(fd); }
  Result<std::string> directory_path(int fd) override {
    const auto known = directories_.find(fd);
    if (known == directories_.end()) return own_.directory_path(fd);
    return known->second;
  }
  Result<pid_t> process(int fd) override { return own_.process(fd); }

 private:
  syscall::OwnFiles own_;
  const std::map<int, std::string> directories_;
};

class NamespaceCaller final : public syscall::Caller {
 public:
  NamespaceCaller(uid_t uid, std::map<int, std::string> directories) : files_(std::move(directories)) {
    credentials_.uid = credentials_.gid = uid;
    credentials_.pid = ::getpid();
  }
  const syscall::Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return outside; }
  bool foreign() override { return is_foreign; }
  model::Rights namespace_rights() override { return is_foreign ? inside : outside; }
  syscall::UserMemory& memory() override { return memory_; }
  syscall::ClientFiles& files() override { return files_; }
  mode_t umask() override { return 022; }

  bool is_foreign = true;
  model::Rights outside{}, inside = model::Rights::all();

 private:
  syscall::Credentials credentials_;
  syscall::OwnMemory memory_;
  MountFiles files_;
};

constexpr int kRootFd = 1001, kFolderFd = 1002, kOtherFd = 1003, kHereFd = 1004, kEmptyFd = 1005, kClosedFd = 1006,
              kPrivateFd = 1007;

class Tokens : public MountWorld {
 protected:
  Tokens() {
    auto foreign = [this](const char* where, const char* options) {
      auto mount = std::make_unique<TestMount>(runtime_->impl(), where);
      EXPECT_EQ(mount->mount(options, bpffs::kMountNew | bpffs::kMountForeign), Errno{});
      return mount;
    };
    mounts_.push_back(foreign("/mnt/ns", "delegate_cmds=map_create:btf_load,delegate_maps=hash"));
    mounts_.push_back(foreign("/mnt/empty", ""));
    mounts_.push_back(foreign("/mnt/private", "mode=0700,delegate_cmds=any"));
    mounts_.push_back(new_mount("/mnt/here", "delegate_cmds=any"));
  }
  long create(int fd, std::uint32_t flags = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.token_create.flags = flags;
    attr.token_create.bpffs_fd = static_cast<std::uint32_t>(fd);
    return took(as(caller_, uapi::BPF_TOKEN_CREATE, attr));
  }
  long map_with(std::uint32_t type, long token) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, 8, 1);
    if (token >= 0) {
      attr.map_flags = uapi::BPF_F_TOKEN_FD;
      attr.map_token_fd = static_cast<std::int32_t>(token);
    }
    return took(as(caller_, uapi::BPF_MAP_CREATE, attr));
  }

  std::vector<std::unique_ptr<TestMount>> mounts_;
  NamespaceCaller caller_{1000,
                          {{kRootFd, "/mnt/ns"}, {kFolderFd, "/mnt/ns/folder"}, {kOtherFd, "/tmp"}, {kHereFd, "/mnt/here"},
                           {kEmptyFd, "/mnt/empty"}, {kPrivateFd, "/mnt/private"}}};
};

TEST_F(Tokens, B_27_EveryErrorOfTokenCreate) {
  EXPECT_EQ(create(kRootFd, 1), -EINVAL);
  EXPECT_EQ(create(kClosedFd), -EBADF);
  EXPECT_EQ(create(kFolderFd), -EINVAL) << "not the root";
  EXPECT_EQ(create(kOtherFd), -EINVAL) << "no bpffs";
  EXPECT_EQ(create(kPrivateFd), -EACCES);
  EXPECT_EQ(create(kHereFd), -EPERM) << "the mount is of another namespace";
  EXPECT_EQ(create(kEmptyFd), -ENOENT) << "nothing is delegated";
  caller_.inside = {};
  EXPECT_EQ(create(kRootFd), -EPERM) << "no CAP_BPF in its namespace";
  caller_.is_foreign = false;
  EXPECT_EQ(create(kRootFd), -EPERM);
  caller_.outside = model::Rights::all();
  EXPECT_EQ(create(kHereFd), -EOPNOTSUPP) << "the host's own namespace";
}

TEST_F(Tokens, B_27_ATokenIsADescriptorThatCannotBePinned) {
  const long token = create(kRootFd);
  ASSERT_GE(token, 0) << log_.take();
  EXPECT_EQ(pin_as(caller_, token, "/mnt/ns/token"), -EINVAL);
}

TEST_F(Tokens, B_28_ATokenStandsInForWhatItCovers) {
  const long token = create(kRootFd);
  ASSERT_GE(token, 0) << log_.take();
  EXPECT_EQ(map_with(uapi::BPF_MAP_TYPE_HASH, -1), -EPERM);
  EXPECT_GE(map_with(uapi::BPF_MAP_TYPE_HASH, token), 0) << log_.take();
  EXPECT_EQ(map_with(uapi::BPF_MAP_TYPE_ARRAY, token), -EPERM);
  const long map = array();
  EXPECT_EQ(map_with(uapi::BPF_MAP_TYPE_HASH, map), -EINVAL) << "no token";
  EXPECT_EQ(map_with(uapi::BPF_MAP_TYPE_HASH, kClosedFd), -EBADF);
  uapi::bpf_attr stats = BpfClient::zero();
  stats.enable_stats.type = uapi::BPF_STATS_RUN_TIME;
  const long statistics = took(as(admin_, uapi::BPF_ENABLE_STATS, stats));
  ASSERT_GE(statistics, 0);
  EXPECT_EQ(map_with(uapi::BPF_MAP_TYPE_HASH, statistics), -EINVAL) << "no token either";
  PreparedLoad load = bpf().prepare({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  load.attr.prog_flags = uapi::BPF_F_TOKEN_FD;
  load.attr.prog_token_fd = static_cast<std::int32_t>(token);
  EXPECT_EQ(as(caller_, uapi::BPF_PROG_LOAD, load.attr), -EPERM) << "not delegated";

  TestMount programs(runtime_->impl(), "/mnt/ns");
  ASSERT_EQ(programs.mount("delegate_cmds=prog_load,delegate_progs=socket_filter,delegate_attachs=any",
                           bpffs::kMountNew | bpffs::kMountForeign), Errno{});
  load.attr.prog_token_fd = static_cast<std::int32_t>(create(kRootFd));
  EXPECT_GE(took(as(caller_, uapi::BPF_PROG_LOAD, load.attr)), 0) << log_.take();
}

TEST_F(Tokens, B_28_MasksAreThoseOfTheMomentItWasMade) {
  const long token = create(kRootFd);
  mounts_.clear();
  EXPECT_EQ(create(kRootFd), -EINVAL) << "unmounted";
  EXPECT_GE(map_with(uapi::BPF_MAP_TYPE_HASH, token), 0) << log_.take();
}

}  // namespace
}  // namespace ring3::test
