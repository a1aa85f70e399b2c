/* Weak pointers to the host's counted things. Each program returns 0, or the number of the line that went wrong. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CHECK(c) \
  if (!(c)) return __LINE__

struct note {
  __u64 seen;
  struct counted_thing __kptr_weak *weak;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct note);
} notes SEC(".maps");

/* Objects of the program's own have such fields too. */
struct own {
  struct counted_thing __kptr_weak *weak;
};
struct keep {
  struct own __kptr *own;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct keep);
} keeps SEC(".maps");

static struct note *the_note(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&notes, &zero);
}

SEC("tc")
int remember(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *thing, *old;

  CHECK(note);
  thing = counted_thing_find(1);
  CHECK(thing);
  old = bpf_kptr_xchg(&note->weak, thing);
  if (old) counted_thing_put(old);
  return 0;
}

/* 0: it is there, and what it says was read. */
SEC("tc")
int look(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *thing, *owned;

  CHECK(note);
  thing = note->weak;
  CHECK(thing);
  note->seen = thing->id;
  owned = counted_thing_get(thing);
  CHECK(owned);
  counted_thing_put(owned);
  return 0;
}

/* 0: it was there, and nothing is there any more. */
SEC("tc")
int forget(struct __sk_buff *skb) {
  struct note *note = the_note();
  struct counted_thing *old;

  CHECK(note);
  old = bpf_kptr_xchg(&note->weak, 0);
  CHECK(old);
  note->seen = old->id;
  counted_thing_put(old);
  CHECK(!note->weak);
  return 0;
}

SEC("tc")
int remember_in_own(struct __sk_buff *skb) {
  struct counted_thing *thing, *old;
  struct keep *keep;
  struct own *own;
  __u32 zero = 0;

  keep = bpf_map_lookup_elem(&keeps, &zero);
  CHECK(keep);
  own = bpf_obj_new(struct own);
  CHECK(own);
  thing = counted_thing_find(1);
  if (!thing) {
    bpf_obj_drop(own);
    return __LINE__;
  }
  old = bpf_kptr_xchg(&own->weak, thing);
  if (old) counted_thing_put(old);
  own = bpf_kptr_xchg(&keep->own, own);
  if (own) bpf_obj_drop(own);
  return 0;
}
