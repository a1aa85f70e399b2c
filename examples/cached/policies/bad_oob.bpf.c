/* Wrong on purpose: the index into the table is one too large for the last object. The verifier refuses it
 * and says where. */
#include "cached_policy.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct window {
  __u64 hits[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct window);
} windows SEC(".maps");

SEC("struct_ops/bad_hit")
void BPF_PROG(bad_hit, struct cache *cache, struct cache_obj *obj)
{
  __u32 zero = 0;
  struct window *w = bpf_map_lookup_elem(&windows, &zero);
  __u32 slot = obj->freq;

  if (w && slot <= 16)
    w->hits[slot]++;
}

SEC("struct_ops/bad_evict")
__u64 BPF_PROG(bad_evict, struct cache *cache)
{
  return 0;
}

SEC(".struct_ops.link")
struct cache_policy_ops bad = {
  .on_hit = (void *)bad_hit,
  .evict = (void *)bad_evict,
  .name = "bad",
};
