/* One program in the same member of two tables. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/twice")
int BPF_PROG(twice, int a, int b) { return 2 * (a + b); }

SEC(".struct_ops")
struct calc_ops first = {
    .add = (void *)twice,
    .name = "first",
};

SEC(".struct_ops")
struct calc_ops second = {
    .add = (void *)twice,
    .name = "second",
};
