/* An iterator over the maps of a host. */
#include "iterators.bpf.h"

SEC("iter/bpf_map")
int every_map(struct bpf_iter__bpf_map *ctx) {
  if (ctx->map) BPF_SEQ_PRINTF(ctx->meta->seq, "map %llu\n", ctx->meta->seq_num);
  return 0;
}
