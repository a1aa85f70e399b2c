// Check B-21: pinned iterators (behaviour.md B.5.4).
#include "tests/integration/bpffs/mount_world.h"

namespace ring3::test {
namespace {

class MountedIterator : public MountWorld {
 protected:
  MountedIterator() { EXPECT_EQ(bpffs_.mount("", 0), Errno{}); }

  long iterator(const std::string& text) {
    uapi::bpf_attr attr = BpfClient::zero();
    const long program = bpf().load({.text = text, .member = uapi::BPF_TRACE_ITER, .prog_type = uapi::BPF_PROG_TYPE_TRACING,
                                     .attach_btf_id = host_btf_->find("bpf_iter_bpf_map", btf::Kind::kFunc)});
    EXPECT_GT(program, 0) << bpf().log();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  /// A letter an element, and a dot at the end.
  static std::string letters() {
    return "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr2 = 46\nif r7 == 0 goto out\nr2 = 109\nout:\n*(u8 *)(r10 -1) = r2\n"
           "r1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -1\nr3 = 1\ncall bpf_seq_write\nr0 = 0\nexit";
  }
  TestMount bpffs_{runtime_->impl(), "/mnt/pins"};
};

TEST_F(MountedIterator, B_21_EveryOpenWalksAnew) {
  const long link = iterator(letters());
  ASSERT_GT(link, 0);
  array();
  ASSERT_EQ(pin(link, "maps"), 0);
  bpf().close(link);  // the pin keeps it
  EXPECT_EQ(bpffs_.cat("maps"), "m.");
  const long second = array();
  EXPECT_EQ(bpffs_.cat("maps"), "mm.");
  bpf().close(second);
  EXPECT_EQ(bpffs_.cat("maps"), "m.");
}

TEST_F(MountedIterator, B_21_AReaderThatStopsInTheMiddleLeavesNothing) {
  ASSERT_EQ(pin(iterator(letters()), "maps"), 0);
  array();
  auto opened = bpffs_.call(bpffs_.request(bpffs::Op::kOpen, bpffs_.node("maps")));
  ASSERT_TRUE(opened.ok());
  bpffs::Request read = bpffs_.request(bpffs::Op::kRead);
  read.handle = opened->handle;
  read.size = 1;
  EXPECT_EQ(bpffs_.call(read)->text, "m");
  // The pin goes while somebody reads: what was begun is finished.
  EXPECT_EQ(bpffs_.error(bpffs_.request(bpffs::Op::kUnlink, bpffs::kRoot, "maps")), Errno{});
  EXPECT_EQ(bpffs_.call(read)->text, ".");
}

TEST_F(MountedIterator, B_21_ErrorsOfTheProgramAreTheReads) {
  ASSERT_EQ(pin(iterator("r7 = *(u64 *)(r1 +8)\nr0 = 1\nif r7 != 0 goto out\nr0 = 0\nout:\nexit"), "again"), 0);
  array();
  EXPECT_EQ(bpffs_.cat("again"), "!EAGAIN");
  ASSERT_EQ(pin(bpf().link(ready_map()), "ops"), 0);
  EXPECT_EQ(bpffs_.open_error("ops"), Errno::kIo);
}

/// What stands at maps.debug and progs.debug is what anybody could have pinned: links of programs, that were verified.
TEST_F(MountedIterator, B_26_PreloadedTablesArePinnedIterators) {
  const long link = get("maps.debug", uapi::BPF_F_RDONLY);
  EXPECT_EQ(link, -EINVAL) << "a link is got for reading and writing";
  const long got = get("maps.debug");
  ASSERT_GE(got, 0);
  const uapi::bpf_link_info info = bpf().link_info(got);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_ITER));
  const long program = bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, info.prog_id);
  EXPECT_EQ(bpf().prog_info(program).name, std::string_view("dump_bpf_map"));
  // A stream of the same link says the same.
  uapi::bpf_attr attr = BpfClient::zero();
  attr.iter_create.link_fd = static_cast<std::uint32_t>(got);
  const long stream = bpf().bpf(uapi::BPF_ITER_CREATE, attr);
  ASSERT_GE(stream, 0);
  array();
  const std::string text = bpffs_.cat("maps.debug");
  EXPECT_EQ(text.rfind("  id name             max_entries  cur_entries\n", 0), 0u) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  ::close(static_cast<int>(stream));
}

TEST_F(MountedIterator, B_26_RemovedMovedAndRestored) {
  EXPECT_EQ(pin(array(), "dot.ted"), -EPERM);
  EXPECT_EQ(pin(array(), "maps.debug"), -EEXIST);
  bpffs::Request move = bpffs_.request(bpffs::Op::kRename, bpffs::kRoot, "maps.debug");
  move.node2 = bpffs::kRoot;
  move.name2 = "maps";
  EXPECT_EQ(bpffs_.error(move), Errno{});
  EXPECT_EQ(bpffs_.cat("maps").rfind("  id name ", 0), 0u);
  EXPECT_EQ(bpffs_.find("maps.debug").error(), Errno::kPerm);
  EXPECT_EQ(bpffs_.error(bpffs_.request(bpffs::Op::kUnlink, bpffs::kRoot, "progs.debug")), Errno{});
  // What the next mount of the same tree does; an empty tree has its own.
  TestMount again(runtime_->impl(), "/mnt/again");
  ASSERT_EQ(again.mount("", 0), Errno{});
  EXPECT_EQ(bpffs_.list(""), (std::vector<std::string>{"maps", "maps.debug", "progs.debug", "by-id"}));
  TestMount own(runtime_->impl(), "/mnt/own");
  ASSERT_EQ(own.mount(), Errno{});
  EXPECT_EQ(own.list(""), (std::vector<std::string>{"maps.debug", "progs.debug", "by-id"}));
}

TEST_F(MountedIterator, B_26_GoWithTheLastMountOfATree) {
  EXPECT_GE(get("maps.debug"), 0);
  bpf().close_all();
  {
    TestMount second(runtime_->impl(), "/mnt/second");
    ASSERT_EQ(second.mount("", 0), Errno{});
  }
  EXPECT_TRUE(pins().has_own("maps.debug")) << "another mount shows them";
  const auto before = runtime_->impl().objects().live_count();
  {
    TestMount own(runtime_->impl(), "/mnt/own");
    ASSERT_EQ(own.mount(), Errno{});
    EXPECT_EQ(runtime_->impl().objects().live_count(), before + 4);
  }
  rcu::drain();
  EXPECT_EQ(runtime_->impl().objects().live_count(), before);
}

}  // namespace
}  // namespace ring3::test
