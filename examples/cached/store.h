// The cache: keys, values, and the lists on which an eviction policy orders its objects.
//
// One thread (the event loop) owns a Store; policies run on that thread inside the request that
// concerns them. A policy sees cache and cache_obj of cached_policy.h, never keys or values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cached_policy.h"

namespace cached {

/// An object with what the policy may not see. `obj` comes first: a cache_obj* is an Entry*.
struct Entry {
  cache_obj obj{};
  std::uint32_t refs = 1;  // the store's own, plus what policies hold
  std::int32_t list = -1;  // which policy list, -1: none
  Entry* newer = nullptr;  // on that list
  Entry* older = nullptr;
  std::string key, value;
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
  /// The key must be absent. The entry is on no list.
  Entry* insert(std::string_view key, std::string_view value);
  void set_value(Entry* entry, std::string_view value);
  /// Takes the entry out; its memory goes with the last reference.
  void erase(Entry* entry);
  bool full() const { return by_key_.size() >= view_.counters.capacity; }
  std::uint64_t size() const { return by_key_.size(); }

  /// list < CACHE_LISTS. Appends at the newest end, or at the oldest; leaves the list the entry was on.
  void list_push(std::uint32_t list, Entry* entry, bool oldest_end);
  void list_remove(Entry* entry);
  Entry* list_oldest(std::uint32_t list) const { return lists_[list].oldest; }
  std::uint64_t list_length(std::uint32_t list) const { return lists_[list].length; }

  void clear_lists();
  /// Calls each(entry) for all entries, oldest first. each must not insert or erase.
  template <typename Each>
  void for_each_by_age(Each each) {
    for (auto& [id, entry] : by_id_) each(entry);
  }

  static void get(Entry* entry) { ++entry->refs; }
  static void put(Entry* entry);

 private:
  struct List {
    Entry* newest = nullptr;
    Entry* oldest = nullptr;
    std::uint64_t length = 0;
  };
  struct View {
    cache counters;  // first: a cache* is a View*
    Store* store;
  };

  View view_{};
  std::unordered_map<std::string_view, Entry*> by_key_;  // keys live in the entries
  std::map<std::uint64_t, Entry*> by_id_;  // ids grow, so this is the order of insertion
  List lists_[CACHE_LISTS];
  std::uint64_t next_id_ = 1;
};

}  // namespace cached
