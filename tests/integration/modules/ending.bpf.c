/* Programs that are inside when their runtime ends: a policy, a timer that arms itself again, a work item that starts itself
 * again. All of them exchange what maps hold. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "GPL";

struct own {
  __u64 number;
  struct counted_thing __kptr *inner;
};
struct slot {
  struct counted_thing __kptr *owned;
  struct own __kptr *own;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct slot);
} slots SEC(".maps");

struct deferred {
  struct bpf_timer timer;
  struct bpf_wq work;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct deferred);
} deferreds SEC(".maps");

__u64 rung = 0, worked = 0;

static int exchange(__u32 at) {
  struct slot *slot = bpf_map_lookup_elem(&slots, &at);
  struct counted_thing *thing;
  struct own *own;

  if (!slot) return 1;
  thing = counted_thing_find(1);
  if (thing) thing = bpf_kptr_xchg(&slot->owned, thing);
  if (thing) counted_thing_put(thing);
  own = bpf_obj_new(struct own);
  if (!own) return 1;
  thing = counted_thing_find(1);
  if (thing) thing = bpf_kptr_xchg(&own->inner, thing);
  if (thing) counted_thing_put(thing);
  own = bpf_kptr_xchg(&slot->own, own);
  if (own) bpf_obj_drop(own);
  return 0;
}

/* host_swap() comes back when the host says so. */
SEC("struct_ops/choose")
__u64 BPF_PROG(choose, __u64 seed) {
  exchange(seed & 3);
  host_swap();
  exchange(seed & 3);
  return seed + 1;
}

SEC(".struct_ops.link")
struct policy_ops policy = {.choose = (void *)choose, .name = "ending"};

static int rings(void *map, __u32 *key, struct deferred *d) {
  exchange(0);
  __sync_fetch_and_add(&rung, 1);
  bpf_timer_start(&d->timer, 0, 0);
  return 0;
}
static int works(void *map, int *key, void *value) {
  struct deferred *d = value;

  exchange(1);
  __sync_fetch_and_add(&worked, 1);
  bpf_wq_start(&d->work, 0);
  return 0;
}

SEC("tc")
int arm(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct deferred *d = bpf_map_lookup_elem(&deferreds, &zero);

  if (!d || bpf_timer_init(&d->timer, &deferreds, 1 /* CLOCK_MONOTONIC */)) return 1;
  if (bpf_timer_set_callback(&d->timer, rings) || bpf_timer_start(&d->timer, 0, 0)) return 2;
  if (bpf_wq_init(&d->work, &deferreds, 0) || bpf_wq_set_callback(&d->work, works, 0)) return 3;
  return bpf_wq_start(&d->work, 0) ? 4 : 0;
}
