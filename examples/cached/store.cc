#include "store.h"

#include <functional>

namespace cached {

Store::Store(std::uint64_t capacity) {
  view_.counters.capacity = capacity;
  view_.store = this;
}

Store::~Store() {
  for (auto& [id, entry] : by_id_) {
    entry->list = -1;
    put(entry);
  }
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
  entry->obj.id = next_id_++;
  entry->obj.key_hash = std::hash<std::string_view>()(key);
  set_value(entry, value);
  by_key_.emplace(entry->key, entry);
  by_id_.emplace(entry->obj.id, entry);
  view_.counters.objects = by_key_.size();
  return entry;
}

void Store::set_value(Entry* entry, std::string_view value) {
  entry->value = value;
  entry->obj.size = static_cast<std::uint32_t>(entry->key.size() + value.size());
}

void Store::erase(Entry* entry) {
  list_remove(entry);
  by_id_.erase(entry->obj.id);
  by_key_.erase(entry->key);
  view_.counters.objects = by_key_.size();
  put(entry);
}

void Store::clear_lists() {
  for (auto& [id, entry] : by_id_) list_remove(entry);
}

void Store::put(Entry* entry) {
  if (--entry->refs == 0) delete entry;
}

void Store::list_push(std::uint32_t list, Entry* entry, bool oldest_end) {
  list_remove(entry);
  List& l = lists_[list];
  Entry*& near_end = oldest_end ? l.oldest : l.newest;
  Entry*& far_end = oldest_end ? l.newest : l.oldest;
  (oldest_end ? entry->newer : entry->older) = near_end;
  if (near_end != nullptr)
    (oldest_end ? near_end->older : near_end->newer) = entry;
  else
    far_end = entry;
  near_end = entry;
  entry->list = static_cast<std::int32_t>(list);
  ++l.length;
}

void Store::list_remove(Entry* entry) {
  if (entry->list < 0) return;
  List& l = lists_[entry->list];
  (entry->newer ? entry->newer->older : l.newest) = entry->older;
  (entry->older ? entry->older->newer : l.oldest) = entry->newer;
  entry->newer = entry->older = nullptr;
  entry->list = -1;
  --l.length;
}

}  // namespace cached
