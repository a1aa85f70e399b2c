/* Says what it was asked. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/choose_aloud")
__u64 BPF_PROG(choose_aloud, __u64 seed)
{
  bpf_printk("asked for %llu", seed);
  return seed + 1;
}

SEC(".struct_ops.link")
struct policy_ops policy_talks = {
  .choose = (void *)choose_aloud,
  .name = "talks",
};
