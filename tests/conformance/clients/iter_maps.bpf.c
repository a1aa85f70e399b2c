/* An iterator over the maps of a host, as clients bring them: with types of its own, placed at load. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct seq_file;
struct bpf_map;

struct bpf_iter_meta {
  struct seq_file *seq;
  __u64 session_id;
  __u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map {
  struct bpf_iter_meta *meta;
  struct bpf_map *map;
} __attribute__((preserve_access_index));

SEC("iter/bpf_map")
int every_map(struct bpf_iter__bpf_map *ctx) {
  if (ctx->map) BPF_SEQ_PRINTF(ctx->meta->seq, "map %llu\n", ctx->meta->seq_num);
  return 0;
}
