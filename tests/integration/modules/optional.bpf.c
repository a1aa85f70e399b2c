/* A table that is created only when asked for, and the program of its only member. The second program is
 * there because libbpf 1.1 looks for the host's types only when a program that is loaded needs them. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("?struct_ops/spare")
int BPF_PROG(spare, int a, int b) { return a & b; }

SEC("?.struct_ops")
struct calc_ops spare_table = {
    .add = (void *)spare,
};

SEC("syscall")
int poke(void *ctx) { return host_swap(); }
