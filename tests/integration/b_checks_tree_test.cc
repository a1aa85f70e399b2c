// Checks B-12 to B-16 and B-33: names and what they hold (behaviour.md B.4).
#include <thread>

#include "tests/integration/pin_world.h"

namespace ring3::test {
namespace {

class PinNames : public PinWorld {
 protected:
  Errno rename(const std::string& from, const std::string& to, unsigned flags = 0) {
    const Result<void> r = pins().rename(path(from), path(to), who_, flags);
    return r.ok() ? Errno{} : r.error();
  }
};

TEST_F(PinNames, B_12_UnlinkDropsOneReference) {
  const long map = array();
  const std::uint32_t id = map_id(map);
  ASSERT_EQ(pin(map, "one"), 0);
  ASSERT_EQ(pin(map, "two"), 0);
  ASSERT_TRUE(pins().unlink(path("one"), who_).ok());
  EXPECT_EQ(get("one"), -ENOENT);
  std::uint64_t value = 0;
  EXPECT_EQ(bpf().lookup(map, &value), 0) << "an open descriptor keeps it";
  bpf().close(map);
  EXPECT_TRUE(map_exists(id)) << "another pin keeps it";
  ASSERT_TRUE(pins().unlink(path("two"), who_).ok());
  EXPECT_FALSE(map_exists(id));
}

TEST_F(PinNames, B_12_UnlinkOfALinkDetaches) {
  const long link = bpf().link(ready_map());
  ASSERT_EQ(pin(link, "link"), 0);
  close_fds();
  (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
  EXPECT_EQ(calc_.unregistered.load(), 0);
  ASSERT_TRUE(pins().unlink(path("link"), who_).ok());
  EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u);
  EXPECT_EQ(calc_.unregistered.load(), 1);
}

TEST_F(PinNames, B_13_HardLinks) {
  const long map = array();
  const std::uint32_t id = map_id(map);
  ASSERT_EQ(pin(map, "one"), 0);
  ASSERT_TRUE(pins().link(path("one"), path("two"), who_).ok());
  syscall::PinStat one, two;
  ASSERT_TRUE(stat("one", one).ok());
  ASSERT_TRUE(stat("two", two).ok());
  EXPECT_EQ(one.inode, two.inode);
  EXPECT_EQ(two.links, 2u);
  ASSERT_TRUE(pins().unlink(path("one"), who_).ok());
  one = two = {};
  bpf().close(map);
  EXPECT_EQ(map_id(get("two")), id);
  ASSERT_TRUE(stat("two", two).ok());
  EXPECT_EQ(two.links, 1u);
}

TEST_F(PinNames, B_14_Rename) {
  const long first = array(), second = array(0, 8);
  const std::uint32_t first_id = map_id(first), second_id = map_id(second);
  ASSERT_EQ(pin(first, "a"), 0);
  ASSERT_EQ(pin(second, "b"), 0);
  close_fds();
  EXPECT_EQ(rename("a", "b", RENAME_NOREPLACE), Errno::kExist);
  EXPECT_EQ(rename("a", "b", RENAME_EXCHANGE), Errno{});
  EXPECT_EQ(map_id(get("a")), second_id);
  EXPECT_EQ(map_id(get("b")), first_id);
  ASSERT_TRUE(pins().make_directory(path("d"), who_, 0755, 0).ok());
  EXPECT_EQ(rename("a", "d", RENAME_EXCHANGE), Errno{});
  EXPECT_EQ(map_id(get("d")), second_id);
  EXPECT_EQ(get("a"), -EACCES);
  EXPECT_EQ(rename("b", "d"), Errno{});
  close_fds();
  EXPECT_FALSE(map_exists(second_id)) << "the overwritten pin was its last reference";
  EXPECT_TRUE(map_exists(first_id));
  EXPECT_EQ(rename("d", "e", 1u << 7), Errno::kInval);
}

TEST_F(PinNames, B_15_Dots) {
  ASSERT_EQ(pin(array(), "a"), 0);
  EXPECT_EQ(rename("a", "x.y"), Errno::kPerm);
  EXPECT_EQ(pins().symlink("a", path("x.y"), who_).error(), Errno::kPerm);
  ASSERT_TRUE(pins().symlink("y.z", path("x"), who_).ok()) << "a dotted target is nobody's business";
  EXPECT_LT(get("x"), 0);
  ASSERT_TRUE(pins().symlink("a", path("l"), who_).ok());
  EXPECT_GE(get("l"), 0);
}

TEST_F(PinNames, B_16_Directories) {
  ASSERT_TRUE(pins().make_directory(path("d"), who_, 0755, 0).ok());
  ASSERT_TRUE(pins().make_directory(path("d/e"), who_, 0755, 0).ok());
  ASSERT_EQ(pin(array(), "d/e/map"), 0);
  EXPECT_EQ(pins().remove_directory(path("d/e"), who_).error(), Errno::kNotEmpty);
  EXPECT_EQ(pins().remove_directory(path("d"), who_).error(), Errno::kNotEmpty);
  EXPECT_GE(get("d/e/map"), 0);
  ASSERT_TRUE(pins().unlink(path("d/e/map"), who_).ok());
  EXPECT_TRUE(pins().remove_directory(path("d/e"), who_).ok());
  EXPECT_TRUE(pins().remove_directory(path("d"), who_).ok());
}

TEST_F(PinNames, B_33_ManyHandsInOneDirectory) {
  const long map = array();
  std::vector<std::thread> hands;
  for (unsigned hand = 0; hand < 16; ++hand)
    hands.emplace_back([this, map, hand] {
      OtherCaller me(0, 0, model::Rights::all());
      for (unsigned n = 0; n < 40; ++n) {
        const std::string name = path("n" + std::to_string((hand + n) % 5));
        switch ((hand + n) % 4) {
          case 0: (void)pin_as(me, map, name); break;
          case 1: (void)pins().unlink(name, who_).ok(); break;
          case 2: (void)pins().rename(name, path("n" + std::to_string(n % 5)), who_, 0).ok(); break;
          case 3: {
            uapi::bpf_attr attr = BpfClient::zero();
            attr.pathname = address(name.c_str());
            const long fd = as(me, uapi::BPF_OBJ_GET, attr);
            if (fd >= 0) ::close(static_cast<int>(fd));
            break;
          }
        }
      }
    });
  for (std::thread& hand : hands) hand.join();
  const std::uint32_t id = map_id(map);
  for (int n = 0; n < 5; ++n) (void)pins().unlink(path("n" + std::to_string(n)), who_).ok();
  bpf().close(map);
  // A descriptor that another thread has just closed may settle a moment later.
  for (int i = 0; i < 10'000 && map_exists(id); ++i) std::this_thread::yield();
  EXPECT_FALSE(map_exists(id));
}

}  // namespace
}  // namespace ring3::test
