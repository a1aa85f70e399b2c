#include "exec/jit/random.h"

#include <sys/random.h>

#include <cstddef>

#include "base/check.h"

namespace ring3::exec::jit {

std::uint64_t random_mask() noexcept {
  // A block at a time: a system call for each constant would cost more than compiling.
  constexpr std::size_t kBlock = 32;
  thread_local std::uint64_t block[kBlock];
  thread_local std::size_t left = 0;
  if (left == 0) {
    // Up to 256 bytes are never cut short.
    RING3_CHECK(getrandom(block, sizeof block, 0) == static_cast<ssize_t>(sizeof block), "random numbers for blinding");
    left = kBlock;
  }
  return block[--left];
}

}  // namespace ring3::exec::jit
