/* One program in two different members: libbpf refuses. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/both")
int BPF_PROG(both, int a, int b) { return a ^ b; }

SEC(".struct_ops")
struct calc_ops table = {
    .add = (void *)both,
    .sub = (void *)both,
};
