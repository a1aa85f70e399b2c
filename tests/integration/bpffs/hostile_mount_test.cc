// A mount's requests from a client that has no kernel in front of it: nodes that nobody told it of, names that no path has, rights it does not
// have. The host answers with an errno, and nothing is given away.
#include <sys/stat.h>

#include <initializer_list>

#include "tests/integration/bpffs/mount_world.h"

namespace ring3::test {
namespace {

using bpffs::Op;
using bpffs::Request;

class HostileMount : public MountWorld {
 protected:
  HostileMount() { EXPECT_EQ(bpffs_.mount("", 0), Errno{}); }
  static Request& by(Request& request, uid_t uid) {
    request.who = {};
    request.who.uid = request.who.gid = uid;
    return request;
  }
  /// A number of the views, as it might be put together: area, kind and item in a byte each.
  static std::uint64_t made_up(std::uint64_t area, std::uint64_t kind, std::uint64_t item, std::uint64_t id) {
    return bpffs::kMadeUp | area << 56 | kind << 48 | item << 40 | id;
  }

  TestMount bpffs_{runtime_->impl(), "/mnt/pins"};
};

TEST_F(HostileMount, NumbersOfTheViewsThatNobodyGaveOut) {
  const long program = this->program();
  ASSERT_GE(program, 0) << bpf().log();
  const std::uint32_t program_id = bpf().prog_info(program).id;
  // A file and a folder that only maps have, of a program.
  constexpr std::uint64_t kItemArea = 4, kProgram = 1, kText = 5, kKv = 7;
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kOpen, made_up(kItemArea, kProgram, kText, program_id))), Errno::kStale);
  Request folder = bpffs_.request(Op::kOpen, made_up(kItemArea, kProgram, kKv, program_id));
  folder.flags = O_DIRECTORY;
  EXPECT_EQ(bpffs_.error(folder), Errno::kStale);
  const long map = array();
  const std::uint64_t ids[] = {0, 1, map_id(map), program_id, 0xffff'ffff, 0xff'ffff'ffff};
  for (std::uint64_t area = 0; area < 10; ++area)
    for (const std::uint64_t kind : std::initializer_list<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 63, 128, 255})
      for (const std::uint64_t item : std::initializer_list<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 255})
        for (const std::uint64_t id : ids)
          for (const Op op : {Op::kGetAttr, Op::kLookUp, Op::kOpen}) {
            Request request = bpffs_.request(op, made_up(area, kind, item, id), "1");
            request.flags = (area + id) % 2 != 0 ? std::uint32_t{O_DIRECTORY} : 0;
            const bool known = area >= 1 && area <= 5 && kind <= 3 && item <= 7;
            EXPECT_FALSE(bpffs_.call(request).ok() && !known) << area << " " << kind << " " << item << " " << id;
          }
}

TEST_F(HostileMount, WhatThereIsByIdIsNotToldByItsAttributes) {
  const long map = array();
  const std::string folder = "by-id/map/" + std::to_string(map_id(map));
  const std::uint64_t node = bpffs_.node(folder);
  ASSERT_NE(node, 0u);
  Request attr = bpffs_.request(Op::kGetAttr, node);
  EXPECT_EQ(bpffs_.error(attr), Errno{});
  EXPECT_EQ(bpffs_.error(by(attr, ::geteuid() + 1000)), Errno::kAcces);
  attr.node = bpffs_.node("by-id");
  EXPECT_EQ(bpffs_.error(attr), Errno{}) << "the root's own entry";
}

TEST_F(HostileMount, PinsAreReachedThroughTheirDirectories) {
  const syscall::PinIdentity owner{1000, 1000, {}, false};
  ASSERT_TRUE(pins().make_directory(path("private"), owner, 0700, 0).ok());
  const long map = typed_map(uapi::BPF_MAP_TYPE_ARRAY, 1);
  ASSERT_GE(map, 0);
  ASSERT_EQ(pin_as(user_, map, path("private/map")), 0);
  ASSERT_TRUE(pins().change_mode(path("private/map"), owner, 0666).ok());
  const auto pinned = pins().stat(path("private/map"), owner, false);
  ASSERT_TRUE(pinned.ok());

  Request guess = bpffs_.request(Op::kOpen, pinned->inode);
  EXPECT_EQ(bpffs_.error(by(guess, 1001)), Errno::kStale);
  for (const Op op : {Op::kGetAttr, Op::kReadLink, Op::kListXattr}) {
    guess.op = op;
    EXPECT_EQ(bpffs_.error(guess), Errno::kStale) << static_cast<int>(op);
  }
  Request link = bpffs_.request(Op::kLink, pinned->inode, "mine");
  link.node2 = bpffs::kRoot;
  EXPECT_EQ(bpffs_.error(by(link, 1001)), Errno::kStale);

  Request look = bpffs_.request(Op::kLookUp, bpffs::kRoot, "private");
  const auto folder = bpffs_.call(by(look, 1001));
  ASSERT_TRUE(folder.ok());
  look.node = folder->attr.node;
  look.name = "map";
  EXPECT_EQ(bpffs_.error(look), Errno::kAcces);
  ASSERT_TRUE(bpffs_.call(by(look, 1000)).ok()) << "now the mount knows it, and who uses a mount has a kernel in front";
  guess.op = Op::kOpen;
  EXPECT_EQ(bpffs_.error(by(guess, 1001)), Errno{});
}

TEST_F(HostileMount, AFileIsNoDirectoryToUnlinkFrom) {
  ASSERT_EQ(pin(typed_map(uapi::BPF_MAP_TYPE_ARRAY, 1), "map"), 0);
  const std::uint64_t node = bpffs_.node("map");
  ASSERT_NE(node, 0u);
  for (const char* name : {"", "/", "."}) {
    EXPECT_NE(bpffs_.error(bpffs_.request(Op::kUnlink, node, name)), Errno{}) << "'" << name << "'";
    EXPECT_NE(bpffs_.error(bpffs_.request(Op::kRemoveDirectory, node, name)), Errno{}) << "'" << name << "'";
  }
  EXPECT_GE(get("map"), 0);
  EXPECT_EQ(bpffs_.open_error("map"), Errno{});
  Request move = bpffs_.request(Op::kRename, node);
  move.node2 = bpffs::kRoot;
  move.name2 = "other";
  EXPECT_NE(bpffs_.error(move), Errno{});
  EXPECT_GE(get("map"), 0);
}

TEST_F(HostileMount, OwnersGiveFilesToTheirOwnGroupsOnly) {
  const auto made = bpffs_.call([&] {
    Request make = bpffs_.request(Op::kMakeDirectory, bpffs::kRoot, "mine");
    make.mode = 0755;
    return by(make, 1000);
  }());
  ASSERT_TRUE(made.ok());
  Request give = bpffs_.request(Op::kSetAttr, made->attr.node);
  by(give, 1000);
  give.who.groups = {2000};
  give.flags = bpffs::kSetGid;
  give.gid = 3000;
  EXPECT_EQ(bpffs_.error(give), Errno::kPerm);
  give.gid = 2000;
  EXPECT_EQ(bpffs_.error(give), Errno{});
  give.gid = 1000;
  EXPECT_EQ(bpffs_.error(give), Errno{});
  EXPECT_EQ(bpffs_.find("mine")->gid, 1000u);
  // Of a group that one is not in, no set-gid either.
  Request root = bpffs_.request(Op::kSetAttr, made->attr.node);
  root.flags = bpffs::kSetGid;
  root.gid = 3000;
  ASSERT_EQ(bpffs_.error(root), Errno{});
  give.flags = bpffs::kSetMode;
  give.mode = 02755;
  EXPECT_EQ(bpffs_.error(give), Errno{});
  EXPECT_EQ(bpffs_.find("mine")->mode & 07777, 0755u);
}

TEST_F(HostileMount, OthersPinsAreNotHeldByLinks) {
  ASSERT_EQ(pin_as(user_, array(), path("map")), 0);
  Request link = bpffs_.request(Op::kLink, bpffs_.node("map"), "mine");
  link.node2 = bpffs::kRoot;
  EXPECT_EQ(bpffs_.error(by(link, 1001)), Errno::kPerm);
  const syscall::PinIdentity owner{1000, 1000, {}, false};
  ASSERT_TRUE(pins().change_mode(path("map"), owner, 0604).ok());
  EXPECT_EQ(bpffs_.error(link), Errno::kPerm);
  ASSERT_TRUE(pins().change_mode(path("map"), owner, 0606).ok());
  EXPECT_EQ(bpffs_.error(link), Errno{}) << "who may read and write it";
  link.name = "owners";
  EXPECT_EQ(bpffs_.error(by(link, 1000)), Errno{});
}

TEST_F(HostileMount, OthersDirectoriesStayWhereTheyAre) {
  const syscall::PinIdentity owner{1000, 1000, {}, false}, other{1001, 1001, {}, false};
  ASSERT_TRUE(pins().make_directory(path("shared"), owner, 0777, 0).ok());
  ASSERT_TRUE(pins().change_mode(path("shared"), owner, 0777).ok());
  ASSERT_TRUE(pins().make_directory(path("shared/inner"), owner, 0755, 0).ok());
  ASSERT_TRUE(pins().make_directory(path("mine"), other, 0755, 0).ok());
  const auto moved = [&](const char* from, const char* to, std::uint32_t flags) {
    const Result<void> done = pins().rename(path(from), path(to), other, flags);
    return done.ok() ? Errno{} : done.error();
  };
  EXPECT_EQ(moved("shared/inner", "mine/inner", 0), Errno::kAcces);
  EXPECT_EQ(moved("shared/inner", "shared/outer", 0), Errno{}) << "its name is the parent's";
  ASSERT_TRUE(pins().make_directory(path("mine/own"), other, 0755, 0).ok());
  EXPECT_EQ(moved("mine/own", "shared/outer", RENAME_EXCHANGE), Errno::kAcces);
  EXPECT_TRUE(pins().rename(path("shared/outer"), path("inner"), owner, 0).ok());
}

}  // namespace
}  // namespace ring3::test
