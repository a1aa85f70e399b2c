// The policy the cache falls back to: least recently used, in C++, through the same doors as a module.
#pragma once

#include "cached_policy.h"

namespace cached {

extern const cache_policy_ops kNativeLru;

}  // namespace cached
