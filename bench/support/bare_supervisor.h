// A supervisor that does nothing: what an intercepted lookup costs whoever answers it.
#pragma once

#include <functional>

namespace ring3::bench {

/// Runs `client` in a child whose BPF_MAP_LOOKUP_ELEM a seccomp listener sees, and answers those calls with a value of 8 zero bytes: the
/// notification, a copy of the attributes, the comparison of the caller's descriptor with the one it had the first time, the question
/// whether the caller still waits, a copy of the value, the answer. No table, no map, no checks of what was asked.
/// Returns what `client` does; -1: no listener or no child to be had, or a call failed.
int under_bare_supervisor(const std::function<int()>& client);

}  // namespace ring3::bench
