// A host's tree of hooks as clients see it: PROG_ATTACH, PROG_DETACH, PROG_QUERY and links with the rules and codes of cgroups
// (behaviour.md D.5.7), and what the host's runs answer.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include "base/owned_fd.h"
#include "ring3/hook.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kIn = uapi::BPF_CGROUP_INET_INGRESS, kOut = uapi::BPF_CGROUP_INET_EGRESS, kUse = uapi::BPF_CGROUP_DEVICE;
constexpr std::uint32_t kOver = uapi::BPF_F_ALLOW_OVERRIDE, kMulti = uapi::BPF_F_ALLOW_MULTI;

class TreeOfHooks : public World {
 protected:
  TreeOfHooks() {
    // A directory for one node, as for cgroups; files of the host's for the others.
    std::string folder = ::testing::TempDir() + "treeXXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    files_[0] = OwnedFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    folder_ = folder;
    for (std::size_t i = 1; i < files_.size(); ++i) files_[i] = OwnedFd(::memfd_create("node", MFD_CLOEXEC));
    root_ = HookNode::add(*runtime_, {.file = files_[0].get()}).value();
    child_ = HookNode::add(*runtime_, {.file = files_[1].get()}, &*root_).value();
  }
  ~TreeOfHooks() override { ::rmdir(folder_.c_str()); }

  long answers(int number, std::uint32_t type = kIn) {
    return bpf().load({.text = "r0 = " + std::to_string(number) + "\nexit",
                       .member = type == kUse ? std::uint32_t{kUse} : type,
                       .prog_type = type == kUse ? uapi::BPF_PROG_TYPE_CGROUP_DEVICE : uapi::BPF_PROG_TYPE_CGROUP_SKB});
  }
  long attach(int file, long program, std::uint32_t flags = 0, long replaced = 0, std::uint32_t type = kIn) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.target_fd = static_cast<std::uint32_t>(file);
    attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach_type = type;
    attr.attach_flags = flags;
    attr.replace_bpf_fd = static_cast<std::uint32_t>(replaced);
    return bpf().bpf(uapi::BPF_PROG_ATTACH, attr);
  }
  long detach(int file, long program, std::uint32_t type = kIn, std::uint32_t flags = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.target_fd = static_cast<std::uint32_t>(file);
    attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach_type = type;
    attr.attach_flags = flags;
    return bpf().bpf(uapi::BPF_PROG_DETACH, attr);
  }
  long node_link(int file, long program, std::uint32_t flags = 0, std::uint32_t type = kIn) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = static_cast<std::uint32_t>(file);
    attr.link_create.attach_type = type;
    attr.link_create.flags = flags;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  struct Seen {
    long result;
    std::uint32_t count, mode;
    std::vector<std::uint32_t> programs, flags;
  };
  Seen query(int file, std::uint32_t how = 0, std::uint32_t room = 64, bool with_flags = false, std::uint32_t type = kIn) {
    std::array<std::uint32_t, 64> programs{}, flags{};
    uapi::bpf_attr attr = BpfClient::zero();
    attr.query.target_fd = static_cast<std::uint32_t>(file);
    attr.query.attach_type = type;
    attr.query.query_flags = how;
    attr.query.count = room;
    attr.query.prog_ids = reinterpret_cast<std::uintptr_t>(programs.data());
    if (with_flags) attr.query.prog_attach_flags = reinterpret_cast<std::uintptr_t>(flags.data());
    Seen seen{bpf().bpf(uapi::BPF_PROG_QUERY, attr), attr.query.count, attr.query.attach_flags, {}, {}};
    for (std::uint32_t i = 0; i < std::min(attr.query.count, room); ++i) {
      seen.programs.push_back(programs[i]);
      if (with_flags) seen.flags.push_back(flags[i]);
    }
    return seen;
  }
  std::uint32_t id(long program) { return bpf().prog_info(program).id; }
  int root() const { return files_[0].get(); }
  int child() const { return files_[1].get(); }
  NodeAnswer run(const std::optional<HookNode>& node, NodeHook hook = NodeHook::kIngress) {
    const std::array<std::byte, 64> packet{};
    return node->run(hook, packet).value();
  }

  std::array<OwnedFd, 3> files_;
  std::string folder_;
  std::optional<HookNode> root_, child_;
};

TEST_F(TreeOfHooks, D_34_NoneOverrideAndMultiAlongTheTree) {
  const long yes = answers(1), no = answers(0), other = answers(1);
  ASSERT_GT(yes, 0) << bpf().log();
  EXPECT_EQ(attach(root(), no), 0);
  EXPECT_FALSE(run(child_).allowed);
  log_.take();
  EXPECT_EQ(attach(child(), yes), -EPERM);
  EXPECT_NE(log_.take().find("attached in a mode that does not allow this one beside or below them"), std::string::npos);
  EXPECT_EQ(attach(child(), yes, kMulti), -EPERM);
  EXPECT_EQ(attach(root(), yes, kOver), -EPERM);
  EXPECT_EQ(detach(root(), 0), 0);
  EXPECT_EQ(detach(root(), 0), -ENOENT);
  EXPECT_EQ(attach(root(), no, kOver), 0);
  EXPECT_EQ(attach(child(), yes, kOver), 0);
  EXPECT_TRUE(run(child_).allowed) << "its own stands for the root's";
  EXPECT_FALSE(run(root_).allowed);
  EXPECT_EQ(detach(child(), yes), 0);
  EXPECT_EQ(detach(root(), no), 0);
  EXPECT_EQ(attach(root(), no, kMulti), 0);
  EXPECT_EQ(attach(child(), yes, kMulti), 0);
  EXPECT_EQ(attach(child(), other, kMulti), 0);
  EXPECT_FALSE(run(child_).allowed) << "everybody must allow it";
  EXPECT_EQ(query(child(), uapi::BPF_F_QUERY_EFFECTIVE).programs, (std::vector<std::uint32_t>{id(yes), id(other), id(no)}));
  EXPECT_EQ(query(child()).mode, kMulti);
  EXPECT_EQ(detach(child(), 0), -EINVAL);
  EXPECT_EQ(detach(child(), no), -ENOENT);
  EXPECT_EQ(detach(root(), no), 0);
  EXPECT_TRUE(run(child_).allowed);
}

TEST_F(TreeOfHooks, D_34_ReplaceAndPreorder) {
  const long a = answers(1), b = answers(1), c = answers(1), d = answers(1);
  EXPECT_EQ(attach(root(), a, kMulti), 0);
  EXPECT_EQ(attach(root(), a, kMulti), -EINVAL);
  EXPECT_EQ(attach(root(), b, kMulti | uapi::BPF_F_REPLACE, c), -ENOENT);
  EXPECT_EQ(attach(root(), b, kMulti | uapi::BPF_F_REPLACE, 9999), -EBADF);
  EXPECT_EQ(attach(root(), b, uapi::BPF_F_REPLACE, a), -EINVAL);
  EXPECT_EQ(attach(root(), b, kOver | kMulti), -EINVAL);
  EXPECT_EQ(attach(root(), b, kMulti | uapi::BPF_F_REPLACE, a), 0);
  EXPECT_EQ(attach(root(), c, kMulti | uapi::BPF_F_PREORDER), 0);
  EXPECT_EQ(attach(child(), d, kMulti), 0);
  EXPECT_EQ(query(child(), uapi::BPF_F_QUERY_EFFECTIVE).programs, (std::vector<std::uint32_t>{id(c), id(d), id(b)}));
  EXPECT_EQ(query(root(), 0, 64, true).flags, (std::vector<std::uint32_t>{kMulti, kMulti | uapi::BPF_F_PREORDER}));
  EXPECT_EQ(attach(root(), a, kMulti | uapi::BPF_F_BEFORE), -EINVAL);
}

TEST_F(TreeOfHooks, D_34_CodesOfDescriptorsTypesAndQueries) {
  const long in = answers(1), use = answers(1, kUse), out = answers(3, kOut);
  ASSERT_GT(use, 0) << bpf().log();
  ASSERT_GT(out, 0) << bpf().log();
  EXPECT_EQ(attach(9999, in), -EBADF);
  EXPECT_EQ(attach(files_[2].get(), in), -EBADF) << "a file that is no node";
  EXPECT_EQ(attach(root(), 9999), -EBADF);
  EXPECT_EQ(attach(root(), use), -EINVAL);
  EXPECT_EQ(attach(root(), out), -EINVAL) << "it may answer 3";
  EXPECT_EQ(node_link(root(), use), -EINVAL);
  EXPECT_EQ(node_link(root(), in, uapi::BPF_F_REPLACE), -EINVAL);
  EXPECT_EQ(node_link(9999, in), -EBADF);
  EXPECT_EQ(detach(root(), in, kIn, kMulti), -EINVAL);
  EXPECT_EQ(attach(root(), in, 0, 0, uapi::BPF_CGROUP_SOCK_OPS), -EINVAL);
  ASSERT_EQ(attach(root(), in, kMulti), 0);
  ASSERT_GT(node_link(root(), answers(1)), 0);
  EXPECT_EQ(query(root(), 2).result, -EINVAL);
  EXPECT_EQ(query(root(), uapi::BPF_F_QUERY_EFFECTIVE, 64, true).result, -EINVAL);
  EXPECT_EQ(query(root(), 0, 1).result, -ENOSPC);
  EXPECT_EQ(query(root(), 0, 1).count, 2u);
  EXPECT_EQ(query(root(), 0, 0).result, 0);
  EXPECT_EQ(query(9999).result, -EBADF);
  EXPECT_EQ(HookNode::add(*runtime_, {.file = root()}).error(), Errno::kExist);
  EXPECT_EQ(HookNode::add(*runtime_, {.file = -1}).error(), Errno::kBadF);
  EXPECT_EQ(root_->run(NodeHook::kDevice, std::array<std::byte, 64>{}).error(), Errno::kInval);
  EXPECT_EQ(root_->run(NodeHook::kIngress, {}).error(), Errno::kInval);
}

TEST_F(TreeOfHooks, D_34_LinksAreUpdatedAndOutliveTheirNode) {
  const long a = answers(0), b = answers(1);
  const long link = node_link(child(), a);
  ASSERT_GT(link, 0);
  EXPECT_EQ(node_link(child(), a), -EINVAL) << "twice";
  EXPECT_FALSE(run(child_).allowed);
  EXPECT_EQ(bpf().link_info(link).cgroup.cgroup_id, child_->id());
  EXPECT_EQ(bpf().link_info(link).cgroup.attach_type, kIn);
  EXPECT_EQ(bpf().link_info(link).type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_CGROUP));
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(b);
  attr.link_update.old_prog_fd = static_cast<std::uint32_t>(b);
  attr.link_update.flags = uapi::BPF_F_REPLACE;
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EPERM);
  attr.link_update.old_prog_fd = static_cast<std::uint32_t>(a);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), 0);
  EXPECT_TRUE(run(child_).allowed);
  EXPECT_EQ(detach(child(), b), -ENOENT) << "a link's";
  EXPECT_EQ(root_->remove().error(), Errno::kBusy);
  EXPECT_TRUE(child_->remove().ok());
  EXPECT_EQ(bpf().link_info(link).cgroup.cgroup_id, 0u);
  attr.link_update.flags = attr.link_update.old_prog_fd = 0;
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -ENOLINK);
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(attach(child(), a), -EBADF) << "the file is no node any more";
  EXPECT_TRUE(run(child_).allowed);
  EXPECT_TRUE(root_->remove().ok());
  EXPECT_EQ(attach(root(), a), -EINVAL) << "no tree, no such hook";
}

TEST_F(TreeOfHooks, D_34_AnswersOfAllAreOne) {
  ASSERT_EQ(attach(root(), answers(3, kOut), kMulti, 0, kOut), 0);
  NodeAnswer answer = run(child_, NodeHook::kEgress);
  EXPECT_TRUE(answer.allowed);
  EXPECT_TRUE(answer.congested);
  ASSERT_EQ(attach(child(), answers(0, kOut), kMulti, 0, kOut), 0);
  answer = run(child_, NodeHook::kEgress);
  EXPECT_FALSE(answer.allowed);
  EXPECT_TRUE(answer.congested) << "the root's ran all the same";
  EXPECT_TRUE(run(child_).allowed) << "another hook";
  // What is used, by its numbers.
  const long program = bpf().load({.text = "r2 = *(u32 *)(r1 +4)\nr0 = 0\nif r2 != 7 goto +1\nr0 = 1\nexit",
                                   .member = kUse, .prog_type = uapi::BPF_PROG_TYPE_CGROUP_DEVICE});
  ASSERT_GT(program, 0) << bpf().log();
  ASSERT_EQ(attach(root(), program, 0, 0, kUse), 0);
  EXPECT_TRUE(child_->run_device(2, 7, 1).allowed);
  EXPECT_FALSE(child_->run_device(2, 8, 1).allowed);
  // A packet begins at its network header.
  const long length = bpf().load({.text = "r2 = *(u32 *)(r1 +0)\nr0 = 0\nif r2 != 50 goto +1\nr0 = 1\nexit",
                                  .member = kIn, .prog_type = uapi::BPF_PROG_TYPE_CGROUP_SKB});
  ASSERT_EQ(attach(root(), length), 0);
  EXPECT_TRUE(run(child_).allowed) << "64 bytes less 14";
}

TEST_F(TreeOfHooks, D_34_EveryRunSeesOneList) {
  // Either the child's own stands for the root's, or the root's holds: one of them always forbids.
  ASSERT_EQ(attach(root(), answers(0), kOver), 0);
  const long no = answers(0);
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  std::thread traffic([&] {
    while (!stop)
      if (run(child_).allowed) ++strange;
  });
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(attach(child(), no, kOver), 0);
    ASSERT_EQ(detach(child(), no), 0);
  }
  stop = true;
  traffic.join();
  EXPECT_EQ(strange, 0);
}

}  // namespace
}  // namespace ring3::test
