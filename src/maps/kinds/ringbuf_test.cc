#include "maps/ringbuf.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>

#include "base/fault_point.h"
#include "maps/map_memory.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// Reads a ring through the client's mapping, as libbpf does: header and sample in one piece from the masked
/// start of the header. Also compares with a reader that masks the start of the sample by itself.
class Consumer {
 public:
  explicit Consumer(Map& m) : size_(m.max_entries()), bytes_(m.mappable_bytes()) {
    base_ = static_cast<std::byte*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, m.memory_fd(), 0));
  }
  ~Consumer() { munmap(base_, bytes_); }

  std::atomic<std::uint64_t>& consumer_pos() { return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_); }
  std::atomic<std::uint64_t>& producer_pos() {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + page_bytes());
  }
  std::byte* data() { return base_ + 2 * page_bytes(); }

  /// The next finished record, also a discarded one (with its flag); false: none.
  bool next(std::string& out, bool& discarded) {
    const std::uint64_t at = consumer_pos().load(std::memory_order_relaxed);
    if (at >= producer_pos().load(std::memory_order_acquire)) return false;
    auto* len_word = reinterpret_cast<std::atomic<std::uint32_t>*>(data() + (at & (size_ - 1)));
    const std::uint32_t len = len_word->load(std::memory_order_acquire);
    if (len & BPF_RINGBUF_BUSY_BIT) return false;
    discarded = (len & BPF_RINGBUF_DISCARD_BIT) != 0;
    const std::uint32_t n = len & ~std::uint32_t{BPF_RINGBUF_DISCARD_BIT};
    const auto* sample = reinterpret_cast<const char*>(len_word + 2);
    out.assign(sample, n);
    if (!discarded) {
      const auto* masked = reinterpret_cast<const char*>(data() + ((at + 8) & (size_ - 1)));
      const std::uint64_t room = size_ - ((at + 8) & (size_ - 1));
      std::string other(masked, std::min<std::uint64_t>(n, room));
      if (n > room) other.append(reinterpret_cast<const char*>(data()), n - room);
      EXPECT_EQ(other, out) << "a consumer that wraps by itself reads the same";
    }
    consumer_pos().store(at + round_up(n + 8, 8), std::memory_order_release);
    return true;
  }

 private:
  const std::uint64_t size_, bytes_;
  std::byte* base_;
};

TEST(RingbufTest, AttributesAreChecked) {
  FakeHost host;
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)), 0);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 4, 0, 4096)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 4, 4096)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 2048)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 3 * 4096)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, BPF_F_MMAPABLE)), EINVAL);
}

TEST(RingbufTest, HasNoElements) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  NoFds fds;
  EXPECT_EQ(code(lookup_elem(*m, {}, {}, 0)), 524);
  EXPECT_EQ(code(update_elem(*m, {}, {}, 0, fds)), 524);
  EXPECT_EQ(code(delete_elem(*m, {})), 524);
  EXPECT_EQ(code(next_key(*m, {}, {})), 524);
  EXPECT_EQ(m->mappable_bytes(), 4 * 4096u);
}

TEST(RingbufTest, RecordsArriveInOrderThroughAClientsMapping) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  Consumer c(*m);
  std::string out;
  bool discarded = false;
  EXPECT_FALSE(c.next(out, discarded));
  EXPECT_EQ(ringbuf_output(*m, "hello", 5, 0), 0);
  void* second = ringbuf_reserve(*m, 3, 0);
  void* third = ringbuf_reserve(*m, 4, 0);
  ASSERT_NE(second, nullptr);
  ASSERT_NE(third, nullptr);
  std::memcpy(third, "last", 4);
  ringbuf_submit(third, 0);
  EXPECT_TRUE(c.next(out, discarded));
  EXPECT_EQ(out, "hello");
  EXPECT_FALSE(c.next(out, discarded)) << "a finished record waits for those before it";
  EXPECT_EQ(ringbuf_query(*m, BPF_RB_AVAIL_DATA), 32u);
  ringbuf_discard(second, 0);
  EXPECT_TRUE(c.next(out, discarded));
  EXPECT_TRUE(discarded);
  EXPECT_TRUE(c.next(out, discarded));
  EXPECT_EQ(out, "last");
  EXPECT_FALSE(c.next(out, discarded));
  EXPECT_EQ(ringbuf_query(*m, BPF_RB_RING_SIZE), 4096u);
  EXPECT_EQ(ringbuf_query(*m, BPF_RB_CONS_POS), 48u);
  EXPECT_EQ(ringbuf_query(*m, BPF_RB_PROD_POS), 48u);
  EXPECT_EQ(ringbuf_query(*m, 9), 0u);
}

TEST(RingbufTest, EverySizeAtEveryPlaceOfTheEnd) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  Consumer c(*m);
  std::string out;
  bool discarded = false;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    std::string in((i * 37) % 700, static_cast<char>('a' + i % 26));
    for (std::size_t j = 0; j < in.size(); j += 5) in[j] = static_cast<char>(j);
    ASSERT_EQ(ringbuf_output(*m, in.data(), in.size(), 0), 0) << i;
    ASSERT_TRUE(c.next(out, discarded));
    ASSERT_EQ(out, in);
  }
}

TEST(RingbufTest, RefusesWhatDoesNotFit) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  EXPECT_EQ(ringbuf_reserve(*m, 8, 1), nullptr) << "flags";
  EXPECT_EQ(ringbuf_reserve(*m, 4096, 0), nullptr);
  EXPECT_EQ(ringbuf_reserve(*m, 4088, 0), nullptr);
  EXPECT_EQ(ringbuf_reserve(*m, ~std::uint64_t{0}, 0), nullptr);
  EXPECT_EQ(ringbuf_reserve(*m, ~std::uint64_t{0} - 8, 0), nullptr);
  void* most = ringbuf_reserve(*m, 4080, 0);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(ringbuf_reserve(*m, 8, 0), nullptr) << "full";
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 0), -EAGAIN);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 4), -EINVAL);
  ringbuf_discard(most, 0);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 0), -EAGAIN) << "not consumed yet";
}

struct Counter : RingbufWakeup {
  std::atomic<int> n{0};
};

TEST(RingbufTest, WakesUnlessToldNotTo) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  Counter counter;
  counter.wake = [](RingbufWakeup* w) noexcept { ++static_cast<Counter*>(w)->n; };
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 0), 0);
  ringbuf_set_wakeup(*m, &counter);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 0), 0);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, BPF_RB_NO_WAKEUP), 0);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, BPF_RB_FORCE_WAKEUP), 0);
  ringbuf_discard(ringbuf_reserve(*m, 1, 0), 0);
  EXPECT_EQ(counter.n, 3);
  ringbuf_set_wakeup(*m, nullptr);
  EXPECT_EQ(ringbuf_output(*m, "x", 1, 0), 0);
  EXPECT_EQ(counter.n, 3);
}

// Whatever a client writes into the shared pages, the host stays inside its own memory.
TEST(RingbufTest, HostileClientSpoilsOnlyItsRecords) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  Consumer c(*m);
  std::uint64_t random = 1;
  for (int i = 0; i < 5000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    void* sample = ringbuf_reserve(*m, (random >> 40) % 5000, 0);
    switch ((random >> 33) % 4) {
      case 0: c.consumer_pos().store(random); break;
      case 1: c.producer_pos().store(random); break;
      case 2: c.consumer_pos().store(ringbuf_query(*m, BPF_RB_PROD_POS)); break;
      case 3:
        for (std::uint64_t at = 0; at < 4096; at += 8)
          reinterpret_cast<std::atomic<std::uint32_t>*>(c.data() + at)->store(0xffffffff);
        break;
    }
    if (sample) ringbuf_submit(sample, 0);
  }
}

TEST(RingbufTest, CreationSurvivesEveryFailingAllocation) {
  FakeHost host;
  for (std::int64_t nth = 0; nth < 50; ++nth) {
    FaultInjection fault(nth);
    auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096));
    if (!fault.fired()) {
      EXPECT_TRUE(m.ok());
      EXPECT_GE(nth, 3);
      break;
    }
    EXPECT_EQ(m.error(), Errno::kNoMem);
  }
}

TEST(RingbufStressTest, ManyProducersOneConsumer) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  constexpr std::uint64_t kEach = 3000;
  std::vector<std::thread> producers;
  for (std::uint64_t p = 0; p < 3; ++p)
    producers.emplace_back([&, p] {
      for (std::uint64_t i = 0; i < kEach;) {
        auto* r = static_cast<std::uint64_t*>(ringbuf_reserve(*m, 16 + (i % 5) * 8, 0));
        if (!r) {
          std::this_thread::yield();
          continue;
        }
        r[0] = p;
        r[1] = i++;
        if (i % 10 == 0) {
          ringbuf_discard(r, 0);
          // Say it again, so that every number arrives.
          --i;
          void* again = nullptr;
          while (!(again = ringbuf_reserve(*m, 16, 0))) std::this_thread::yield();
          std::memcpy(again, &p, 8);
          std::memcpy(static_cast<char*>(again) + 8, &i, 8);
          ringbuf_submit(again, 0);
          ++i;
        } else {
          ringbuf_submit(r, 0);
        }
      }
    });
  Consumer c(*m);
  std::uint64_t expected[3] = {}, got = 0;
  while (got < 3 * kEach) {
    std::string out;
    bool discarded = false;
    if (!c.next(out, discarded)) {
      std::this_thread::yield();
      continue;
    }
    if (discarded) continue;
    std::uint64_t rec[2];
    ASSERT_GE(out.size(), sizeof rec);
    std::memcpy(rec, out.data(), sizeof rec);
    ASSERT_LT(rec[0], 3u);
    EXPECT_EQ(rec[1], expected[rec[0]]++);
    ++got;
  }
  for (auto& t : producers) t.join();
}

}  // namespace
}  // namespace ring3::maps
