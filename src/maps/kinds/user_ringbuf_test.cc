#include "maps/user_ringbuf.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "maps/map_memory.h"
#include "maps/testing.h"
#include "object/tsan.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// Writes records through the client's mapping as libbpf does: the sample from its masked start in one piece.
class Producer {
 public:
  explicit Producer(Map& m) : size_(m.max_entries()), bytes_(m.mappable_bytes()) {
    base_ = static_cast<std::byte*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, m.memory_fd(), 0));
  }
  ~Producer() { munmap(base_, bytes_); }

  std::atomic<std::uint64_t>& consumer_pos() { return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_); }
  std::atomic<std::uint64_t>& producer_pos() {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + page_bytes());
  }
  std::atomic<std::uint32_t>& header(std::uint64_t at) {
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(base_ + 2 * page_bytes() + (at & (size_ - 1)));
  }
  bool write(std::string_view text, std::uint32_t flags = 0) {
    const std::uint64_t at = producer_pos().load();
    const std::uint64_t total = round_up(text.size() + 8, 8);
    if (at + total - consumer_pos().load() > size_) return false;
    std::memcpy(base_ + 2 * page_bytes() + ((at + 8) & (size_ - 1)), text.data(), text.size());
    header(at).store(static_cast<std::uint32_t>(text.size()) | flags);
    producer_pos().store(at + total);
    return true;
  }

 private:
  const std::uint64_t size_, bytes_;
  std::byte* base_;
};

std::uint64_t gather(void* sample, std::uint32_t size, void* data) {
  static_cast<std::vector<std::string>*>(data)->emplace_back(static_cast<char*>(sample), size);
  return 0;
}

class UserRingbufTest : public ::testing::Test {
 protected:
  FakeHost host;
  Ref<Map> m = make(host, spec(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096)).value();
  Producer p{*m};
  std::vector<std::string> got;
  long drain(std::uint64_t flags = 0) { return user_ringbuf_drain(*m, gather, &got, flags); }
};

TEST_F(UserRingbufTest, AttributesAreChecked) {
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, BPF_F_NUMA_NODE)), 0);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_USER_RINGBUF, 4, 0, 4096)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4095)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, BPF_F_MMAPABLE)), EINVAL);
  NoFds fds;
  EXPECT_EQ(code(lookup_elem(*m, {}, {}, 0)), 524);
  EXPECT_EQ(code(update_elem(*m, {}, {}, 0, fds)), 524);
  EXPECT_EQ(code(delete_elem(*m, {})), 524);
  EXPECT_EQ(code(next_key(*m, {}, {})), 524);
}

TEST_F(UserRingbufTest, RecordsComeInOrderAndDiscardedOnesDoNot) {
  EXPECT_EQ(drain(), 0);
  EXPECT_TRUE(p.write("one"));
  EXPECT_TRUE(p.write("gone", BPF_RINGBUF_DISCARD_BIT));
  EXPECT_TRUE(p.write("two"));
  EXPECT_EQ(drain(), 2);
  EXPECT_EQ(got, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(p.consumer_pos().load(), p.producer_pos().load());
  const std::uint64_t at = p.producer_pos().load();
  EXPECT_TRUE(p.write("busy", BPF_RINGBUF_BUSY_BIT));
  EXPECT_TRUE(p.write("behind"));
  EXPECT_EQ(drain(), 0) << "an unfinished record holds up those behind it";
  p.header(at).store(4);
  EXPECT_EQ(drain(), 2);
  EXPECT_EQ(drain(8), -EINVAL);
}

TEST_F(UserRingbufTest, RecordsRunPastTheEnd) {
  std::string text(1000, 'x');
  for (int i = 0; i < 50; ++i) {
    for (char& c : text) c = static_cast<char>('a' + i % 26);
    ASSERT_TRUE(p.write(text));
    got.clear();
    ASSERT_EQ(drain(), 1);
    ASSERT_EQ(got[0], text);
  }
}

TEST_F(UserRingbufTest, CallbackMayStop) {
  for (int i = 0; i < 3; ++i) p.write("r");
  int calls = 0;
  const auto stop = [](void*, std::uint32_t, void* data) -> std::uint64_t { return ++*static_cast<int*>(data) == 2; };
  EXPECT_EQ(user_ringbuf_drain(*m, stop, &calls, 0), 2);
  EXPECT_EQ(drain(), 1);
}

TEST_F(UserRingbufTest, OneDrainAtATime) {
  p.write("r");
  struct Nested {
    Map* map;
    long inner = 0;
  } nested{m.get()};
  const auto again = [](void*, std::uint32_t, void* data) -> std::uint64_t {
    auto* n = static_cast<Nested*>(data);
    n->inner = user_ringbuf_drain(*n->map, gather, nullptr, 0);
    return 0;
  };
  EXPECT_EQ(user_ringbuf_drain(*m, again, &nested, 0), 1);
  EXPECT_EQ(nested.inner, -EBUSY);
  EXPECT_EQ(drain(), 0);
}

TEST_F(UserRingbufTest, PositionsThatMakeNoSenseAreRefused) {
  p.producer_pos().store(4);
  EXPECT_EQ(drain(), -EINVAL);
  p.producer_pos().store(16);
  p.header(0).store(100);
  EXPECT_EQ(drain(), -EINVAL) << "a record that ends behind the producer";
  p.producer_pos().store(1 << 20);
  p.header(0).store(5000);
  EXPECT_EQ(drain(), -E2BIG) << "a record larger than the ring";
  p.consumer_pos().store(0x12345);
  p.header(0).store(8);
  p.producer_pos().store(16);
  EXPECT_EQ(drain(), 1) << "the client's idea of the consumer's position does not matter";
}

TEST_F(UserRingbufTest, ProducersAreWokenWhenThereIsRoom) {
  struct Counter : RingbufWakeup {
    int count = 0;
  } counter;
  counter.wake = [](RingbufWakeup* w) noexcept { ++static_cast<Counter*>(w)->count; };
  user_ringbuf_set_wakeup(*m, &counter);
  drain();
  EXPECT_EQ(counter.count, 0);
  drain(BPF_RB_FORCE_WAKEUP);
  EXPECT_EQ(counter.count, 1);
  p.write("r");
  drain();
  EXPECT_EQ(counter.count, 2);
  p.write("r");
  drain(BPF_RB_NO_WAKEUP);
  EXPECT_EQ(counter.count, 2);
}

TEST_F(UserRingbufTest, AWildClientCannotLeadTheHostOutside) {
  std::uint64_t random = 1;
  for (int i = 0; i < 3000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    switch ((random >> 33) % 3) {
      case 0: p.producer_pos().store((random >> 20) & ~std::uint64_t{7}); break;
      case 1: p.header(random >> 17 & ~std::uint64_t{7}).store(static_cast<std::uint32_t>(random >> 32)); break;
      case 2: p.consumer_pos().store(random); break;
    }
    const auto touch = [](void* sample, std::uint32_t size, void*) -> std::uint64_t {
      if (size != 0) static_cast<volatile char*>(sample)[size - 1] = 1;
      return 0;
    };
    user_ringbuf_drain(*m, touch, nullptr, 0);
  }
}

}  // namespace
}  // namespace ring3::maps
