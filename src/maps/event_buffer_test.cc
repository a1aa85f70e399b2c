#include "maps/event_buffer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// Reads records through a client's mapping, as perf_event_open(2) says.
class Reader {
 public:
  explicit Reader(const EventBuffer& b) : bytes_(b.memory_bytes()) {
    base_ = static_cast<std::byte*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, b.memory_fd(), 0));
  }
  ~Reader() { munmap(base_, bytes_); }
  std::atomic<std::uint64_t>& at(std::size_t off) { return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + off); }

  struct Record {
    std::uint32_t type = 0;
    std::string body;
  };
  bool next(Record& out) {
    const std::uint64_t head = at(1024).load(std::memory_order_acquire), tail = at(1032).load();
    if (head == tail) return false;
    std::uint32_t type;
    std::uint16_t size;
    std::memcpy(&type, copy(tail, 4).data(), 4);
    std::memcpy(&size, copy(tail + 6, 2).data(), 2);
    out.type = type;
    out.body = copy(tail + 8, size - 8u);
    at(1032).store(tail + size, std::memory_order_release);
    return true;
  }

 private:
  std::string copy(std::uint64_t from, std::size_t n) {
    std::string s;
    const std::uint64_t size = at(1048).load(), off = at(1040).load();
    for (std::size_t i = 0; i < n; ++i) s.push_back(static_cast<char>(base_[off + (from + i) % size]));
    return s;
  }
  const std::uint64_t bytes_;
  std::byte* base_;
};

std::span<const std::byte> text(std::string_view s) { return std::as_bytes(std::span(s)); }

std::string raw(std::string_view s) {
  std::string body(4, '\0');
  body += s;
  while (body.size() % 8) body.push_back('\0');
  const auto n = static_cast<std::uint32_t>(body.size() - 4);
  std::memcpy(body.data(), &n, 4);
  return body;
}

TEST(EventBufferTest, SamplesAreRecordsOfPerf) {
  FakeHost host;
  auto b = EventBuffer::make(host.table, 1).value();
  Reader r(*b);
  Reader::Record rec;
  EXPECT_FALSE(r.next(rec));
  EXPECT_EQ(b->output(text("hello"), text(" world")), 0);
  EXPECT_EQ(b->output({}), 0);
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.type, 9u);
  EXPECT_EQ(rec.body, raw("hello world"));
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.body, raw(""));
  EXPECT_EQ(EventBuffer::make(host.table, 3).error(), Errno::kInval);
}

TEST(EventBufferTest, WhatFindsNoRoomIsCounted) {
  FakeHost host;
  auto b = EventBuffer::make(host.table, 1).value();
  Reader r(*b);
  const std::string big(1000, 'x');
  int written = 0;
  while (b->output(text(big)) == 0) ++written;
  EXPECT_EQ(written, 4);
  EXPECT_EQ(b->output(text(big)), -ENOSPC);
  EXPECT_EQ(b->lost(), 2u);
  Reader::Record rec;
  for (int i = 0; i < written; ++i) ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(b->output(text("after")), 0);
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.type, 2u);
  std::uint64_t lost;
  std::memcpy(&lost, rec.body.data() + 8, 8);
  EXPECT_EQ(lost, 2u);
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.body, raw("after"));
  EXPECT_EQ(b->output(text(std::string(70000, 'x'))), -E2BIG);
}

TEST(EventBufferTest, AClientThatMapsLessGetsLess) {
  FakeHost host;
  auto b = EventBuffer::make(host.table, 16).value();
  EXPECT_EQ(b->use_pages(3).error(), Errno::kInval);
  EXPECT_EQ(b->use_pages(32).error(), Errno::kInval);
  EXPECT_EQ(b->use_pages(0).error(), Errno::kInval);
  ASSERT_TRUE(b->use_pages(2).ok());
  ASSERT_TRUE(b->use_pages(1).ok());
  Reader r(*b);
  EXPECT_EQ(r.at(1048).load(), page_bytes());
  const std::string big(1000, 'x');
  Reader::Record rec;
  for (int i = 0; i < 20; ++i) {  // round and round its one page
    ASSERT_EQ(b->output(text(big)), 0);
    ASSERT_TRUE(r.next(rec));
    EXPECT_EQ(rec.body, raw(big));
  }
  EXPECT_TRUE(b->use_pages(1).ok());
  EXPECT_EQ(b->use_pages(2).error(), Errno::kBusy);
}

TEST(EventBufferTest, AWildClientOnlySpoilsItsOwnRecords) {
  FakeHost host;
  auto b = EventBuffer::make(host.table, 1).value();
  Reader r(*b);
  r.at(1032).store(1 << 20);
  EXPECT_EQ(b->output(text("x")), -ENOSPC);
  r.at(1040).store(1 << 30);
  r.at(1048).store(1 << 30);
  r.at(1032).store(0);
  for (int i = 0; i < 1000; ++i) {
    b->output(text("data"));
    r.at(1032).store(r.at(1024).load());
    r.at(1024).store(static_cast<std::uint64_t>(i) << 40);
  }
}

class EventArrayTest : public ::testing::Test, public FdSource {
 protected:
  Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) override {
    if (fd != 7) return Errno::kBadF;
    if (kind != ObjectKind::kEvents) return Errno::kInval;
    return Ref<Object>(buffer);
  }
  int put(std::uint32_t index, std::int32_t fd, std::uint64_t flags = 0) {
    return code(update_elem(*map, bytes(index), bytes(fd), flags, *this));
  }
  FakeHost host{2};
  Ref<EventBuffer> buffer = EventBuffer::make(host.table, 1).value();
  Ref<Map> map = make(host, spec(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2)).value();
};

// Errnos as Linux answers them to the same calls.
TEST_F(EventArrayTest, AttributesAreChecked) {
  const auto events = [&](std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
    return create_errno(host, spec(BPF_MAP_TYPE_PERF_EVENT_ARRAY, key, value, entries, flags));
  };
  EXPECT_EQ(events(4, 8, 2), EINVAL);
  EXPECT_EQ(events(8, 4, 2), EINVAL);
  EXPECT_EQ(events(4, 4, 0), EINVAL);
  EXPECT_EQ(events(4, 4, 2, BPF_F_RDONLY_PROG), EINVAL);
  EXPECT_EQ(events(4, 4, 2, BPF_F_MMAPABLE), EINVAL);
  EXPECT_EQ(events(4, 4, 2, BPF_F_PRESERVE_ELEMS | BPF_F_RDONLY | BPF_F_NUMA_NODE), 0);
}

TEST_F(EventArrayTest, OutputGoesToTheSlotsBuffer) {
  EXPECT_EQ(put(1, 9), EBADF);
  EXPECT_EQ(put(1, 7, BPF_NOEXIST), EINVAL);
  EXPECT_EQ(put(2, 7), E2BIG);
  EXPECT_EQ(put(1, 7), 0);
  std::uint32_t value = 0;
  EXPECT_EQ(lookup(*map, std::uint32_t{1}, value), 524);
  Reader r(*buffer);
  Reader::Record rec;
  {
    rcu::ReadSection section;
    EXPECT_EQ(event_output(*map, 1, text("one")), 0);
    EXPECT_EQ(event_output(*map, 0, text("none")), -ENOENT);
    EXPECT_EQ(event_output(*map, 2, text("out")), -E2BIG);
    EXPECT_EQ(event_output(*map, std::uint64_t{1} << 32, text("flag")), -EINVAL);
    FakeHost::cpu() = 1;
    EXPECT_EQ(event_output(*map, BPF_F_CURRENT_CPU, text("mine")), 0);
    FakeHost::cpu() = 0;
  }
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.body, raw("one"));
  ASSERT_TRUE(r.next(rec));
  EXPECT_EQ(rec.body, raw("mine"));
  EXPECT_EQ(erase(*map, std::uint32_t{1}), 0);
  EXPECT_EQ(erase(*map, std::uint32_t{1}), ENOENT);
  EXPECT_EQ(erase(*map, std::uint32_t{2}), E2BIG);
}

TEST_F(EventArrayTest, BuffersLeaveWithTheLastUser) {
  auto keeping = make(host, spec(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2, BPF_F_PRESERVE_ELEMS)).value();
  const std::uint32_t index = 0;
  const std::int32_t fd = 7;
  EXPECT_EQ(put(0, 7), 0);
  EXPECT_EQ(code(update_elem(*keeping, bytes(index), bytes(fd), 0, *this)), 0);
  { UserRef<Map> user(map), other(keeping); }
  rcu::ReadSection section;
  EXPECT_EQ(event_output(*map, 0, text("x")), -ENOENT);
  EXPECT_EQ(event_output(*keeping, 0, text("x")), 0);
}

TEST(EventBufferStressTest, ManyProducersOneReader) {
  FakeHost host;
  auto b = EventBuffer::make(host.table, 2).value();
  std::vector<std::thread> threads;
  std::atomic<int> running{3};
  std::atomic<std::uint64_t> written{0};
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        if (b->output(text("0123456789abcdef")) == 0) ++written;
      }
      --running;
    });
  Reader r(*b);
  Reader::Record rec;
  std::uint64_t got = 0, lost = 0;
  for (bool last = false;;) {
    if (!r.next(rec)) {
      if (last) break;
      last = running == 0;
      continue;
    }
    if (rec.type == 9) {
      ASSERT_EQ(rec.body, raw("0123456789abcdef"));
      ++got;
    } else {
      std::uint64_t n;
      std::memcpy(&n, rec.body.data() + 8, 8);
      lost += n;
    }
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(got, written);
  EXPECT_LE(lost, b->lost());
  EXPECT_EQ(got + b->lost(), 6000u);
}

}  // namespace
}  // namespace ring3::maps
