/* Least recently used, on one list. */
#include "cached_policy.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { ALL = 0 };

SEC("struct_ops/lru_insert")
void BPF_PROG(lru_insert, struct cache *cache, struct cache_obj *obj)
{
  cache_list_push(cache, ALL, obj, 0);
}

SEC("struct_ops/lru_hit")
void BPF_PROG(lru_hit, struct cache *cache, struct cache_obj *obj)
{
  cache_list_push(cache, ALL, obj, 0);
}

SEC("struct_ops/lru_evict")
__u64 BPF_PROG(lru_evict, struct cache *cache)
{
  struct cache_obj *victim = cache_list_oldest(cache, ALL);
  __u64 id;

  if (!victim)
    return 0;
  id = victim->id;
  cache_obj_put(victim);
  return id;
}

SEC(".struct_ops.link")
struct cache_policy_ops lru = {
  .on_insert = (void *)lru_insert,
  .on_hit = (void *)lru_hit,
  .evict = (void *)lru_evict,
  .name = "lru",
};
