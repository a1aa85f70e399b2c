#include "tests/native/lru_under_test.h"

#include "maps/testing.h"

namespace ring3::test {

struct LruUnderTest::Parts {
  maps::testing::FakeHost host;
  Ref<maps::Map> map;
  std::vector<std::byte> value;  // per-CPU kinds: of all CPUs
};

LruUnderTest::LruUnderTest(std::uint32_t type, std::uint32_t entries, std::uint32_t flags) : parts_(std::make_unique<Parts>()) {
  parts_->map = maps::testing::make(parts_->host, maps::testing::spec(type, 8, 8, entries, flags)).value();
  parts_->value.resize(parts_->map->value_bytes());
}

LruUnderTest::~LruUnderTest() = default;

bool LruUnderTest::access(std::uint64_t key) {
  maps::Map& map = *parts_->map;
  maps::NoFds fds;
  const bool hit = maps::lookup_elem(map, maps::testing::bytes(key), parts_->value, 0).ok();
  (void)maps::update_elem(map, maps::testing::bytes(key), parts_->value, uapi::BPF_ANY, fds).ok();
  return hit;
}

}  // namespace ring3::test
