// Random numbers for constant blinding.
#pragma once

#include <cstdint>

namespace ring3::exec::jit {

/// Unpredictable from outside the process. Any thread.
std::uint64_t random_mask() noexcept;

}  // namespace ring3::exec::jit
