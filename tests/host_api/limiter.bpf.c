#include "limiter.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/small_allow")
int BPF_PROG(small_allow, struct request *request, struct request *previous) {
  __u32 limit = limiter_load() < limiter_config.busy ? 4096 : 512;

  request->cost = request->bytes;
  if (previous) request->cost += previous->cost / 2;
  return request->cost <= limit;
}

SEC(".struct_ops.link")
struct limiter_ops small = {
    .allow = (void *)small_allow,
    .name = "small",
};
