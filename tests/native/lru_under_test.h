// An LRU hash of this project behind a door that does not show the ABI header, which cannot stand beside the
// system's.
#pragma once

#include <cstdint>
#include <memory>

namespace ring3::test {

class LruUnderTest {
 public:
  /// Keys and values of 8 bytes.
  LruUnderTest(std::uint32_t type, std::uint32_t entries, std::uint32_t flags);
  ~LruUnderTest();
  /// Is the key there? Then it is used again, else it comes in.
  bool access(std::uint64_t key);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ring3::test
