#include "attach/link.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "object/object_table.h"
#include "object/rcu.h"

namespace ring3::attach {
namespace {

struct Calls {
  int attached = 0, detached = 0, released = 0;
  Result<void> (*answer)() = nullptr;
};

class FakeLink final : public Link {
 public:
  FakeLink(const LinkOps& ops, ObjectTable& table, Calls& counts) : Link(ops, 0, nullptr, table, {}), calls(counts) {}
  Calls& calls;
};

Calls& calls_of(Link& link) { return static_cast<FakeLink&>(link).calls; }

const LinkOps kOps = {
    .type = uapi::BPF_LINK_TYPE_STRUCT_OPS,
    .name = "fake",
    .attach = [](Link& l) -> Result<void> {
      if (calls_of(l).answer != nullptr) return calls_of(l).answer();
      ++calls_of(l).attached;
      return {};
    },
    .release = [](Link& l) noexcept { ++calls_of(l).released; },
    .detach = [](Link& l) -> Result<void> {
      ++calls_of(l).detached;
      return {};
    },
    .pollable = true,
};
const LinkOps kBareOps = {.type = uapi::BPF_LINK_TYPE_XDP, .name = "bare"};

class LinkTest : public ::testing::Test {
 protected:
  void TearDown() override {
    rcu::drain();
    EXPECT_TRUE(table_.live().empty());
  }
  Ref<Link> make(const LinkOps& ops) { return Ref<Link>::adopt(new FakeLink(ops, table_, calls_)); }
  static short events(int fd) {
    pollfd p{fd, POLLIN, 0};
    ::poll(&p, 1, 0);
    return p.revents;
  }
  ObjectTable table_;
  Calls calls_;
};

TEST_F(LinkTest, ReleasesWhatIsAttachedWithTheLastReference) {
  {
    auto link = make(kOps);
    ASSERT_TRUE(link->attach().ok());
  }
  EXPECT_EQ(calls_.attached, 1);
  EXPECT_EQ(calls_.released, 1);
  EXPECT_EQ(calls_.detached, 0);
}

TEST_F(LinkTest, PendingLinkLeavesNoTrace) {
  { auto link = make(kOps); }
  EXPECT_EQ(calls_.released, 0);
}

TEST_F(LinkTest, RefusedAttachStaysPending) {
  calls_.answer = []() -> Result<void> { return Errno::kExist; };
  auto link = make(kOps);
  EXPECT_EQ(link->attach().error(), Errno::kExist);
  EXPECT_EQ(link->state(), LinkState::kPending);
}

TEST_F(LinkTest, DetachHangsUpOnceAndTwiceIsFine) {
  auto link = make(kOps);
  ASSERT_TRUE(link->attach().ok());
  const int fd = link->poll_fd().value();
  EXPECT_EQ(events(fd), 0);
  EXPECT_TRUE(link->detach().ok());
  EXPECT_EQ(events(fd), POLLHUP);
  EXPECT_TRUE(link->detach().ok());
  EXPECT_EQ(calls_.detached, 1);
  EXPECT_EQ(link->update_map(nullptr, nullptr, 0).error(), Errno::kInval);
  const int late = link->poll_fd().value();
  EXPECT_EQ(events(late), POLLHUP);
  ::close(late);
  ::close(fd);
}

TEST_F(LinkTest, AbsentOperationsAnswerTheirErrno) {
  auto link = make(kBareOps);
  ASSERT_TRUE(link->attach().ok());
  EXPECT_EQ(link->detach().error(), Errno::kOpNotSupp);
  EXPECT_EQ(link->update_prog(nullptr, nullptr, 0).error(), Errno::kInval);
  EXPECT_EQ(link->poll_fd().error(), Errno::kPerm);
}

}  // namespace
}  // namespace ring3::attach
