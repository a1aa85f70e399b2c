/* For another host: its type is not this one's. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct foreign_ops {
  __u64 (*choose)(__u64 seed);
};

SEC("struct_ops/choose_foreign")
__u64 BPF_PROG(choose_foreign, __u64 seed)
{
  return seed;
}

SEC(".struct_ops.link")
struct foreign_ops policy_foreign = {
  .choose = (void *)choose_foreign,
};
