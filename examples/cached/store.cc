#include "store.h"

#include <functional>

namespace cached {

Store::Store(std::uint64_t capacity) {
  view_.counters.capacity = capacity;
  view_.store = this;
}

Store::~Store() {
  for (auto& [id, entry] : by_id_) entry->release();
}

Store& Store::of(cache* c) { return *reinterpret_cast<View*>(c)->store; }

Entry* Store::find(std::string_view key) {
  auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : it->second;
}

Entry* Store::find_id(std::uint64_t id) {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

Entry* Store::insert(std::string_view key, std::string_view value) {
  auto* entry = new Entry;
  entry->key = key;
  entry->id = next_id_++;
  entry->key_hash = std::hash<std::string_view>()(key);
  set_value(entry, value);
  by_key_.emplace(entry->key, entry);
  by_id_.emplace(entry->id, entry);
  view_.counters.objects = by_key_.size();
  return entry;
}

void Store::set_value(Entry* entry, std::string_view value) {
  entry->value = value;
  entry->size = static_cast<std::uint32_t>(entry->key.size() + value.size());
}

void Store::erase(Entry* entry) {
  by_id_.erase(entry->id);
  by_key_.erase(entry->key);
  view_.counters.objects = by_key_.size();
  entry->gone = 1;
  entry->value = {};
  entry->release();
}

}  // namespace cached
