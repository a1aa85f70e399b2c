/* Least recently used: a tree of objects by the time of their last use, as far as the tree knows. A use only writes the
 * object's own note; who is first in the tree, but was used since, moves to its place when a victim is looked for. So the
 * first that was not used since is the least recently used of all.
 */
#include "cached_policy.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { SWEEP_FROM = 64 };

struct use {
  __u64 round; /* of sweeping: earlier rounds stand before later ones */
  __u64 when;
  struct bpf_rb_node node;
  struct cache_obj __kptr *obj;
};

struct order {
  struct bpf_spin_lock lock;
  struct bpf_rb_root uses __contains(use, node);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct order);
} orders SEC(".maps");

__u64 clock, this_round, length, gone;

static struct order *the_order(void)
{
  __u32 zero = 0;

  return bpf_map_lookup_elem(&orders, &zero);
}

static _Bool earlier(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
  const struct use *x = container_of(a, struct use, node), *y = container_of(b, struct use, node);

  return x->round < y->round || (x->round == y->round && x->when < y->when);
}

static __always_inline void add(struct order *o, struct use *use)
{
  bpf_spin_lock(&o->lock);
  bpf_rbtree_add(&o->uses, &use->node, earlier);
  bpf_spin_unlock(&o->lock);
  length++;
}

static __always_inline struct use *take_first(struct order *o)
{
  struct bpf_rb_node *first;

  bpf_spin_lock(&o->lock);
  first = bpf_rbtree_first(&o->uses);
  if (!first) {
    bpf_spin_unlock(&o->lock);
    return 0;
  }
  first = bpf_rbtree_remove(&o->uses, first);
  bpf_spin_unlock(&o->lock);
  if (!first)
    return 0;
  length--;
  return container_of(first, struct use, node);
}

SEC("struct_ops/lru_insert")
void BPF_PROG(lru_insert, struct cache *cache, struct cache_obj *obj)
{
  struct order *o = the_order();
  struct cache_obj *ref;
  struct use *use;

  if (!o)
    return;
  use = bpf_obj_new(struct use);
  if (!use)
    return;
  obj->note[0] = ++clock;
  use->round = this_round;
  use->when = clock;
  ref = cache_obj_get(obj);
  if (!ref) {
    bpf_obj_drop(use);
    return;
  }
  ref = bpf_kptr_xchg(&use->obj, ref);
  if (ref)
    cache_obj_put(ref);
  add(o, use);
}

SEC("struct_ops/lru_hit")
void BPF_PROG(lru_hit, struct cache *cache, struct cache_obj *obj)
{
  obj->note[0] = ++clock;
}

/* The first use goes, or goes to a later place. next_round: nobody is a victim. */
static __always_inline long step(__u64 *victim, int next_round)
{
  struct order *o = the_order();
  struct cache_obj *obj;
  struct use *use;

  if (!o)
    return 1;
  use = take_first(o);
  if (!use)
    return 1;
  obj = bpf_kptr_xchg(&use->obj, 0);
  if (!obj) {
    bpf_obj_drop(use);
    return 0;
  }
  if (obj->gone) {
    gone--;
    cache_obj_put(obj);
    bpf_obj_drop(use);
    return 0;
  }
  if (!next_round && obj->note[0] == use->when) {
    *victim = obj->id;
    cache_obj_put(obj);
    bpf_obj_drop(use);
    return 1;
  }
  use->round = this_round + next_round;
  use->when = obj->note[0];
  obj = bpf_kptr_xchg(&use->obj, obj);
  if (obj)
    cache_obj_put(obj);
  add(o, use);
  return 0;
}

static long find_victim(__u32 i, __u64 *victim) { return step(victim, 0); }
static long move_on(__u32 i, __u64 *unused) { return step(unused, 1); }

SEC("struct_ops/lru_evict")
__u64 BPF_PROG(lru_evict, struct cache *cache)
{
  __u64 victim = 0;

  bpf_loop(length + 1, find_victim, &victim, 0);
  return victim;
}

SEC("struct_ops/lru_remove")
void BPF_PROG(lru_remove, struct cache *cache, struct cache_obj *obj)
{
  __u64 unused = 0;

  if (++gone < SWEEP_FROM || gone < length / 2)
    return;
  bpf_loop(length, move_on, &unused, 0);
  this_round++;
}

static long drop_first(__u32 i, void *unused)
{
  struct order *o = the_order();
  struct use *use;

  if (!o)
    return 1;
  use = take_first(o);
  if (!use)
    return 1;
  bpf_obj_drop(use); /* and with it the reference it owns */
  return 0;
}

/* Not for the first time, perhaps. */
SEC("struct_ops/lru_init")
int BPF_PROG(lru_init, struct cache *cache)
{
  bpf_loop(length, drop_first, 0, 0);
  gone = 0;
  return 0;
}

SEC(".struct_ops.link")
struct cache_policy_ops lru = {
  .init = (void *)lru_init,
  .on_insert = (void *)lru_insert,
  .on_hit = (void *)lru_hit,
  .evict = (void *)lru_evict,
  .on_remove = (void *)lru_remove,
  .name = "lru",
};
