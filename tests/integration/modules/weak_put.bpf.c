/* Refused: what a weak slot shows is nobody's to give back. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct note {
  struct counted_thing __kptr_weak *weak;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct note);
} notes SEC(".maps");

SEC("tc")
int put_unowned(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct note *note = bpf_map_lookup_elem(&notes, &zero);
  struct counted_thing *thing;

  if (!note) return 0;
  thing = note->weak;
  if (thing) counted_thing_put(thing);
  return 0;
}
