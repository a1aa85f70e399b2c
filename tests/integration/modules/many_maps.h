/* Arrays by the dozen, and a program that uses one. MAPS_MORE: what comes beside the 64. */
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define MAP(name)                      \
  struct {                             \
    __uint(type, BPF_MAP_TYPE_ARRAY);  \
    __uint(max_entries, 1);            \
    __type(key, __u32);                \
    __type(value, __u64);              \
  } name SEC(".maps");
#define EIGHT(name) MAP(name##0) MAP(name##1) MAP(name##2) MAP(name##3) MAP(name##4) MAP(name##5) MAP(name##6) MAP(name##7)

EIGHT(a) EIGHT(b) EIGHT(c) EIGHT(d) EIGHT(e) EIGHT(f) EIGHT(g) EIGHT(h)
MAPS_MORE

SEC("syscall") int looks(void *ctx) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&a0, &key) != 0;
}
