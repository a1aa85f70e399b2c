/* The classic flavour, for clients that know no other: in charge as soon as its table is written. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/sum_add")
int BPF_PROG(sum_add, int a, int b) {
  return a + b;
}

SEC("struct_ops/sum_sub")
int BPF_PROG(sum_sub, int a, int b) {
  return a - b;
}

SEC(".struct_ops")
struct calc_ops calc_classic = {
    .add = (void *)sum_add,
    .sub = (void *)sum_sub,
    .scale = 9,
    .name = "classic",
};
