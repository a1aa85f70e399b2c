/* S3-FIFO: a small queue filters one-hit wonders, a main queue keeps what was asked for again, and a
 * ghost table of evicted keys lets a key that comes back go straight to the main queue.
 * After Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
 */
#include "cached_policy.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { SMALL = 0, MAIN = 1, MAX_FREQ = 3, MAX_STEPS = 64 };

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u64);
  __type(value, __u8);
} ghosts SEC(".maps");

/* Read by `bpftool map dump`: what the policy decided so far. */
struct {
  __u64 promoted;
  __u64 evicted_small;
  __u64 evicted_main;
  __u64 ghost_hits;
} stats;

SEC("struct_ops/s3_insert")
void BPF_PROG(s3_insert, struct cache *cache, struct cache_obj *obj)
{
  __u64 key = obj->key_hash;
  __u32 queue = SMALL;

  obj->freq = 0;
  if (bpf_map_lookup_elem(&ghosts, &key)) {
    bpf_map_delete_elem(&ghosts, &key);
    stats.ghost_hits++;
    queue = MAIN;
  }
  cache_list_push(cache, queue, obj, 0);
}

SEC("struct_ops/s3_hit")
void BPF_PROG(s3_hit, struct cache *cache, struct cache_obj *obj)
{
  if (obj->freq < MAX_FREQ)
    obj->freq++;
}

/* One step on the small queue: a victim's id, or 0 when an object was promoted or the queue is empty. */
static __u64 step_small(struct cache *cache)
{
  struct cache_obj *obj = cache_list_oldest(cache, SMALL);
  __u64 id = 0, key;
  __u8 seen = 1;

  if (!obj)
    return 0;
  if (obj->freq > 0) {
    obj->freq = 0;
    cache_list_push(cache, MAIN, obj, 0);
    stats.promoted++;
  } else {
    key = obj->key_hash;
    bpf_map_update_elem(&ghosts, &key, &seen, BPF_ANY);
    id = obj->id;
    stats.evicted_small++;
  }
  cache_obj_put(obj);
  return id;
}

/* One step on the main queue: a victim's id, or 0 when an object got a second chance. */
static __u64 step_main(struct cache *cache)
{
  struct cache_obj *obj = cache_list_oldest(cache, MAIN);
  __u64 id = 0;

  if (!obj)
    return 0;
  if (obj->freq > 0) {
    obj->freq--;
    cache_list_push(cache, MAIN, obj, 0);
  } else {
    id = obj->id;
    stats.evicted_main++;
  }
  cache_obj_put(obj);
  return id;
}

SEC("struct_ops/s3_evict")
__u64 BPF_PROG(s3_evict, struct cache *cache)
{
  __u64 small_target = cache->capacity / 10, id;
  int i;

  for (i = 0; i < MAX_STEPS; i++) {
    if (cache_list_length(cache, SMALL) > small_target || cache_list_length(cache, MAIN) == 0)
      id = step_small(cache);
    else
      id = step_main(cache);
    if (id)
      return id;
  }
  return 0;
}

SEC("struct_ops/s3_exit")
void BPF_PROG(s3_exit, struct cache_exit_info *info)
{
  bpf_printk("s3fifo leaves after %llu hits, %llu misses", info->hits, info->misses);
}

SEC(".struct_ops.link")
struct cache_policy_ops s3fifo = {
  .on_insert = (void *)s3_insert,
  .on_hit = (void *)s3_hit,
  .evict = (void *)s3_evict,
  .exit = (void *)s3_exit,
  .name = "s3fifo",
};
