#include "native_lru.h"

namespace cached {
namespace {

constexpr __u32 kAll = 0;

int init(cache*) { return 0; }
void touch(cache* c, cache_obj* obj) { cache_list_push(c, kAll, obj, 0); }
__u64 evict(cache* c) {
  cache_obj* victim = cache_list_oldest(c, kAll);
  if (victim == nullptr) return 0;
  const __u64 id = victim->id;
  cache_obj_put(victim);
  return id;
}
void on_remove(cache*, cache_obj*) {}  // the store takes it off its list
void exit(cache_exit_info*) {}

}  // namespace

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
