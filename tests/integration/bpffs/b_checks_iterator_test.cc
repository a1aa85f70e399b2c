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

}  // namespace
}  // namespace ring3::test
