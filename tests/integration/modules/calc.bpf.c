/* Two members, a map and a global variable, as a client writes them. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 calls = 0;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} sums SEC(".maps");

static void remember(__u32 slot, int value) {
  __u64 *sum = bpf_map_lookup_elem(&sums, &slot);

  if (sum) *sum += value;
}

SEC("struct_ops/calc_add")
int BPF_PROG(calc_add, int a, int b) {
  calls++;
  remember(0, a + b);
  return a + b;
}

SEC("struct_ops/calc_sub")
int BPF_PROG(calc_sub, int a, int b) {
  calls++;
  remember(1, a - b);
  return a - b;
}

SEC(".struct_ops.link")
struct calc_ops calc = {
    .add = (void *)calc_add,
    .sub = (void *)calc_sub,
    .scale = 7,
    .name = "calc",
};
