/* Refused: what the lookup returns may be null. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} seeds SEC(".maps");

SEC("struct_ops/choose_bad")
__u64 BPF_PROG(choose_bad, __u64 seed)
{
  __u32 zero = 0;
  __u64 *last = bpf_map_lookup_elem(&seeds, &zero);

  return *last + seed;
}

SEC(".struct_ops.link")
struct policy_ops policy_bad = {
  .choose = (void *)choose_bad,
  .name = "bad",
};
