// The policy the cache falls back to: least recently used, in C++.
#pragma once

#include <cstdint>
#include <map>

#include "cached_policy.h"

namespace cached {

extern const cache_policy_ops kNativeLru;

/// The objects of one cache by their last use. note[0] of an object is its place here while the native policy is in charge.
class UseOrder {
 public:
  void clear() { by_use_.clear(); }
  /// obj was used last of all.
  void touch(cache_obj* obj);
  void remove(cache_obj* obj);
  /// Null: there is none.
  cache_obj* least_recent() const { return by_use_.empty() ? nullptr : by_use_.begin()->second; }

 private:
  std::map<std::uint64_t, cache_obj*> by_use_;
  std::uint64_t clock_ = 0;
};

}  // namespace cached
