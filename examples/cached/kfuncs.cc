// What a policy may call. The verifier has checked every pointer: it is the cache, or an object of it that the
// policy was given or holds a reference to. All of it runs on the cache's own thread.
#include <cerrno>

#include "store.h"

namespace {
cached::Entry* entry_of(cache_obj* obj) { return reinterpret_cast<cached::Entry*>(obj); }
}  // namespace

extern "C" {

int cache_list_push(cache* c, __u32 list, cache_obj* obj, __u32 oldest_end) {
  if (list >= CACHE_LISTS) return -EINVAL;
  cached::Store::of(c).list_push(list, entry_of(obj), oldest_end != 0);
  return 0;
}

void cache_list_remove(cache* c, cache_obj* obj) { cached::Store::of(c).list_remove(entry_of(obj)); }

cache_obj* cache_list_oldest(cache* c, __u32 list) {
  if (list >= CACHE_LISTS) return nullptr;
  cached::Entry* entry = cached::Store::of(c).list_oldest(list);
  if (entry == nullptr) return nullptr;
  cached::Store::get(entry);
  return &entry->obj;
}

__u64 cache_list_length(cache* c, __u32 list) {
  return list < CACHE_LISTS ? cached::Store::of(c).list_length(list) : 0;
}

void cache_obj_put(cache_obj* obj) { cached::Store::put(entry_of(obj)); }

}  // extern "C"
