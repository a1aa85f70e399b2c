// The cache as requests see it: a Store whose objects a policy watches and chooses among. One thread.
#pragma once

#include <string>
#include <string_view>

#include "policy_seat.h"
#include "store.h"

namespace cached {

class Cache {
 public:
  explicit Cache(std::uint64_t capacity) : store_(capacity), seat_(store_) {}

  /// The value, or null. It lives until the next call.
  const std::string* get(std::string_view key);
  /// Evicts when the cache is full.
  void set(std::string_view key, std::string_view value);
  /// Whether the key was there.
  bool erase(std::string_view key);
  std::uint64_t size() const { return store_.size(); }

  /// "name:value" lines for operators.
  std::string describe();

  PolicySeat& seat() { return seat_; }
  Store& store() { return store_; }

 private:
  void make_room(const PolicySeat::Turn& policy);

  Store store_;
  PolicySeat seat_;
  std::uint64_t evictions_ = 0;
};

}  // namespace cached
