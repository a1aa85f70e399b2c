// The cache: keys and values. In which order objects are evicted is a policy's business alone.
//
// One thread (the event loop) owns a Store; policies run on that thread inside the request that
// concerns them. A policy sees cache and cache_obj of cached_policy.h, never keys or values.
//
// Entries are counted, because policies keep references in their maps, and the last one may go on any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cached_policy.h"
#include "native_lru.h"
#include "ring3/counted.h"

namespace cached {

/// An object with what the policy may not see. The store has one reference, policies have the others.
struct Entry : cache_obj, ring3::Counted<Entry> {
  Entry() : cache_obj{} { alive.fetch_add(1, std::memory_order_relaxed); }
  ~Entry() { alive.fetch_sub(1, std::memory_order_relaxed); }

  std::string key, value;

  /// Of all stores.
  static inline std::atomic<std::uint64_t> alive{0};
};

class Store {
 public:
  explicit Store(std::uint64_t capacity);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// The cache as policies see it. of() leads back.
  cache* view() { return &view_.counters; }
  static Store& of(cache* c);

  Entry* find(std::string_view key);
  /// Null: no object has this id.
  Entry* find_id(std::uint64_t id);
  /// The entry that was inserted first, or null when there is none.
  Entry* oldest() { return by_id_.empty() ? nullptr : by_id_.begin()->second; }
  /// The key must be absent.
  Entry* insert(std::string_view key, std::string_view value);
  void set_value(Entry* entry, std::string_view value);
  /// Takes the entry out, and its value away; its memory goes with the last reference.
  void erase(Entry* entry);
  bool full() const { return by_key_.size() >= view_.counters.capacity; }
  std::uint64_t size() const { return by_key_.size(); }

  /// Calls each(entry) for all entries, oldest first. each must not insert or erase.
  template <typename Each>
  void for_each_by_age(Each each) {
    for (auto& [id, entry] : by_id_) each(entry);
  }

  /// What the native policy knows of this store's objects.
  UseOrder& use_order() { return use_order_; }

 private:
  struct View {
    cache counters;  // first: a cache* is a View*
    Store* store;
  };

  View view_{};
  std::unordered_map<std::string_view, Entry*> by_key_;  // keys live in the entries
  std::map<std::uint64_t, Entry*> by_id_;  // ids grow, so this is the order of insertion
  UseOrder use_order_;
  std::uint64_t next_id_ = 1;
};

}  // namespace cached
