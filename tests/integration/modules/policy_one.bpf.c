/* Answers the seed plus 1. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/choose_one")
__u64 BPF_PROG(choose_one, __u64 seed)
{
  return seed + 1;
}

SEC(".struct_ops.link")
struct policy_ops policy_one = {
  .choose = (void *)choose_one,
  .name = "one",
};
