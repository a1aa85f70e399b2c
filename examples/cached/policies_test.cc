// Real policies in charge of a real cache: objects compiled by clang, opened by libbpf, loaded into a runtime in this
// process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "cache.h"
#include "cached_policy_btf.h"
#include "maps/allocated_type.h"
#include "tests/integration/libbpf_door.h"
#include "tests/support/log_lines.h"
#include "trace.h"
#include "uapi/bpf.h"

namespace cached {
namespace {

namespace uapi = ring3::uapi;

#define POLICY(name) CACHED_POLICIES "/" name ".bpf.o"

class PoliciesTest : public ::testing::Test {
 protected:
  PoliciesTest() {
    runtime_ = ring3::Runtime::create({.name = "cached", .btf = cached_policy_btf, .log = &log_}).value();
    cache_.seat().offer(*runtime_).value();
    door_ = std::make_unique<ring3::test::LibbpfDoor>(*runtime_, cached_policy_btf);
  }

  /// A link that puts the object's table in charge.
  int attach(ring3::test::ObjectFile& object, const char* table) {
    EXPECT_EQ(object.load(), 0) << door_->take_text() << log_.text();
    const int link = object.attach(table);
    EXPECT_GT(link, 0) << door_->take_text() << log_.text();
    return link;
  }
  long replace(int link, int map) {
    uapi::bpf_attr attr{};
    attr.link_update.link_fd = static_cast<std::uint32_t>(link);
    attr.link_update.new_map_fd = static_cast<std::uint32_t>(map);
    return runtime_->bpf(uapi::BPF_LINK_UPDATE, &attr, sizeof attr);
  }
  /// Closes the link and lets the runtime notice.
  void detach(int link) {
    close(link);
    uapi::bpf_attr attr{};
    (void)runtime_->bpf(uapi::BPF_LINK_GET_NEXT_ID, &attr, sizeof attr);
  }
  bool described(const std::string& line) { return cache_.describe().find(line + "\r\n") != std::string::npos; }

  double replay(long requests) {
    Trace trace({.keys = 5'000, .scan_every = 1'000, .scan_length = 300});
    long hits = 0;
    for (long i = 0; i < requests; ++i) {
      const std::string key = trace.next();
      if (cache_.get(key) != nullptr)
        ++hits;
      else
        cache_.set(key, "v");
    }
    return static_cast<double>(hits) / static_cast<double>(requests);
  }

  ring3::test::LogLines log_;
  Cache cache_{300};
  std::unique_ptr<ring3::Runtime> runtime_;
  std::unique_ptr<ring3::test::LibbpfDoor> door_;
};

TEST_F(PoliciesTest, LruDoesWhatTheNativeOneDoes) {
  const double native = replay(20'000);
  ring3::test::ObjectFile lru(POLICY("lru"));
  const int link = attach(lru, "lru");
  ASSERT_TRUE(described("policy:lru"));
  // Not from an empty cache this time, so nearly.
  EXPECT_NEAR(replay(20'000), native, 0.02);
  EXPECT_TRUE(described("policy_bad_choices:0"));
  EXPECT_EQ(cache_.size(), 300u);
  detach(link);
  EXPECT_TRUE(described("policy:native_lru"));
}

TEST_F(PoliciesTest, S3FifoKeepsMoreThanLruUnderScans) {
  ring3::test::ObjectFile lru(POLICY("lru"));
  const int link = attach(lru, "lru");
  const double with_lru = replay(20'000);
  ring3::test::ObjectFile s3fifo(POLICY("s3fifo"));
  ASSERT_EQ(s3fifo.load(), 0) << door_->take_text() << log_.text();
  ASSERT_EQ(s3fifo.fill("s3fifo"), 0) << door_->take_text() << log_.text();
  ASSERT_EQ(replace(link, s3fifo.map("s3fifo")), 0) << log_.text();
  ASSERT_TRUE(described("policy:s3fifo"));
  const double with_s3fifo = replay(20'000);
  EXPECT_GT(with_s3fifo, with_lru + 0.03);
  EXPECT_TRUE(described("policy_bad_choices:0"));
  detach(link);
}

TEST_F(PoliciesTest, ExitHearsOfItsOwnTenure) {
  ring3::test::ObjectFile s3fifo(POLICY("s3fifo"));
  const int link = attach(s3fifo, "s3fifo");
  cache_.set("a", "1");
  cache_.get("a");
  cache_.get("b");
  detach(link);
  door_.reset();
  runtime_.reset();  // waits for those who leave
  EXPECT_NE(log_.text().find("s3fifo leaves after 1 hits, 1 misses"), std::string::npos) << log_.text();
}

TEST_F(PoliciesTest, WhatIsErasedIsForgottenBeforeTheCacheIsFull) {
  ring3::wait_for_readers();  // what earlier tests left
  const std::uint64_t before = Entry::alive;
  for (const char* const policy : {"s3fifo", "lru"}) {
    const std::string file = std::string(CACHED_POLICIES "/") + policy + ".bpf.o";
    ring3::test::ObjectFile object(file.c_str());
    const int link = attach(object, policy);
    for (int i = 0; i < 5'000; ++i) {
      cache_.set("key", "v");
      cache_.erase("key");
    }
    cache_.set("stays", "v");
    ring3::wait_for_readers();
    EXPECT_LE(Entry::alive, before + 70) << policy;
    detach(link);
    EXPECT_TRUE(described("policy_bad_choices:0"));
  }
}

TEST_F(PoliciesTest, NothingIsLeftOfPoliciesSwappedUnderLoad) {
  ring3::wait_for_readers();  // what earlier tests left
  const std::uint64_t before = Entry::alive;
  const std::int64_t objects_before = ring3::maps::AllocatedType::live_objects();
  {
    ring3::test::ObjectFile lru(POLICY("lru")), s3fifo(POLICY("s3fifo"));
    const int link = attach(lru, "lru");
    ASSERT_EQ(s3fifo.load(), 0) << door_->take_text() << log_.text();
    ASSERT_EQ(s3fifo.fill("s3fifo"), 0) << door_->take_text() << log_.text();
    std::atomic<bool> stop{false};
    std::atomic<long> served{0};
    std::thread requests([&] {
      Trace trace({.keys = 3'000, .scan_every = 500, .scan_length = 200});
      while (!stop) {
        const std::string key = trace.next();
        const long n = served++;
        if (n % 50 == 0)
          cache_.erase(key);
        else if (cache_.get(key) == nullptr)
          cache_.set(key, "v");
      }
    });
    for (int swap = 0; swap < 40; ++swap) {
      const long until = served + 300;
      while (served < until) std::this_thread::yield();
      EXPECT_EQ(replace(link, swap % 2 == 0 ? s3fifo.map("s3fifo") : lru.map("lru")), 0) << log_.text();
    }
    stop = true;
    requests.join();
    EXPECT_TRUE(described("policy_bad_choices:0")) << cache_.describe();
    detach(link);
    EXPECT_TRUE(described("policy:native_lru"));
    EXPECT_GT(Entry::alive, before) << "the cache has its objects";
  }
  uapi::bpf_attr attr{};
  (void)runtime_->bpf(uapi::BPF_MAP_GET_NEXT_ID, &attr, sizeof attr);  // the descriptors have been closed
  ring3::wait_for_readers();
  EXPECT_EQ(Entry::alive, before + cache_.size()) << "policies keep objects alive";
  EXPECT_EQ(ring3::maps::AllocatedType::live_objects(), objects_before);
}

TEST_F(PoliciesTest, AnOutOfBoundsAccessIsRefusedWithItsPlace) {
  ring3::test::ObjectFile bad(POLICY("bad_oob"));
  EXPECT_EQ(bad.load(), -EACCES);
  const std::string said = door_->take_text() + log_.text();
  EXPECT_NE(said.find("bad_oob.bpf.c:"), std::string::npos) << said;
  EXPECT_NE(said.find("invalid access to map value"), std::string::npos) << said;
  cache_.set("a", "1");
  EXPECT_NE(cache_.get("a"), nullptr);
  EXPECT_TRUE(described("policy:native_lru"));
}

}  // namespace
}  // namespace cached
