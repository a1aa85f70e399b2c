/* Programs that read the host's variables, by their names. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern __u32 test_nowhere __attribute__((section(".ksyms"), weak));

SEC("tc")
int sum(void *ctx) { return test_limits.most * 10 + test_limits.least + test_level * 100; }

/* The misses of all CPUs, and the hits of this one. */
SEC("tc")
int count(void *ctx) {
  struct test_counts *counts;
  __u64 misses = 0;

  for (int cpu = 0; cpu < 1024; cpu++) {
    counts = bpf_per_cpu_ptr(&test_counts, cpu);
    if (!counts) break;
    misses += counts->misses;
  }
  counts = bpf_this_cpu_ptr(&test_counts);
  return misses * 100 + counts->hits;
}

SEC("tc")
int there(void *ctx) {
  if (&test_nowhere) return 1;
  return 2;
}

SEC("tc")
int length(void *ctx) {
  static const char text[] = "seven.";

  return host_length(text);
}
