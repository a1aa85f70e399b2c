/* What is refused about weak slots. Each program is loaded alone. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct note {
  struct bpf_spin_lock lock;
  struct counted_thing __kptr_weak *weak;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct note);
} notes SEC(".maps");

static __always_inline struct note *the_note(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&notes, &zero);
}

/* A slot is filled by exchange only. */
SEC("tc")
int store(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *thing;

  if (!note) return 0;
  thing = counted_thing_find(1);
  if (!thing) return 0;
  note->weak = thing;
  counted_thing_put(thing);
  return 0;
}

/* The host's functions run in an exchange. */
SEC("tc")
int exchange_locked(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *old;

  if (!note) return 0;
  bpf_spin_lock(&note->lock);
  old = bpf_kptr_xchg(&note->weak, 0);
  bpf_spin_unlock(&note->lock);
  if (old) counted_thing_put(old);
  return 0;
}

/* What a slot shows is nobody's to give back. */
SEC("tc")
int put_unowned(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *thing;

  if (!note) return 0;
  thing = note->weak;
  if (thing) counted_thing_put(thing);
  return 0;
}
