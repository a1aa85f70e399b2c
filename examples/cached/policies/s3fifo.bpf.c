/* S3-FIFO: a small queue filters one-hit wonders, a main queue keeps what was asked for again, and a
 * ghost table of evicted keys lets a key that comes back go straight to the main queue.
 * After Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
 *
 * The queues are lists of this program's own objects, each of which owns a reference to one object of the host's. An object
 * that leaves the cache otherwise than by evict() stays in its queue, marked as gone, until a queue's head or a sweep drops it.
 */
#include "cached_policy.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { SMALL = 0, MAIN = 1, MAX_FREQ = 3, MAX_STEPS = 64, SWEEP_FROM = 64 };

struct entry {
  struct bpf_list_node node;
  struct cache_obj __kptr *obj;
};

struct queues {
  struct bpf_spin_lock lock;
  struct bpf_list_head small __contains(entry, node);
  struct bpf_list_head main __contains(entry, node);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct queues);
} queues SEC(".maps");

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

/* How many entries the queues have, and how many of them are gone. */
__u64 length[2], gone;

static struct queues *the_queues(void)
{
  __u32 zero = 0;

  return bpf_map_lookup_elem(&queues, &zero);
}

/* queue is known when this is compiled. */
static __always_inline void push(struct queues *q, int queue, struct entry *e)
{
  bpf_spin_lock(&q->lock);
  bpf_list_push_back(queue == SMALL ? &q->small : &q->main, &e->node);
  bpf_spin_unlock(&q->lock);
  length[queue]++;
}

static __always_inline struct entry *pop(struct queues *q, int queue)
{
  struct bpf_list_node *node;

  bpf_spin_lock(&q->lock);
  node = bpf_list_pop_front(queue == SMALL ? &q->small : &q->main);
  bpf_spin_unlock(&q->lock);
  if (!node)
    return 0;
  length[queue]--;
  return container_of(node, struct entry, node);
}

/* What the entry refers to; the entry itself ends. */
static __always_inline struct cache_obj *open(struct entry *e)
{
  struct cache_obj *obj = bpf_kptr_xchg(&e->obj, 0);

  bpf_obj_drop(e);
  return obj;
}

/* The reference goes into a new entry at the end of a queue, or is given back. */
static __always_inline void enqueue(struct queues *q, int queue, struct cache_obj *obj)
{
  struct entry *e = bpf_obj_new(struct entry);
  struct cache_obj *old;

  if (!e) {
    cache_obj_put(obj);
    return;
  }
  old = bpf_kptr_xchg(&e->obj, obj);
  if (old)
    cache_obj_put(old);
  push(q, queue, e);
}

SEC("struct_ops/s3_insert")
void BPF_PROG(s3_insert, struct cache *cache, struct cache_obj *obj)
{
  struct queues *q = the_queues();
  __u64 key = obj->key_hash;
  struct cache_obj *ref;

  if (!q)
    return;
  obj->freq = 0;
  ref = cache_obj_get(obj);
  if (!ref)
    return;
  if (bpf_map_delete_elem(&ghosts, &key) == 0) {
    stats.ghost_hits++;
    enqueue(q, MAIN, ref);
  } else {
    enqueue(q, SMALL, ref);
  }
}

SEC("struct_ops/s3_hit")
void BPF_PROG(s3_hit, struct cache *cache, struct cache_obj *obj)
{
  if (obj->freq < MAX_FREQ)
    obj->freq++;
}

/* The queue's oldest object, owned; null when it is empty, or the object had gone. */
static __always_inline struct cache_obj *take(struct queues *q, int which)
{
  struct entry *e = pop(q, which);
  struct cache_obj *obj;

  if (!e)
    return 0;
  obj = open(e);
  if (obj && obj->gone) {
    cache_obj_put(obj);
    gone--;
    return 0;
  }
  return obj;
}

/* One step on the small queue: a victim's id, or 0 when an object was promoted, or had gone, or the queue is empty. */
static __always_inline __u64 step_small(struct queues *q)
{
  struct cache_obj *obj = take(q, SMALL);
  __u64 id, key;
  __u8 seen = 1;

  if (!obj)
    return 0;
  if (obj->freq > 0) {
    obj->freq = 0;
    stats.promoted++;
    enqueue(q, MAIN, obj);
    return 0;
  }
  key = obj->key_hash;
  bpf_map_update_elem(&ghosts, &key, &seen, BPF_ANY);
  stats.evicted_small++;
  id = obj->id;
  cache_obj_put(obj);
  return id;
}

/* One step on the main queue: a victim's id, or 0 when an object got a second chance, or had gone. */
static __always_inline __u64 step_main(struct queues *q)
{
  struct cache_obj *obj = take(q, MAIN);
  __u64 id;

  if (!obj)
    return 0;
  if (obj->freq > 0) {
    obj->freq--;
    enqueue(q, MAIN, obj);
    return 0;
  }
  stats.evicted_main++;
  id = obj->id;
  cache_obj_put(obj);
  return id;
}

struct choice {
  __u64 small_target;
  __u64 victim;
};

static long choose(__u32 i, struct choice *choice)
{
  struct queues *q = the_queues();

  if (!q)
    return 1;
  if (length[SMALL] > choice->small_target || length[MAIN] == 0)
    choice->victim = step_small(q);
  else
    choice->victim = step_main(q);
  return choice->victim != 0;
}

SEC("struct_ops/s3_evict")
__u64 BPF_PROG(s3_evict, struct cache *cache)
{
  struct choice choice = { .small_target = cache->capacity / 10 };

  bpf_loop(MAX_STEPS, choose, &choice, 0);
  return choice.victim;
}

/* A whole turn of a queue keeps its order and loses what has gone. */
static __always_inline long turn(int queue)
{
  struct queues *q = the_queues();
  struct cache_obj *obj;
  struct entry *e;

  if (!q)
    return 1;
  e = pop(q, queue);
  if (!e)
    return 1;
  obj = open(e);
  if (!obj)
    return 0;
  if (obj->gone) {
    cache_obj_put(obj);
    gone--;
  } else {
    enqueue(q, queue, obj);
  }
  return 0;
}

static long turn_small(__u32 i, void *unused) { return turn(SMALL); }
static long turn_main(__u32 i, void *unused) { return turn(MAIN); }

SEC("struct_ops/s3_remove")
void BPF_PROG(s3_remove, struct cache *cache, struct cache_obj *obj)
{
  if (++gone < SWEEP_FROM || gone < (length[SMALL] + length[MAIN]) / 2)
    return;
  bpf_loop(length[SMALL], turn_small, 0, 0);
  bpf_loop(length[MAIN], turn_main, 0, 0);
}

static long drop_first(__u32 i, void *unused)
{
  struct queues *q = the_queues();
  struct entry *e;

  if (!q)
    return 1;
  e = pop(q, SMALL);
  if (!e)
    e = pop(q, MAIN);
  if (!e)
    return 1;
  bpf_obj_drop(e); /* and with it the reference it owns */
  return 0;
}

/* Not for the first time, perhaps. */
SEC("struct_ops/s3_init")
int BPF_PROG(s3_init, struct cache *cache)
{
  bpf_loop(length[SMALL] + length[MAIN], drop_first, 0, 0);
  gone = 0;
  return 0;
}

SEC("struct_ops/s3_exit")
void BPF_PROG(s3_exit, struct cache_exit_info *info)
{
  bpf_printk("s3fifo leaves after %llu hits, %llu misses", info->hits, info->misses);
}

SEC(".struct_ops.link")
struct cache_policy_ops s3fifo = {
  .init = (void *)s3_init,
  .on_insert = (void *)s3_insert,
  .on_hit = (void *)s3_hit,
  .evict = (void *)s3_evict,
  .on_remove = (void *)s3_remove,
  .exit = (void *)s3_exit,
  .name = "s3fifo",
};
