/* Programs that exchange, each many times a run, for stress. They return 0, if nothing else is said. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { TURNS = 1000 };

struct own {
  __u64 number;
  struct counted_thing __kptr *inner;
};

struct slot {
  struct counted_thing __kptr *owned;
  struct counted_thing __kptr_weak *weak;
  struct own __kptr *own;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct slot);
} slots SEC(".maps");

/* One element, so that what is deleted is used again at once. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct slot);
} reused SEC(".maps");

struct {
  __uint(type, RING3_OBJECT_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct slot);
} notes SEC(".maps");

/* In every eighth turn nothing goes in. False: there was nothing to be found. */
static int exchange_owned(struct slot *slot, __u32 turn) {
  struct counted_thing *thing = 0;

  if (turn % 8 == 7) {
    thing = bpf_kptr_xchg(&slot->owned, 0);
  } else {
    thing = counted_thing_find(1);
    if (!thing) return 0;
    thing = bpf_kptr_xchg(&slot->owned, thing);
  }
  if (thing) counted_thing_put(thing);
  return 1;
}

static int exchange_weak(struct slot *slot) {
  struct counted_thing *thing = counted_thing_find(1);

  if (!thing) return 0;
  thing = bpf_kptr_xchg(&slot->weak, thing);
  if (thing) counted_thing_put(thing);
  return 1;
}

static int exchange_own(struct slot *slot) {
  struct counted_thing *thing;
  struct own *own = bpf_obj_new(struct own);

  if (!own) return 0;
  thing = counted_thing_find(1);
  if (thing) {
    thing = bpf_kptr_xchg(&own->inner, thing);
    if (thing) counted_thing_put(thing);
  }
  own = bpf_kptr_xchg(&slot->own, own);
  if (own) bpf_obj_drop(own);
  return 1;
}

static int exchange_in(struct slot *slot, __u32 turn) {
  exchange_owned(slot, turn);
  if (turn % 16 == 0) exchange_weak(slot);
  if (turn % 4 == 0) exchange_own(slot);
  return 0;
}

static long owned_turn(__u32 i, void *missed) {
  __u32 zero = 0;
  struct slot *slot = bpf_map_lookup_elem(&slots, &zero);

  if (!slot) return 1;
  if (!exchange_owned(slot, i)) ++*(__u32 *)missed;
  return 0;
}
static long all_turn(__u32 i, void *unused) {
  __u32 zero = 0;
  struct slot *slot = bpf_map_lookup_elem(&slots, &zero);

  return !slot || exchange_in(slot, i);
}
static long reused_turn(__u32 i, void *unused) {
  struct slot *slot, empty = {};
  __u32 zero = 0;

  if (i % 4 == 0) bpf_map_delete_elem(&reused, &zero);
  if (i % 4 == 1) bpf_map_update_elem(&reused, &zero, &empty, BPF_ANY);
  slot = bpf_map_lookup_elem(&reused, &zero);
  return slot ? exchange_in(slot, i) : 0;
}
static long noted_turn(__u32 i, void *unused) {
  struct counted_thing *thing = counted_thing_find(1);
  struct slot *slot;

  if (!thing) return 0;
  if (i % 32 == 0) ring3_storage_delete(&notes, thing);
  slot = ring3_storage_get(&notes, thing, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  counted_thing_put(thing);
  return slot ? exchange_in(slot, i) : 0;
}

/* Returns in how many turns nothing was found. */
SEC("tc")
int owned(struct __sk_buff *skb) {
  __u32 missed = 0;

  return bpf_loop(TURNS, owned_turn, &missed, 0) == TURNS ? missed : TURNS;
}
SEC("tc")
int all(struct __sk_buff *skb) { return bpf_loop(TURNS, all_turn, 0, 0) != TURNS; }
SEC("tc")
int reuse(struct __sk_buff *skb) { return bpf_loop(TURNS, reused_turn, 0, 0) != TURNS; }
SEC("tc")
int note(struct __sk_buff *skb) { return bpf_loop(TURNS, noted_turn, 0, 0) != TURNS; }
