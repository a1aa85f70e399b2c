/* Answers the seed plus 2. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/choose_two")
__u64 BPF_PROG(choose_two, __u64 seed)
{
  return seed + 2;
}

SEC(".struct_ops.link")
struct policy_ops policy_two = {
  .choose = (void *)choose_two,
  .name = "two",
};
