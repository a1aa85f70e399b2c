/* A map that libbpf pins by its name, and finds again. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef ENTRIES
#define ENTRIES 8
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ENTRIES);
  __type(key, __u32);
  __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} shared_counts SEC(".maps");

SEC("socket")
int count(void *ctx) {
  __u32 key = 1;
  __u64 *value = bpf_map_lookup_elem(&shared_counts, &key);

  if (value) __sync_fetch_and_add(value, 1);
  return 0;
}
