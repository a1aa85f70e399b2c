/* Refused: the host's functions run in an exchange of a weak slot. */
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

SEC("tc")
int exchange_locked(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct note *note = bpf_map_lookup_elem(&notes, &zero);
  struct counted_thing *old;

  if (!note) return 0;
  bpf_spin_lock(&note->lock);
  old = bpf_kptr_xchg(&note->weak, 0);
  bpf_spin_unlock(&note->lock);
  if (old) counted_thing_put(old);
  return 0;
}
