/* What a libbpf program is usually made of: global data, maps, a ring buffer, a constant set before the load. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct record {
  __u32 length;
  __u32 count;
};

const volatile __u32 step = 1;
__u64 hits = 0;
__u64 start = 5;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} by_length SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} records SEC(".maps");

SEC("socket")
int count(struct __sk_buff *skb) {
  __u32 length = skb->len;
  __u64 one = 1, *seen = bpf_map_lookup_elem(&by_length, &length);

  if (seen) __sync_fetch_and_add(seen, 1);
  else bpf_map_update_elem(&by_length, &length, &one, BPF_ANY);
  hits += step;
  struct record *r = bpf_ringbuf_reserve(&records, sizeof *r, 0);
  if (r) {
    r->length = length;
    r->count = hits;
    bpf_ringbuf_submit(r, 0);
  }
  return length;
}
