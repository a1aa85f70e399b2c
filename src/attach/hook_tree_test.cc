// The rules of programs along a tree, without descriptors and ids. Expectations are those of Linux's cgroups.
#include "attach/hook_tree.h"

#include <gtest/gtest.h>

#include <string>

#include "object/object_table.h"

namespace ring3::attach {
namespace {

using namespace uapi;

constexpr std::uint32_t kOver = BPF_F_ALLOW_OVERRIDE, kMulti = BPF_F_ALLOW_MULTI, kPre = BPF_F_ALLOW_MULTI | BPF_F_PREORDER;

class HookTreeTest : public ::testing::Test {
 protected:
  HookTreeTest() {
    for (int i = 0; i < 70; ++i) {
      prog::ProgramMaker::Parts parts;
      parts.about.name = std::string(1, static_cast<char>('a' + i));
      parts.about.type = BPF_PROG_TYPE_CGROUP_SKB;
      programs_.push_back(prog::ProgramMaker::make(table_, {}, std::move(parts)));
      EXPECT_TRUE(table_.publish(*programs_.back()).ok());
    }
    root_ = add(1, nullptr);
    mid_ = add(2, root_);
    leaf_ = add(3, mid_);
    side_ = add(4, root_);
  }
  void TearDown() override {
    links_.clear();
    tree_.reset();
    programs_.clear();
    rcu::drain();
    EXPECT_TRUE(table_.live().empty());
  }
  std::shared_ptr<TreeNode> add(std::uint64_t inode, const std::shared_ptr<TreeNode>& parent) {
    return tree_->add({1, inode}, parent).value();
  }
  Ref<prog::Program> ref(char name) { return programs_[static_cast<std::size_t>(static_cast<unsigned char>(name) - 'a')]; }
  /// 0 or the errno. replaced: a program's name, 0 for none.
  int attach(const std::shared_ptr<TreeNode>& node, char name, std::uint32_t flags, char replaced = 0) {
    if (replaced != 0) flags |= BPF_F_REPLACE;
    const auto done = tree_->attach(
        *node, kind_, {.program = ref(name), .replaced = replaced != 0 ? ref(replaced).get() : nullptr, .flags = flags});
    return done.ok() ? 0 : static_cast<int>(done.error());
  }
  int detach(const std::shared_ptr<TreeNode>& node, char name) {
    const auto done = tree_->detach(*node, kind_, name != 0 ? ref(name).get() : nullptr, nullptr);
    return done.ok() ? 0 : static_cast<int>(done.error());
  }
  Link* link(const std::shared_ptr<TreeNode>& node, char name, std::uint32_t flags = 0, int refusal = 0) {
    Ref<Link> link = create_tree_link(*tree_, node, kind_, ref(name), flags, {});
    EXPECT_TRUE(table_.reserve_id(*link).ok());
    const auto done = link->attach();
    EXPECT_EQ(done.ok() ? 0 : static_cast<int>(done.error()), refusal);
    links_.push_back(std::move(link));
    return links_.back().get();
  }
  std::string names(const HookTree::View& view) {
    std::string out;
    for (const std::uint32_t id : view.programs)
      for (const auto& program : programs_)
        if (program->id() == id) out += program->name();
    return out;
  }
  std::string here(const std::shared_ptr<TreeNode>& node) { return names(tree_->view(*node, kind_, false)); }
  std::string runs(const std::shared_ptr<TreeNode>& node) { return names(tree_->view(*node, kind_, true)); }

  ObjectTable table_;
  std::vector<Ref<prog::Program>> programs_;
  std::vector<Ref<Link>> links_;
  std::unique_ptr<HookTree> tree_ = std::make_unique<HookTree>();
  std::shared_ptr<TreeNode> root_, mid_, leaf_, side_;
  const TreeKind& kind_ = *find_tree_kind(BPF_CGROUP_INET_INGRESS);
};

TEST_F(HookTreeTest, AloneMeansNoneBelow) {
  EXPECT_EQ(attach(root_, 'a', 0), 0);
  for (const auto& node : {root_, mid_, leaf_, side_}) EXPECT_EQ(runs(node), "a");
  for (const std::uint32_t flags : {0u, kOver, kMulti}) EXPECT_EQ(attach(leaf_, 'b', flags), EPERM) << flags;
  EXPECT_EQ(attach(root_, 'b', kMulti), EPERM) << "another mode";
  EXPECT_EQ(attach(root_, 'b', kOver), EPERM);
  EXPECT_EQ(attach(root_, 'b', 0), 0) << "takes its place";
  EXPECT_EQ(runs(leaf_), "b");
  EXPECT_EQ(detach(root_, 'z'), 0) << "where one is, it need not be named rightly";
  EXPECT_EQ(detach(root_, 'b'), ENOENT);
  EXPECT_EQ(runs(leaf_), "");
  EXPECT_EQ(attach(leaf_, 'c', kMulti), 0);
  EXPECT_EQ(attach(root_, 'a', 0), 0) << "what is below does not matter";
  EXPECT_EQ(runs(leaf_), "c") << "a list that allows no other counts only where nothing stands below";
  EXPECT_EQ(runs(mid_), "a");
}

TEST_F(HookTreeTest, OverrideLastsUntilSomethingStandsBelow) {
  EXPECT_EQ(attach(root_, 'a', kOver), 0);
  EXPECT_EQ(attach(mid_, 'b', kOver), 0);
  EXPECT_EQ(runs(leaf_), "b");
  EXPECT_EQ(runs(side_), "a");
  EXPECT_EQ(attach(leaf_, 'c', 0), 0);
  EXPECT_EQ(runs(leaf_), "c");
  EXPECT_EQ(detach(mid_, 0), 0);
  EXPECT_EQ(runs(mid_), "a");
  EXPECT_EQ(attach(side_, 'd', kMulti), 0);
  EXPECT_EQ(runs(side_), "d") << "the ancestor does not allow several";
  EXPECT_EQ(detach(leaf_, 'c'), 0);
  EXPECT_EQ(runs(leaf_), "a");
}

TEST_F(HookTreeTest, SeveralRunFromBelowUp) {
  EXPECT_EQ(attach(root_, 'a', kMulti), 0);
  EXPECT_EQ(attach(root_, 'b', kMulti), 0);
  EXPECT_EQ(attach(mid_, 'c', kMulti), 0);
  EXPECT_EQ(attach(leaf_, 'd', kMulti), 0);
  EXPECT_EQ(attach(leaf_, 'e', kMulti), 0);
  EXPECT_EQ(runs(leaf_), "decab");
  EXPECT_EQ(runs(mid_), "cab");
  EXPECT_EQ(runs(side_), "ab");
  EXPECT_EQ(attach(leaf_, 'd', kMulti), EINVAL) << "twice";
  EXPECT_EQ(attach(mid_, 'd', kMulti), 0) << "elsewhere";
  EXPECT_EQ(attach(mid_, 'f', kOver), EPERM);
  EXPECT_EQ(detach(mid_, 0), EINVAL) << "which?";
  EXPECT_EQ(detach(mid_, 'a'), ENOENT);
  EXPECT_EQ(detach(mid_, 'c'), 0);
  EXPECT_EQ(detach(mid_, 'd'), 0);
  EXPECT_EQ(attach(mid_, 'f', kOver), 0) << "the mode goes with the last one";
  EXPECT_EQ(runs(leaf_), "deab") << "its mode lets others stand for it";
  EXPECT_EQ(runs(mid_), "fab");
}

TEST_F(HookTreeTest, FlagsExcludeEachOther) {
  EXPECT_EQ(attach(root_, 'a', kOver | kMulti), EINVAL);
  EXPECT_EQ(attach(root_, 'a', BPF_F_REPLACE), EINVAL);
  EXPECT_EQ(attach(root_, 'a', kMulti | BPF_F_REPLACE), EINVAL) << "of what?";
  EXPECT_EQ(attach(root_, 'a', kMulti, 'b'), ENOENT);
  EXPECT_EQ(attach(root_, 'a', kOver, 'b'), EINVAL);
}

TEST_F(HookTreeTest, ReplacedInItsPlace) {
  for (const char name : {'a', 'b', 'c'}) EXPECT_EQ(attach(root_, name, kMulti), 0);
  EXPECT_EQ(attach(root_, 'd', kMulti, 'b'), 0);
  EXPECT_EQ(runs(leaf_), "adc");
  EXPECT_EQ(attach(root_, 'e', kMulti, 'b'), ENOENT);
  EXPECT_EQ(attach(root_, 'c', kMulti, 'a'), EINVAL) << "would be here twice";
  EXPECT_EQ(attach(root_, 'd', kMulti, 'd'), 0) << "by itself";
  link(root_, 'f');
  EXPECT_EQ(attach(root_, 'g', kMulti, 'f'), ENOENT) << "a link's is replaced by LINK_UPDATE";
}

TEST_F(HookTreeTest, PreorderComesFirstFromTheRootDown) {
  EXPECT_EQ(attach(root_, 'a', kMulti), 0);
  EXPECT_EQ(attach(root_, 'b', kPre), 0);
  EXPECT_EQ(attach(root_, 'c', kPre), 0);
  EXPECT_EQ(attach(leaf_, 'd', kPre), 0);
  EXPECT_EQ(attach(leaf_, 'e', kMulti), 0);
  EXPECT_EQ(attach(leaf_, 'f', kPre), 0);
  EXPECT_EQ(runs(leaf_), "bcdfea");
  EXPECT_EQ(here(leaf_), "def");
  EXPECT_EQ(tree_->view(*leaf_, kind_, false).flags, (std::vector<std::uint32_t>{kPre, kMulti, kPre}));
  EXPECT_EQ(tree_->view(*leaf_, kind_, false).mode, kMulti);
}

TEST_F(HookTreeTest, SixtyFourAreAsManyAsThereMayBe) {
  for (int i = 0; i < 64; ++i) ASSERT_EQ(attach(root_, static_cast<char>('a' + i), kMulti), 0) << i;
  EXPECT_EQ(attach(root_, static_cast<char>('a' + 64), kMulti), E2BIG);
  EXPECT_EQ(attach(leaf_, static_cast<char>('a' + 64), kMulti), 0);
}

TEST_F(HookTreeTest, KindsDoNotMeet) {
  EXPECT_EQ(attach(root_, 'a', 0), 0);
  const TreeKind& out = *find_tree_kind(BPF_CGROUP_INET_EGRESS);
  EXPECT_TRUE(tree_->attach(*leaf_, out, {.program = ref('b'), .flags = kMulti}).ok());
  EXPECT_EQ(runs(leaf_), "a");
  EXPECT_EQ(names(tree_->view(*leaf_, out, true)), "b");
  EXPECT_EQ(find_tree_kind(BPF_CGROUP_SOCK_OPS), nullptr);
}

TEST_F(HookTreeTest, LinksAreOfSeveralAndGoWithTheirOwner) {
  EXPECT_EQ(attach(side_, 'z', kOver), 0);
  link(side_, 'a', 0, EPERM);
  Link* const first = link(mid_, 'a');
  link(mid_, 'a', 0, EINVAL);
  EXPECT_EQ(attach(mid_, 'a', kMulti), 0) << "by itself it is another thing";
  link(mid_, 'b', BPF_F_PREORDER);
  EXPECT_EQ(runs(leaf_), "baa");
  EXPECT_EQ(detach(mid_, 'b'), ENOENT) << "a link's";
  bpf_link_info info{};
  first->fill_info(info);
  EXPECT_EQ(info.cgroup.cgroup_id, 2u);
  EXPECT_EQ(first->update_prog(ref('c'), ref('b'), BPF_F_REPLACE).error(), Errno::kPerm);
  EXPECT_TRUE(first->update_prog(ref('c'), ref('a'), BPF_F_REPLACE).ok());
  EXPECT_EQ(runs(leaf_), "bca");
  EXPECT_TRUE(first->detach().ok());
  EXPECT_TRUE(first->detach().ok());
  EXPECT_EQ(first->update_prog(ref('c'), nullptr, 0).error(), Errno::kNoLink);
  links_.clear();
  EXPECT_EQ(runs(leaf_), "a");
}

TEST_F(HookTreeTest, ANodeThatGoesDetachesItsLinks) {
  EXPECT_EQ(tree_->remove(*mid_).error(), Errno::kBusy);
  EXPECT_EQ(attach(root_, 'r', kMulti), 0);
  Link* const kept = link(leaf_, 'a');
  EXPECT_EQ(attach(leaf_, 'b', kMulti), 0);
  const auto fd = kept->state();
  EXPECT_EQ(fd, LinkState::kAttached);
  EXPECT_TRUE(tree_->remove(*leaf_).ok());
  EXPECT_EQ(kept->state(), LinkState::kDetached);
  bpf_link_info info{};
  kept->fill_info(info);
  EXPECT_EQ(info.cgroup.cgroup_id, 0u);
  EXPECT_EQ(kept->update_prog(ref('c'), nullptr, 0).error(), Errno::kNoLink);
  EXPECT_EQ(tree_->remove(*leaf_).error(), Errno::kNoEnt);
  EXPECT_EQ(attach(leaf_, 'c', kMulti), ENOENT);
  EXPECT_EQ(runs(leaf_), "");
  EXPECT_EQ(tree_->add({1, 9}, leaf_).error(), Errno::kNoEnt);
  EXPECT_EQ(tree_->find({1, 3}), nullptr);
  const auto again = add(3, mid_);
  EXPECT_EQ(runs(again), "r") << "a new node has what its ancestors have";
  EXPECT_EQ(tree_->add({1, 3}, root_).error(), Errno::kExist);
  EXPECT_TRUE(tree_->remove(*again).ok());
  EXPECT_TRUE(tree_->remove(*mid_).ok());
}

}  // namespace
}  // namespace ring3::attach
