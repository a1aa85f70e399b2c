#include "maps/thread_number.h"

#include <atomic>

namespace ring3::maps::detail {

std::uint32_t number_this_thread() noexcept {
  static std::atomic<std::uint32_t> last{0};
  std::uint32_t number = 0;
  while (number == 0) number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return t_thread_number = number;
}

}  // namespace ring3::maps::detail
