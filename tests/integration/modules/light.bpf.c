/* What a light skeleton carries: maps, variables of every section, programs that use them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} lengths SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} records SEC(".maps");

const volatile __u32 step = 1;
__u64 start = 5;
__u64 sum;

SEC("socket") int count(struct __sk_buff *skb) {
  __u32 key = skb->len;
  __u64 one = 1;
  __u64 *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
  if (record) {
    *record = start;
    bpf_ringbuf_submit(record, 0);
  }
  sum += step;
  return bpf_map_update_elem(&lengths, &key, &one, 0) ? 0 : skb->len;
}

SEC("syscall") int doubles(__u64 *number) {
  *number *= 2;
  return start;
}
