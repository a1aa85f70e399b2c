#include "cache.h"

#include <cstdio>

namespace cached {
namespace {

/// One thread writes: no read-modify-write is needed.
void add(std::atomic<std::uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

double ratio(std::uint64_t hits, std::uint64_t misses) {
  return hits + misses == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(hits + misses);
}

void line(std::string& text, const char* name, std::uint64_t value) {
  text.append(name).append(":").append(std::to_string(value)).append("\r\n");
}

void ratio_line(std::string& text, const char* name, double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.4f", value);
  text.append(name).append(":").append(digits).append("\r\n");
}

}  // namespace

const std::string* Cache::get(std::string_view key) {
  const PolicySeat::Turn policy(seat_);
  cache* view = store_.view();
  Entry* entry = store_.find(key);
  if (entry == nullptr) {
    ++view->misses;
    add(policy.tenure().misses);
    return nullptr;
  }
  ++view->hits;
  add(policy.tenure().hits);
  policy->on_hit(view, entry);
  return &entry->value;
}

void Cache::set(std::string_view key, std::string_view value) {
  const PolicySeat::Turn policy(seat_);
  if (Entry* entry = store_.find(key)) {
    store_.set_value(entry, value);
    policy->on_hit(store_.view(), entry);
    return;
  }
  make_room(policy);
  policy->on_insert(store_.view(), store_.insert(key, value));
}

bool Cache::erase(std::string_view key) {
  const PolicySeat::Turn policy(seat_);
  Entry* entry = store_.find(key);
  if (entry == nullptr) return false;
  policy->on_remove(store_.view(), entry);
  store_.erase(entry);
  return true;
}

void Cache::make_room(const PolicySeat::Turn& policy) {
  while (store_.full()) {
    const std::uint64_t id = policy->evict(store_.view());
    Entry* victim = id == 0 ? nullptr : store_.find_id(id);
    if (victim == nullptr) {
      // A policy cannot stop the cache: it gets a choice, not a veto.
      if (id != 0) ++policy.tenure().bad_choices;
      victim = store_.oldest();
      policy->on_remove(store_.view(), victim);
    }
    add(policy.tenure().evictions);
    ++evictions_;
    store_.erase(victim);
  }
}

std::string Cache::describe() {
  const PolicySeat::Turn policy(seat_);
  const cache* view = store_.view();
  const Tenure& tenure = policy.tenure();
  std::string text = "# cache\r\n";
  line(text, "capacity", view->capacity);
  line(text, "objects", view->objects);
  line(text, "objects_alive", Entry::alive.load(std::memory_order_relaxed));
  line(text, "hits", view->hits);
  line(text, "misses", view->misses);
  ratio_line(text, "hit_ratio", ratio(view->hits, view->misses));
  line(text, "evictions", evictions_);
  text.append("\r\n# policy\r\npolicy:").append(policy->name).append("\r\n");
  line(text, "policy_takeovers", seat_.takeovers());
  line(text, "policy_hits", tenure.hits);
  line(text, "policy_misses", tenure.misses);
  ratio_line(text, "policy_hit_ratio", ratio(tenure.hits, tenure.misses));
  line(text, "policy_evictions", tenure.evictions);
  line(text, "policy_bad_choices", tenure.bad_choices);
  return text;
}

}  // namespace cached
