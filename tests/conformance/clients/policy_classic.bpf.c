/* The classic flavour: in charge from the moment its table is written. */
#include "clients_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/choose_more")
__u64 BPF_PROG(choose_more, __u64 seed) {
  return seed + 10;
}

SEC("struct_ops/weigh_id")
__u64 BPF_PROG(weigh_id, struct ticket *ticket) {
  return ticket->id;
}

SEC(".struct_ops")
struct policy_ops policy_classic = {
    .choose = (void *)choose_more,
    .weigh = (void *)weigh_id,
    .name = "classic",
};
