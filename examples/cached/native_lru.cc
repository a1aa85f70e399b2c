#include "native_lru.h"

#include "store.h"

namespace cached {
namespace {

UseOrder& order_of(cache* c) { return Store::of(c).use_order(); }

int init(cache* c) {
  order_of(c).clear();
  return 0;
}
void touch(cache* c, cache_obj* obj) { order_of(c).touch(obj); }
__u64 evict(cache* c) {
  cache_obj* victim = order_of(c).least_recent();
  if (victim == nullptr) return 0;
  order_of(c).remove(victim);
  return victim->id;
}
void on_remove(cache* c, cache_obj* obj) { order_of(c).remove(obj); }
void exit(cache_exit_info*) {}

}  // namespace

void UseOrder::touch(cache_obj* obj) {
  remove(obj);
  obj->note[0] = ++clock_;
  by_use_.emplace(obj->note[0], obj);
}

void UseOrder::remove(cache_obj* obj) {
  const auto it = by_use_.find(obj->note[0]);
  if (it != by_use_.end() && it->second == obj) by_use_.erase(it);
}

const cache_policy_ops kNativeLru = {
    .init = init,
    .on_insert = touch,
    .on_hit = touch,
    .evict = evict,
    .on_remove = on_remove,
    .exit = exit,
    .name = "native_lru",
};

}  // namespace cached
