// The rules of ordered multi-attach, without hooks, descriptors and ids. Expectations are behaviour.md D.5.
#include "attach/ordered_list.h"

#include <gtest/gtest.h>

#include <string>

#include "object/object_table.h"

namespace ring3::attach {
namespace {

using namespace uapi;

const LinkOps kBareOps = {.type = BPF_LINK_TYPE_TCX, .name = "bare"};

class BareLink final : public Link {
 public:
  explicit BareLink(ObjectTable& table) : Link(kBareOps, BPF_TCX_INGRESS, nullptr, table, {}) {}
};

class OrderedListTest : public ::testing::Test {
 protected:
  OrderedListTest() {
    for (const char* name : {"a", "b", "c", "d"}) {
      prog::ProgramMaker::Parts parts;
      parts.about.name = name;
      programs_.push_back(prog::ProgramMaker::make(table_, {}, std::move(parts)));
    }
  }
  void TearDown() override {
    list_.reset();
    programs_.clear();
    rcu::drain();
  }
  prog::Program& at(char name) { return *programs_[static_cast<std::size_t>(name - 'a')]; }
  Ref<prog::Program> ref(char name) { return programs_[static_cast<std::size_t>(name - 'a')]; }

  /// 0 or the errno. to: a program's name, 0 for none.
  int attach(char name, std::uint32_t flags = 0, char to = 0, std::uint64_t revision = 0, char replaced = 0,
             const Link* link = nullptr, const Link* to_link = nullptr) {
    const Relative relative{to != 0 ? ref(to) : nullptr, to_link, nullptr};
    const auto done = list_->attach(ref(name), link, replaced != 0 ? &at(replaced) : nullptr, flags, relative, revision);
    return done.ok() ? 0 : static_cast<int>(done.error());
  }
  int detach(char name, std::uint32_t flags = 0, char to = 0, std::uint64_t revision = 0, const Link* link = nullptr) {
    const auto done = list_->detach(name != 0 ? &at(name) : nullptr, link, flags,
                                    {to != 0 ? ref(to) : nullptr, nullptr, nullptr}, revision);
    return done.ok() ? 0 : static_cast<int>(done.error());
  }
  std::string order() {
    std::string out;
    for (const OrderedEntry& entry : list_->view().entries) out += entry.program->name();
    return out;
  }
  std::uint64_t revision() { return list_->view().revision; }

  ObjectTable table_;
  std::vector<Ref<prog::Program>> programs_;
  std::unique_ptr<OrderedList> list_ = std::make_unique<OrderedList>();
};

TEST_F(OrderedListTest, D19OrderAndRevision) {
  EXPECT_EQ(revision(), 1u);
  EXPECT_EQ(attach('a'), 0);
  EXPECT_EQ(attach('b'), 0);
  EXPECT_EQ(attach('c'), 0);
  EXPECT_EQ(order(), "abc");
  EXPECT_EQ(revision(), 4u);
  EXPECT_EQ(attach('d', BPF_F_BEFORE, 'b'), 0);
  EXPECT_EQ(order(), "adbc");
  EXPECT_EQ(detach('d'), 0);
  EXPECT_EQ(attach('d', BPF_F_AFTER, 'b'), 0);
  EXPECT_EQ(order(), "abdc");
  EXPECT_EQ(detach('d'), 0);
  EXPECT_EQ(attach('d', BPF_F_BEFORE), 0);
  EXPECT_EQ(order(), "dabc");
  EXPECT_EQ(detach('d'), 0);
  EXPECT_EQ(attach('d', BPF_F_AFTER), 0);
  EXPECT_EQ(order(), "abcd");
  EXPECT_EQ(revision(), 11u);
}

TEST_F(OrderedListTest, D20Errors) {
  EXPECT_EQ(attach('a', BPF_F_BEFORE | BPF_F_AFTER), ERANGE);  // the list is empty
  EXPECT_EQ(attach('a', BPF_F_BEFORE, 'b'), ENOENT);
  ASSERT_EQ(attach('a'), 0);
  ASSERT_EQ(attach('b'), 0);
  EXPECT_EQ(attach('a'), EEXIST);
  EXPECT_EQ(attach('c', BPF_F_BEFORE, 'd'), ENOENT);
  EXPECT_EQ(attach('c', BPF_F_AFTER, 'd'), ENOENT);
  EXPECT_EQ(attach('c', BPF_F_BEFORE | BPF_F_AFTER, 'a'), ERANGE);
  EXPECT_EQ(attach('c', 0, 'a'), EINVAL);
  EXPECT_EQ(attach('c', BPF_F_ID), EINVAL);
  EXPECT_EQ(attach('c', 0, 0, 9), ESTALE);
  EXPECT_EQ(attach('c', 0, 0, 3), 0);
  EXPECT_EQ(order(), "abc");
}

TEST_F(OrderedListTest, D20TheSixtyFifthIsOneTooMany) {
  std::vector<Ref<prog::Program>> many;
  for (std::size_t i = 0; i < kMostOrdered; ++i) {
    many.push_back(prog::ProgramMaker::make(table_, {}, {}));
    ASSERT_TRUE(list_->attach(many.back(), nullptr, nullptr, 0, {}, 0).ok());
  }
  EXPECT_EQ(attach('a'), ERANGE);
  EXPECT_TRUE(list_->attach(ref('a'), nullptr, many[5].get(), BPF_F_REPLACE, {}, 0).ok());
}

TEST_F(OrderedListTest, D21Replace) {
  auto link = Ref<BareLink>::adopt(new BareLink(table_));
  ASSERT_EQ(attach('a'), 0);
  ASSERT_EQ(attach('b', 0, 0, 0, 0, link.get()), 0);
  EXPECT_EQ(attach('c', BPF_F_REPLACE, 0, 0, 'd'), ENOENT);
  EXPECT_EQ(attach('c', BPF_F_REPLACE, 0, 0, 'b'), EBUSY);
  EXPECT_EQ(attach('c', BPF_F_REPLACE, 0, 0, 'a'), 0);
  EXPECT_EQ(order(), "cb");
  // A position beside it is an assertion.
  EXPECT_EQ(attach('a', BPF_F_REPLACE | BPF_F_AFTER, 'b', 0, 'c'), ERANGE);
  EXPECT_EQ(attach('a', BPF_F_REPLACE | BPF_F_BEFORE, 'b', 0, 'c'), 0);
  EXPECT_EQ(order(), "ab");
  EXPECT_EQ(detach('b', 0, 0, 0, link.get()), 0);
}

TEST_F(OrderedListTest, D22Detach) {
  auto link = Ref<BareLink>::adopt(new BareLink(table_));
  EXPECT_EQ(detach('a'), ENOENT);
  ASSERT_EQ(attach('a'), 0);
  ASSERT_EQ(attach('b'), 0);
  ASSERT_EQ(attach('c', 0, 0, 0, 0, link.get()), 0);
  EXPECT_EQ(detach('a', BPF_F_REPLACE), EINVAL);
  EXPECT_EQ(detach('a', 0, 0, 99), ESTALE);
  EXPECT_EQ(detach('c'), EBUSY);
  EXPECT_EQ(detach('d'), ENOENT);
  EXPECT_EQ(detach(0, BPF_F_AFTER), EBUSY);  // the last is the link's
  EXPECT_EQ(detach(0, BPF_F_BEFORE), 0);
  EXPECT_EQ(order(), "bc");
  EXPECT_EQ(detach('c', 0, 0, 0, link.get()), 0);
  EXPECT_EQ(detach(0, BPF_F_AFTER), 0);
  EXPECT_EQ(order(), "");
}

TEST_F(OrderedListTest, RelativeToALinkIsThatLinksEntry) {
  auto link = Ref<BareLink>::adopt(new BareLink(table_));
  auto other = Ref<BareLink>::adopt(new BareLink(table_));
  ASSERT_EQ(attach('a', 0, 0, 0, 0, link.get()), 0);
  EXPECT_EQ(attach('b', BPF_F_BEFORE | BPF_F_LINK_ATTACH, 'a', 0, 0, nullptr, other.get()), ENOENT);
  EXPECT_EQ(attach('b', BPF_F_BEFORE | BPF_F_LINK_ATTACH, 'a', 0, 0, nullptr, link.get()), 0);
  EXPECT_EQ(order(), "ba");
  EXPECT_EQ(detach('a', 0, 0, 0, link.get()), 0);
}

}  // namespace
}  // namespace ring3::attach
