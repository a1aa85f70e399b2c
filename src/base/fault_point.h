// Fault injection: every place that can fail for want of memory or a kernel resource asks
// fault_point() first. Tests fail the n-th call until everything succeeds, then look at the leak list.
#pragma once

#include <atomic>
#include <cstdint>

namespace ring3 {

namespace fault_detail {
extern std::atomic<std::int64_t> countdown;  // < 0: off; 0: the next call fails
bool slow_path() noexcept;
}  // namespace fault_detail

/// True when this call has been chosen to fail. Free when injection is off: one relaxed load.
inline bool fault_point() noexcept {
  return __builtin_expect(fault_detail::countdown.load(std::memory_order_relaxed) >= 0, 0) &&
         fault_detail::slow_path();
}

/// Arms injection for its own lifetime: the n-th fault_point() of any thread from now on is true, once.
class FaultInjection {
 public:
  explicit FaultInjection(std::int64_t nth) noexcept;
  ~FaultInjection();
  FaultInjection(const FaultInjection&) = delete;
  FaultInjection& operator=(const FaultInjection&) = delete;
  /// Whether the chosen call came.
  bool fired() const noexcept;
};

}  // namespace ring3
