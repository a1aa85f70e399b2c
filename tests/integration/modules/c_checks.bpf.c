/* Programs of the C checks: kptr fields as the verifier sees them. Each is loaded alone; libbpf_c_checks_test.cc says
 * what comes of it. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct own {
  __u64 number;
};

struct value {
  __u64 before;
  struct counted_thing __kptr_untrusted *copy;
  struct counted_thing __kptr *owned;
  struct counted_thing __kptr *other;
  struct own __percpu_kptr *percpu;
  struct own __kptr *mine;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct value);
} values SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct value));
} untyped SEC(".maps");

struct node {
  struct bpf_list_node node;
};
struct shelf {
  struct bpf_spin_lock lock;
  struct bpf_list_head list __contains(node, node);
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct shelf);
} shelves SEC(".maps");

struct locked {
  struct bpf_spin_lock lock;
  __u32 number;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct locked);
} locks SEC(".maps");

static __always_inline struct value *the_value(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&values, &zero);
}

/* C-11: stores to an untrusted field. */
SEC("tc")
int store_other_type(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct thing *thing;

  if (!v) return 1;
  thing = thing_get(1);
  if (!thing) return 1;
  v->copy = (void *)thing;
  thing_put(thing);
  return 0;
}

SEC("tc")
int store_same_type(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = counted_thing_find(1);
  if (!thing) return 1;
  v->copy = thing;
  counted_thing_put(thing);
  return 0;
}

SEC("tc")
int store_null(struct __sk_buff *skb) {
  struct value *v = the_value();

  if (v) v->copy = 0;
  return 0;
}

SEC("tc")
int store_one(struct __sk_buff *skb) {
  struct value *v = the_value();

  if (v) v->copy = (void *)1;
  return 0;
}

/* C-12 */
SEC("tc")
int store_to_owned(struct __sk_buff *skb) {
  struct value *v = the_value();

  if (v) v->owned = 0;
  return 0;
}

/* C-13: accesses that are not the field. */
SEC("tc")
int load_half(struct __sk_buff *skb) {
  struct value *v = the_value();

  return v ? *(volatile __u32 *)&v->copy : 0;
}

SEC("tc")
int load_askew(struct __sk_buff *skb) {
  struct value *v = the_value();

  return v ? *(volatile __u64 *)((char *)&v->copy + 1) != 0 : 0;
}

SEC("tc")
int load_somewhere(struct __sk_buff *skb) {
  struct value *v = the_value();
  __u32 at = skb->len & 8;

  return v ? *(volatile __u64 *)((char *)v + at) != 0 : 0;
}

SEC("tc")
int add_atomically(struct __sk_buff *skb) {
  struct value *v = the_value();

  if (v) __sync_fetch_and_add((__u64 *)&v->copy, 1);
  return 0;
}

/* C-14: what an untrusted field gives. */
SEC("tc")
int read_untested(struct __sk_buff *skb) {
  struct value *v = the_value();

  return v ? (int)v->copy->id : 0;
}

SEC("tc")
int read_tested(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = v->copy;
  return thing ? (int)thing->id : 0;
}

SEC("tc")
int pass_untrusted(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = v->copy;
  if (!thing) return 0;
  thing = counted_thing_get(thing);
  if (thing) counted_thing_put(thing);
  return 0;
}

/* C-15: programs that may sleep. */
SEC("syscall")
int outside_section(void *ctx) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = v->owned;
  if (!thing) return 0;
  thing = counted_thing_get(thing);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("syscall")
int inside_section(void *ctx) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  bpf_rcu_read_lock();
  thing = v->owned;
  if (thing) thing = counted_thing_get(thing);
  bpf_rcu_read_unlock();
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("syscall")
int inside_untested(void *ctx) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  bpf_rcu_read_lock();
  thing = counted_thing_get(v->owned);
  bpf_rcu_read_unlock();
  if (thing) counted_thing_put(thing);
  return 0;
}

/* C-16: what may go in. */
SEC("tc")
int exchange_unowned(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = v->other;
  if (!thing) return 0;
  thing = bpf_kptr_xchg(&v->owned, thing);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_owned(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = counted_thing_find(1);
  if (!thing) return 0;
  thing = bpf_kptr_xchg(&v->owned, thing);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_null(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = bpf_kptr_xchg(&v->owned, 0);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_other_type(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct thing *thing;

  if (!v) return 1;
  thing = thing_get(1);
  if (!thing) return 0;
  thing = bpf_kptr_xchg(&v->owned, thing);
  if (thing) counted_thing_put((void *)thing);
  return 0;
}

SEC("tc")
int exchange_inner(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct own *own;

  if (!v) return 1;
  own = bpf_obj_new(struct own);
  if (!own) return 0;
  own = bpf_kptr_xchg(&v->mine, (char *)own + 4);
  if (own) bpf_obj_drop(own);
  return 0;
}

/* C-17: what comes out. */
SEC("tc")
int ignore_old(struct __sk_buff *skb) {
  struct value *v = the_value();

  if (v) bpf_kptr_xchg(&v->owned, 0);
  return 0;
}

SEC("tc")
int keep_old(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = bpf_kptr_xchg(&v->owned, 0);
  if (!thing) return 0;
  thing = bpf_kptr_xchg(&v->other, thing);
  if (thing) counted_thing_put(thing);
  return 0;
}

/* C-18: where. */
SEC("tc")
int exchange_copy(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = bpf_kptr_xchg(&v->copy, 0);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_number(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = bpf_kptr_xchg(&v->before, 0);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_somewhere(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct counted_thing *thing;
  __u32 at = skb->len & 8;

  if (!v) return 1;
  thing = bpf_kptr_xchg((char *)v + at, 0);
  if (thing) counted_thing_put(thing);
  return 0;
}

SEC("tc")
int exchange_untyped(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct value *v = bpf_map_lookup_elem(&untyped, &zero);
  struct counted_thing *thing;

  if (!v) return 1;
  thing = bpf_kptr_xchg(&v->owned, 0);
  if (thing) counted_thing_put(thing);
  return 0;
}

/* C-26 */
SEC("tc")
int percpu_with_normal(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct own *own;

  if (!v) return 1;
  own = bpf_obj_new(struct own);
  if (!own) return 1;
  own = bpf_kptr_xchg(&v->percpu, own);
  if (own) bpf_percpu_obj_drop(own);
  return 0;
}

SEC("tc")
int percpu_use(struct __sk_buff *skb) {
  struct value *v = the_value();
  struct own *own;

  if (!v) return 1;
  own = bpf_percpu_obj_new(struct own);
  if (!own) return 1;
  own = bpf_kptr_xchg(&v->percpu, own);
  if (own) bpf_percpu_obj_drop(own);
  own = v->percpu;
  if (!own) return 1;
  own = bpf_this_cpu_ptr(own);
  own->number = 3;
  return 0;
}

/* C-29: programs that may run anywhere. The first one is here so that the BTF has the list's element. */
SEC("tc")
int list_in_classifier(struct __sk_buff *skb) {
  struct node *node = bpf_obj_new(struct node);

  if (node) bpf_obj_drop(node);
  return 0;
}

SEC("kprobe")
int list_in_kprobe(void *ctx) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&shelves, &zero) != 0;
}

SEC("socket")
int lock_in_filter(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct locked *l = bpf_map_lookup_elem(&locks, &zero);

  if (!l) return 0;
  bpf_spin_lock(&l->lock);
  l->number++;
  bpf_spin_unlock(&l->lock);
  return 0;
}

/* C-35 */
SEC("tc")
int helper_over_field(struct __sk_buff *skb) {
  struct value *v = the_value();

  return v ? bpf_skb_load_bytes(skb, 0, v, 16) : 0;
}
