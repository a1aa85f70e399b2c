/* A program for a device's frames, as xdp-loader loads it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int refuse(struct xdp_md *ctx) {
  return ctx->data_end - ctx->data >= 60 ? XDP_DROP : XDP_ABORTED;
}
