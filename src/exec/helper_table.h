// Helper functions by number. A row is a name and a function; a number without a row is a helper this
// runtime does not have, and the loader refuses programs that call it.
#pragma once

#include <cstdint>

#include "rewrite/xlated.h"

namespace ring3::exec {

/// The helper with this enum bpf_func_id, or null. The address is stable for the process's life.
const rewrite::HelperCall* find_helper(std::uint32_t id) noexcept;
/// The same for runtimes whose clock is the machine's: what tells the time asks it without a way through the host.
const rewrite::HelperCall* find_helper_of_machine_clock(std::uint32_t id) noexcept;

}  // namespace ring3::exec
