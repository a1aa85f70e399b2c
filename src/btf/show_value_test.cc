// The expectations are the forms that the kernel's own tests of bpf_snprintf_btf() name.
#include <gtest/gtest.h>

#include <cstring>

#include "btf/builder.h"
#include "btf/print.h"

namespace ring3::btf {
namespace {

class ShowValueTest : public ::testing::Test {
 protected:
  ShowValueTest() {
    int_ = b_.add_int("int", 4, 1);
    char_ = b_.add_int("char", 1, 1);
    u32_ = b_.add_int("unsigned int", 4);
    number_ = b_.add_typedef("__u32", u32_);
    pair_ = b_.add_struct("pair", 8, {{"name_off", number_, 0}, {"val", int_, 32}});
    counter_ = b_.add_typedef("atomic_t", b_.add_struct("", 4, {{"counter", int_, 0}}));
    text_ = b_.add_struct("text", 20, {{"name", b_.add_array(char_, u32_, 16), 0}, {"tail", int_, 128}});
    words_ = b_.add_struct("words", 20, {{"cb", b_.add_array(number_, u32_, 5), 0}});
    node_ = b_.add_struct("node", 16, {{"inner", pair_, 0}, {"next", b_.add_ptr(pair_), 64}});
  }
  template <typename T>
  std::string show(TypeId id, const T& value, ShowStyle style = {.compact = true}) {
    if (!types_) {
      NullSink log;
      types_ = Btf::parse(b_.finish(), nullptr, log).value();
    }
    StringSink out;
    show_value(*types_, id, std::as_bytes(std::span(&value, 1)), style, out);
    return out.take();
  }

  Builder b_;
  std::shared_ptr<const Btf> types_;
  TypeId int_, char_, u32_, number_, pair_, counter_, text_, words_, node_;
};

constexpr ShowStyle kNameless{.compact = true, .nameless = true};
constexpr ShowStyle kZeros{.compact = true, .zeros = true};

TEST_F(ShowValueTest, NumbersAreShownAtTheTopWhateverTheyAre) {
  EXPECT_EQ(show(int_, 1234), "(int)1234");
  EXPECT_EQ(show(int_, 1234, kNameless), "1234");
  EXPECT_EQ(show(int_, 0), "(int)0");
  EXPECT_EQ(show(int_, -4567), "(int)-4567");
  EXPECT_EQ(show(char_, char{100}), "(char)100");
  EXPECT_EQ(show(number_, 7u), "(__u32)7");
}

TEST_F(ShowValueTest, ZerosInsideAreLeftOut) {
  const struct {
    std::uint32_t a;
    std::int32_t b;
  } both{3, -1}, one{0, -1}, none{0, 0};
  EXPECT_EQ(show(pair_, both), "(struct pair){.name_off = (__u32)3,.val = (int)-1,}");
  EXPECT_EQ(show(pair_, both, kNameless), "{3,-1,}");
  EXPECT_EQ(show(pair_, one, kNameless), "{-1,}");
  EXPECT_EQ(show(pair_, none), "(struct pair){}");
  EXPECT_EQ(show(pair_, none, kNameless), "{}");
  EXPECT_EQ(show(pair_, none, kZeros), "(struct pair){.name_off = (__u32)0,.val = (int)0,}");
  EXPECT_EQ(show(counter_, 1), "(atomic_t){.counter = (int)1,}");
  EXPECT_EQ(show(counter_, 0), "(atomic_t){}");
}

TEST_F(ShowValueTest, TextsEndAtTheirFirstZero) {
  struct {
    char name[16];
    int tail;
  } text{"foo", 0};
  EXPECT_EQ(show(text_, text), "(struct text){.name = (char[])['f','o','o',],}");
  EXPECT_EQ(show(text_, text, kNameless), "{['f','o','o',],}");
  std::memcpy(text.name, "\0foo", 4);
  EXPECT_EQ(show(text_, text), "(struct text){}");
  std::memcpy(text.name, "\1\2\3\0", 4);
  EXPECT_EQ(show(text_, text), "(struct text){.name = (char[])[1,2,3,],}");
}

TEST_F(ShowValueTest, ArraysShowWhatIsNotZero) {
  const std::uint32_t all[] = {1, 2, 3, 4, 5}, one[] = {0, 0, 1, 0, 0};
  EXPECT_EQ(show(words_, all), "(struct words){.cb = (__u32[])[1,2,3,4,5,],}");
  EXPECT_EQ(show(words_, one), "(struct words){.cb = (__u32[])[1,],}");
}

TEST_F(ShowValueTest, PointersAreHiddenUnlessAskedFor) {
  const std::uint64_t node[] = {0, 1};
  EXPECT_EQ(show(node_, node, {.compact = true, .raw_pointers = true}), "(struct node){.next = (struct pair *)0x0000000000000001,}");
  const std::string hidden = show(node_, node, {.compact = true, .pointer_key = 99});
  EXPECT_EQ(hidden, show(node_, node, {.compact = true, .pointer_key = 99}));
  EXPECT_NE(hidden, show(node_, node, {.compact = true, .pointer_key = 98}));
}

TEST_F(ShowValueTest, LinesAreIndentedByDepth) {
  const std::uint32_t node[] = {3, 0, 0, 0};
  EXPECT_EQ(show(node_, node, {}), "(struct node){\n .inner = (struct pair){\n  .name_off = (__u32)3,\n },\n}");
  EXPECT_EQ(show(int_, 5, {}), "(int)5");
}

TEST_F(ShowValueTest, BytesThatAreNotThereAreZero) {
  const std::uint8_t byte = 9;
  EXPECT_EQ(show(pair_, byte), "(struct pair){.name_off = (__u32)9,}");
}

}  // namespace
}  // namespace ring3::btf
