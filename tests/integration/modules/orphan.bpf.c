/* A struct_ops program that no table names: libbpf refuses the load. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/used")
int BPF_PROG(used, int a, int b) { return a | b; }

SEC("struct_ops/orphan")
int BPF_PROG(orphan, int a, int b) { return a & b; }

SEC(".struct_ops")
struct calc_ops table = {
    .add = (void *)used,
};
