/* A program for a device's hook, as clients attach it with tcx: it decides for every packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int drop(struct __sk_buff *skb) {
  return skb->len ? 2 : 0;
}
