/* What a policy for cached is: one header for the C++ host, for BPF plug-ins, and for the BTF that
 * clients see. Everything a policy may touch is declared here.
 */
#ifndef CACHED_POLICY_H
#define CACHED_POLICY_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CACHE_POLICY_NAME_LEN = 16 };

/* The cache. Read-only for policies. */
struct cache {
  __u64 capacity; /* objects it may hold */
  __u64 objects;  /* objects it holds */
  __u64 hits;
  __u64 misses;
};

/* One cached object. A policy may write freq and note, which are zero when it takes over; the rest is the host's. References
 * to it may be kept (struct cache_obj __kptr *), also beyond its time in the cache: then `gone` is set, and only the policy
 * keeps the memory. */
struct cache_obj {
  __u64 id; /* positive, never reused */
  __u64 key_hash;
  __u32 size; /* bytes of key and value */
  __u32 freq;
  __u64 note[2];
  __u32 gone; /* it has left the cache */
};

struct cache_exit_info {
  __u64 hits; /* while this policy was in charge */
  __u64 misses;
  __u64 evictions;
};

/* An eviction policy. Every member runs on the cache's own thread, except exit. */
struct cache_policy_ops {
  /* The policy takes over, perhaps not for the first time: on_insert follows for every object already cached, oldest
   * first. Nonzero: the policy declines, and the cache goes back to its fallback. */
  int (*init)(struct cache *cache);
  void (*on_insert)(struct cache *cache, struct cache_obj *obj);
  void (*on_hit)(struct cache *cache, struct cache_obj *obj);
  /* Required. The id of the object to evict; on_remove is not called for it. 0 leaves the choice to the host, which
   * takes the object that was inserted first. */
  __u64 (*evict)(struct cache *cache);
  void (*on_remove)(struct cache *cache, struct cache_obj *obj);
  /* The policy is gone: called once after the last other member has returned. */
  void (*exit)(struct cache_exit_info *info);
  char name[CACHE_POLICY_NAME_LEN];
} RING3_STRUCT_OPS;

/* One more reference to an object that the policy was given; null when there is none to be had. It is stored with
 * bpf_kptr_xchg() or given back with cache_obj_put(). */
struct cache_obj *cache_obj_get(struct cache_obj *obj) RING3_KFUNC;
void cache_obj_put(struct cache_obj *obj) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
