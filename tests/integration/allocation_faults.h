// Failing allocations: the n-th operator new of this thread throws, once. Linked into programs that look at what is
// left afterwards; other threads (reclaim) are left alone.
#pragma once

#include <cstdint>

namespace ring3::test {

class AllocationFault {
 public:
  /// nth: 0 is the next allocation.
  explicit AllocationFault(std::int64_t nth) noexcept;
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  /// Whether the chosen allocation came.
  bool fired() const noexcept;
};

}  // namespace ring3::test
