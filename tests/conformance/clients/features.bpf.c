/* What skeletons use beside maps and rings: perf buffers, a function of the host, types that are placed at load (CO-RE), a policy. */
#include "clients_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifndef FLAVOUR
#define FLAVOUR ".struct_ops"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} events SEC(".maps");

SEC("socket")
int emit(struct __sk_buff *skb) {
  __u64 length = skb->len;
  return bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU, &length, sizeof length);
}

/* Another place than the host's: `id` is not known here. */
struct ticket___short {
  __u32 weight;
} __attribute__((preserve_access_index));

SEC("struct_ops/choose_clock")
__u64 BPF_PROG(choose_clock, __u64 seed) {
  return seed + host_clock();
}

SEC("struct_ops/weigh_moved")
__u64 BPF_PROG(weigh_moved, struct ticket *ticket) {
  struct ticket___short *moved = (void *)ticket;
  return bpf_core_field_exists(moved->weight) ? moved->weight : 0;
}

SEC(FLAVOUR)
struct policy_ops features = {
    .choose = (void *)choose_clock,
    .weigh = (void *)weigh_moved,
    .name = "features",
};
