// What a load that fails in its commit takes away, and what it leaves to others.
#include "syscall/load_session.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

/// A link that cannot be attached: something happens instead.
class Refused final : public attach::Link {
 public:
  Refused(ObjectTable& table, std::function<void()> instead) : Link(kOps, 0, nullptr, table, Birth{}), instead_(std::move(instead)) {}

 private:
  static Result<void> attach(attach::Link& link) {
    static_cast<Refused&>(link).instead_();
    return Errno::kBusy;
  }
  static constexpr attach::LinkOps kOps = {.type = uapi::BPF_LINK_TYPE_STRUCT_OPS, .name = "refused", .attach = &Refused::attach};
  const std::function<void()> instead_;
};

class LoadSessionTest : public testing::Test {
 protected:
  LoadSessionTest() : session_(k.kernel()) {
    k.session = &session_;
    loaded_ = map();
    k.session = nullptr;
    theirs_ = map();
  }
  OwnedFd map() {
    uapi::bpf_attr attr = test::FakeKernel::attr();
    attr.map_type = uapi::BPF_MAP_TYPE_ARRAY;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 1;
    const long fd = k.bpf(uapi::BPF_MAP_CREATE, attr);
    EXPECT_GE(fd, 0);
    return OwnedFd(static_cast<int>(fd));
  }
  Ref<Object> object(const OwnedFd& fd) {
    const auto file = identify_own(fd.get());
    const auto open = k.kernel().descriptors().find(*file);
    return open->object;
  }
  PinTree& pins() { return k.kernel().pins(); }
  /// Which object a path leads to; null: none.
  Ref<Object> at(const char* path) {
    Result<Ref<Object>> found = pins().get(path, root_, true, true);
    return found.ok() ? *found : nullptr;
  }
  /// The commit fails, and something happens between its pins and that.
  void fail_after(std::function<void()> meanwhile) {
    ASSERT_TRUE(session_.add_pin("/sys/fs/bpf/one", root_, object(loaded_), 0).ok());
    ASSERT_TRUE(session_.add_pin("/sys/fs/bpf/two", root_, object(loaded_), 0).ok());
    ASSERT_TRUE(session_.add_link(Ref<attach::Link>::adopt(new Refused(k.kernel().objects(), std::move(meanwhile)))).ok());
    const Result<void> committed = session_.commit();
    ASSERT_FALSE(committed.ok());
    EXPECT_EQ(committed.error(), Errno::kBusy);
  }

  test::FakeKernel k;
  LoadSession session_;
  OwnedFd loaded_, theirs_;
  const PinIdentity root_{0, 0, {}, true};
};

TEST_F(LoadSessionTest, PinsOfACommitThatFailsGo) {
  fail_after([] {});
  EXPECT_FALSE(at("/sys/fs/bpf/one"));
  EXPECT_FALSE(at("/sys/fs/bpf/two"));
}

TEST_F(LoadSessionTest, WhatOthersPutInTheirPlaceStays) {
  const Ref<Object> theirs = object(theirs_);
  fail_after([&] {
    ASSERT_TRUE(at("/sys/fs/bpf/one"));
    ASSERT_TRUE(pins().unlink("/sys/fs/bpf/one", root_).ok());
    ASSERT_TRUE(pins().pin("/sys/fs/bpf/one", root_, theirs, 0).ok());
  });
  EXPECT_EQ(at("/sys/fs/bpf/one"), theirs);
  EXPECT_FALSE(at("/sys/fs/bpf/two"));
}

TEST_F(LoadSessionTest, PinsThatWereMovedAndLinkedMeanwhileGoToo) {
  fail_after([&] {
    ASSERT_TRUE(pins().make_directory("/sys/fs/bpf/d", root_, 0755, 0).ok());
    ASSERT_TRUE(pins().link("/sys/fs/bpf/one", "/sys/fs/bpf/d/link", root_).ok());
    ASSERT_TRUE(pins().rename("/sys/fs/bpf/one", "/sys/fs/bpf/moved", root_, 0).ok());
    ASSERT_TRUE(pins().pin("/sys/fs/bpf/d/other", root_, object(theirs_), 0).ok());
  });
  for (const char* path : {"/sys/fs/bpf/one", "/sys/fs/bpf/two", "/sys/fs/bpf/moved", "/sys/fs/bpf/d/link"}) EXPECT_FALSE(at(path)) << path;
  EXPECT_TRUE(at("/sys/fs/bpf/d/other"));
}

}  // namespace
}  // namespace ring3::syscall
