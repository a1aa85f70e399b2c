/* An iterator over one map's elements: `bpftool iter pin OBJECT PATH map MAP` takes an object's first program. */
#include "iterators.bpf.h"

SEC("iter/bpf_map_elem")
int every_element(struct bpf_iter__bpf_map_elem *ctx) {
  __u32 *key = ctx->key;
  if (key) BPF_SEQ_PRINTF(ctx->meta->seq, "key %u\n", *key);
  return 0;
}
