// A limit on the memory of all of a runtime's maps (RuntimeOptions::map_memory_bytes), as its clients and its host see it.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "object/rcu.h"
#include "test_host_btf.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint64_t kLimit = 1 << 20;

class MapMemory : public World {
 protected:
  MapMemory() {
    limited_ = Runtime::create({.name = "small", .btf = test_host_btf, .log = &log_, .map_memory_bytes = kLimit}).value();
    small_client_ = std::make_unique<BpfClient>(*limited_, *host_btf_);
  }
  ~MapMemory() override {
    small_client_ = nullptr;
    limited_ = nullptr;
    EXPECT_EQ(log_.take().find("still held by maps"), std::string::npos);
  }
  long map(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, key, value, entries);
    attr.map_flags = flags;
    std::memcpy(attr.map_name, "sessions", 9);
    return small_client_->create(attr);
  }
  std::uint64_t held() const { return limited_->map_memory().held_bytes; }

  std::unique_ptr<Runtime> limited_;
  std::unique_ptr<BpfClient> small_client_;
};

TEST_F(MapMemory, MapsBeyondTheLimitAreRefusedWithATextThatNamesThem) {
  EXPECT_EQ(limited_->map_memory().limit_bytes, kLimit);
  EXPECT_EQ(held(), 0u);
  log_.take();
  EXPECT_EQ(map(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1 << 20), -E2BIG);
  std::string text = log_.take();
  EXPECT_NE(text.find("array map 'sessions' needs 8388608 bytes, all maps of this host together may hold 1048576"), std::string::npos) << text;
  const long first = map(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 80000);
  ASSERT_GT(first, 0);
  log_.take();
  EXPECT_EQ(map(uapi::BPF_MAP_TYPE_HASH, 8, 8, 10000), -ENOMEM);
  text = log_.take();
  EXPECT_NE(text.find("hash map 'sessions' needs "), std::string::npos) << text;
  EXPECT_NE(text.find("may hold 1048576 and hold " + std::to_string(held())), std::string::npos) << text;
  small_client_->close(first);
  small_client_->next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
  rcu::drain();  // what clients hold is free after readers
  EXPECT_GT(map(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 80000), 0);
}

TEST_F(MapMemory, ElementsBeyondTheLimitAreRefused) {
  const long hash = map(uapi::BPF_MAP_TYPE_HASH, 4, 1000, 8192, uapi::BPF_F_NO_PREALLOC);
  ASSERT_GT(hash, 0);
  const long value_of_program = map(uapi::BPF_MAP_TYPE_ARRAY, 4, 1000, 1);
  const long program = small_client_->load({.text = "r1 = map[name:m0]\nr2 = r10\nr2 += -8\n*(u64 *)(r10 -8) = -1\nr3 = map[name:m1][0]+0\n"
                                             "r4 = 0\ncall 2\nr0 = -r0\nexit",
                                     .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER,
                                     .map_fds = {static_cast<std::int32_t>(hash), static_cast<std::int32_t>(value_of_program)}});
  ASSERT_GT(program, 0) << small_client_->log();
  const std::uint64_t empty = held();
  std::vector<char> value(1000);
  std::uint32_t key = 0;
  long code = 0;
  log_.take();
  while ((code = small_client_->update(hash, value.data(), key)) == 0) ++key;
  EXPECT_EQ(code, -ENOMEM);
  EXPECT_GT(key, 700u);
  const std::string text = log_.take();
  EXPECT_NE(text.find("no memory for an element of hash map 'sessions'"), std::string::npos) << text;
  EXPECT_GT(held(), empty + key * 1000u);
  EXPECT_LE(held(), kLimit);
  EXPECT_GT(limited_->map_memory().refused, 0u);
  EXPECT_EQ(small_client_->run_on_packet(program), ENOMEM) << "programs get the number alone";
}

}  // namespace
}  // namespace ring3::test
