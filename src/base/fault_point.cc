#include "base/fault_point.h"

namespace ring3 {
namespace fault_detail {

std::atomic<std::int64_t> countdown{-1};

bool slow_path() noexcept { return countdown.fetch_sub(1, std::memory_order_relaxed) == 0; }

}  // namespace fault_detail

FaultInjection::FaultInjection(std::int64_t nth) noexcept { fault_detail::countdown.store(nth); }
FaultInjection::~FaultInjection() { fault_detail::countdown.store(-1); }
bool FaultInjection::fired() const noexcept { return fault_detail::countdown.load() < 0; }

}  // namespace ring3
