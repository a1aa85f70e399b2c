/* Made only when asked for by name; in the classic section, which takes effect at the commit all the same. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/choose_optional")
__u64 BPF_PROG(choose_optional, __u64 seed)
{
  bpf_printk("chosen for %llu", seed);
  return seed + 3;
}

SEC("?.struct_ops")
struct policy_ops policy_opt = {
  .choose = (void *)choose_optional,
  .name = "optional",
};
