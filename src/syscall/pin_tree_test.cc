#include "syscall/pin_tree.h"

#include <gtest/gtest.h>
#include <stdio.h>

#include "object/object_table.h"
#include "object/rcu.h"

namespace ring3::syscall {
namespace {

class Thing final : public Object {
 public:
  explicit Thing(ObjectTable& table) : Object(ObjectKind::kMap, table, Birth{}) {}
};

class PinTreeTest : public testing::Test {
 protected:
  void TearDown() override {
    tree_.clear();
    rcu::drain();
    EXPECT_TRUE(table_.live().empty());
  }
  Ref<Object> make() { return Ref<Object>::adopt(new Thing(table_)); }
  Errno pin_error(const std::string& path, const PinIdentity& who) {
    const Result<void> r = tree_.pin(path, who, make(), 022);
    return r.ok() ? Errno{} : r.error();
  }

  ObjectTable table_;
  PinTree tree_{{"/sys/fs/bpf", "/run/ring3/x/bpf"}, 0, 0};
  const PinIdentity admin_{0, 0, {}, true};
  const PinIdentity user_{1000, 1000, {}, false};
  const PinIdentity other_{1001, 1001, {}, false};
};

TEST_F(PinTreeTest, PathsUnderARootMeanTheTree) {
  EXPECT_TRUE(tree_.contains("/sys/fs/bpf"));
  EXPECT_TRUE(tree_.contains("/sys//fs/./bpf/a"));
  EXPECT_TRUE(tree_.contains("/run/ring3/x/bpf/a/b"));
  EXPECT_FALSE(tree_.contains("/sys/fs/bpfoo"));
  EXPECT_FALSE(tree_.contains("/tmp/x"));
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/a", user_, make(), 0).ok());
  EXPECT_TRUE(tree_.get("/run/ring3/x/bpf/a", user_, true, true).ok()) << "all roots show the same tree";
}

TEST_F(PinTreeTest, NamesAndParents) {
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/d", user_, 0755, 0).ok());
  ASSERT_EQ(pin_error("/sys/fs/bpf/d/a", user_), Errno{});
  EXPECT_EQ(pin_error("/sys/fs/bpf/d/a", user_), Errno::kExist);
  EXPECT_EQ(pin_error("/sys/fs/bpf/missing/a", user_), Errno::kNoEnt);
  EXPECT_EQ(pin_error("/sys/fs/bpf/a.b", user_), Errno::kPerm);
  EXPECT_EQ(pin_error("/sys/fs/bpf/new/", user_), Errno::kNoEnt);
  EXPECT_EQ(pin_error("/sys/fs/bpf/d/a/b", user_), Errno::kNotDir);
  EXPECT_EQ(pin_error("/sys/fs/bpf/d/b", other_), Errno::kAcces);
  EXPECT_EQ(pin_error("/sys/fs/bpf/" + std::string(256, 'n'), user_), Errno::kNameTooLong);
  EXPECT_EQ(pin_error("/tmp/a", user_), Errno::kXDev);
  EXPECT_EQ(pin_error("/sys/fs/bpf/../x", user_), Errno::kXDev);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/a.b", user_, true, true).error(), Errno::kPerm);
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/d/../d/./a", user_, true, true).ok());
}

TEST_F(PinTreeTest, ModesAndOwners) {
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/a", user_, make(), 077).ok());
  const PinStat st = tree_.stat("/sys/fs/bpf/a", admin_, true).value();
  EXPECT_EQ(st.mode, 0600u);
  EXPECT_EQ(st.uid, 1000u);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/a", other_, true, false).error(), Errno::kAcces);
  ASSERT_TRUE(tree_.change_mode("/sys/fs/bpf/a", user_, 0400).ok());
  EXPECT_EQ(tree_.change_mode("/sys/fs/bpf/a", other_, 0666).error(), Errno::kPerm);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/a", user_, true, true).error(), Errno::kAcces);
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/a", user_, true, false).ok());
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/a", admin_, true, true).ok());
  EXPECT_EQ(tree_.change_owner("/sys/fs/bpf/a", user_, 1001, static_cast<gid_t>(-1)).error(), Errno::kPerm);
  ASSERT_TRUE(tree_.change_owner("/sys/fs/bpf/a", admin_, 1001, 1001).ok());
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/a", other_, true, false).ok());
}

TEST_F(PinTreeTest, StickyRootAndGroupInheritance) {
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/a", user_, make(), 0).ok());
  EXPECT_EQ(tree_.unlink("/sys/fs/bpf/a", other_).error(), Errno::kPerm);
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/g", admin_, 0777, 0).ok());
  ASSERT_TRUE(tree_.change_owner("/sys/fs/bpf/g", admin_, 0, 77).ok());
  ASSERT_TRUE(tree_.change_mode("/sys/fs/bpf/g", admin_, 02777).ok());
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/g/a", user_, make(), 0).ok());
  EXPECT_EQ(tree_.stat("/sys/fs/bpf/g/a", user_, true)->gid, 77u);
  EXPECT_TRUE(tree_.unlink("/sys/fs/bpf/g/a", other_).ok()) << "not sticky";
}

TEST_F(PinTreeTest, UnlinkDropsTheLastNameOnly) {
  Ref<Object> object = make();
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/a", user_, object, 0).ok());
  ASSERT_TRUE(tree_.link("/sys/fs/bpf/a", "/sys/fs/bpf/b", user_).ok());
  EXPECT_EQ(tree_.stat("/sys/fs/bpf/b", user_, true)->links, 2u);
  EXPECT_EQ(object->user_refs(), 1u);
  ASSERT_TRUE(tree_.unlink("/sys/fs/bpf/a", user_).ok());
  EXPECT_EQ(object->user_refs(), 1u);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/b", user_, true, true).value(), object);
  EXPECT_EQ(tree_.paths_of(*object), std::vector<std::string>{"/sys/fs/bpf/b"});
  ASSERT_TRUE(tree_.unlink("/sys/fs/bpf/b", user_).ok());
  EXPECT_EQ(object->user_refs(), 0u);
}

TEST_F(PinTreeTest, Symlinks) {
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/d", user_, 0755, 0).ok());
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/d/a", user_, make(), 0).ok());
  ASSERT_TRUE(tree_.symlink("d/a", "/sys/fs/bpf/rel", user_).ok());
  ASSERT_TRUE(tree_.symlink("/run/ring3/x/bpf/d", "/sys/fs/bpf/abs", user_).ok());
  ASSERT_TRUE(tree_.symlink("y.z", "/sys/fs/bpf/dangling", user_).ok());
  ASSERT_TRUE(tree_.symlink("/etc/passwd", "/sys/fs/bpf/out", user_).ok());
  ASSERT_TRUE(tree_.symlink("loop", "/sys/fs/bpf/loop", user_).ok());
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/rel", user_, true, true).ok());
  EXPECT_TRUE(tree_.get("/sys/fs/bpf/abs/a", user_, true, true).ok());
  EXPECT_EQ(tree_.get("/sys/fs/bpf/dangling", user_, true, true).error(), Errno::kPerm);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/out", user_, true, true).error(), Errno::kXDev);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/loop", user_, true, true).error(), Errno::kLoop);
  EXPECT_EQ(tree_.symlink("x", "/sys/fs/bpf/x.y", user_).error(), Errno::kPerm);
  EXPECT_EQ(pin_error("/sys/fs/bpf/dangling", user_), Errno::kExist);
}

TEST_F(PinTreeTest, Directories) {
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/d", user_, 0777, 022).ok());
  EXPECT_EQ(tree_.stat("/sys/fs/bpf/d", user_, true)->mode, 0755u);
  ASSERT_EQ(pin_error("/sys/fs/bpf/d/a", user_), Errno{});
  EXPECT_EQ(tree_.remove_directory("/sys/fs/bpf/d", user_).error(), Errno::kNotEmpty);
  EXPECT_EQ(tree_.unlink("/sys/fs/bpf/d", user_).error(), Errno::kIsDir);
  EXPECT_EQ(tree_.get("/sys/fs/bpf/d", user_, true, true).error(), Errno::kAcces);
  EXPECT_EQ(tree_.list("/sys/fs/bpf/d", user_)->size(), 1u);
  ASSERT_TRUE(tree_.unlink("/sys/fs/bpf/d/a", user_).ok());
  EXPECT_TRUE(tree_.remove_directory("/sys/fs/bpf/d", user_).ok());
  EXPECT_EQ(tree_.remove_directory("/sys/fs/bpf", admin_).error(), Errno::kBusy);
}

TEST_F(PinTreeTest, Rename) {
  Ref<Object> a = make(), b = make();
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/a", user_, a, 0).ok());
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/b", user_, b, 0).ok());
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/d", user_, 0755, 0).ok());
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/a", "/sys/fs/bpf/b", user_, RENAME_NOREPLACE).error(), Errno::kExist);
  ASSERT_TRUE(tree_.rename("/sys/fs/bpf/a", "/sys/fs/bpf/b", user_, RENAME_EXCHANGE).ok());
  EXPECT_EQ(tree_.get("/sys/fs/bpf/a", user_, true, true).value(), b);
  ASSERT_TRUE(tree_.rename("/sys/fs/bpf/a", "/sys/fs/bpf/d", user_, RENAME_EXCHANGE).ok());
  EXPECT_EQ(tree_.get("/sys/fs/bpf/d", user_, true, true).value(), b);
  ASSERT_TRUE(tree_.rename("/sys/fs/bpf/d", "/sys/fs/bpf/b", user_, 0).ok());
  EXPECT_EQ(a->user_refs(), 0u) << "the overwritten pin let go";
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/b", "/sys/fs/bpf/x.y", user_, 0).error(), Errno::kPerm);
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/b", "/sys/fs/bpf/c", user_, 8).error(), Errno::kInval);
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/b", "/tmp/c", user_, 0).error(), Errno::kXDev);
  ASSERT_TRUE(tree_.make_directory("/sys/fs/bpf/a/sub", user_, 0755, 0).ok());
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/a", "/sys/fs/bpf/a/sub/x", user_, 0).error(), Errno::kInval);
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/a/sub", "/sys/fs/bpf/a", user_, 0).error(), Errno::kNotEmpty);
  EXPECT_EQ(tree_.rename("/sys/fs/bpf/b", "/sys/fs/bpf/a", user_, 0).error(), Errno::kIsDir);
}

TEST_F(PinTreeTest, DirectoriesAreAsDeepAsClientsLike) {
  const Ref<Object> object = make();
  ASSERT_TRUE(tree_.pin("/sys/fs/bpf/near", user_, object, 0).ok());
  std::uint64_t at = 1;
  for (int depth = 0; depth < 100'000; ++depth) {
    ASSERT_TRUE(tree_.make_directory(PinPath(at, "d"), user_, 0700, 0).ok());
    at = tree_.stat(PinPath(at, "d"), user_, false)->inode;
  }
  ASSERT_TRUE(tree_.pin(PinPath(at, "far"), user_, object, 0).ok());
  const std::vector<std::string> paths = tree_.paths_of(*object);
  EXPECT_EQ(paths, std::vector<std::string>{"/sys/fs/bpf/near"}) << "no path is longer than a path may be";
  EXPECT_EQ(object->user_refs(), 2u);
  tree_.clear();
  EXPECT_EQ(object->user_refs(), 0u);
}

}  // namespace
}  // namespace ring3::syscall
