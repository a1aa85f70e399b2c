#include "tests/native/lru_under_test.h"

#include "maps/testing.h"

namespace ring3::test {

struct LruUnderTest::Parts {
  maps::testing::FakeHost host;
  Ref<maps::Map> map;
};

LruUnderTest::LruUnderTest(std::uint32_t entries) : parts_(std::make_unique<Parts>()) {
  parts_->map = maps::testing::make(parts_->host, maps::testing::spec(uapi::BPF_MAP_TYPE_LRU_HASH, 8, 8, entries)).value();
}

LruUnderTest::~LruUnderTest() = default;

bool LruUnderTest::access(std::uint64_t key) {
  std::uint64_t value = 0;
  const bool hit = maps::testing::lookup(*parts_->map, key, value) == 0;
  maps::testing::update(*parts_->map, key, value);
  return hit;
}

}  // namespace ring3::test
