/* A member that calls the host's functions and reads the host's struct through CO-RE types. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("struct_ops/color_of")
int BPF_PROG(color_of, int id, int fallback) {
  struct thing *thing = thing_get((__u64)id);
  int color;

  if (!thing) return fallback;
  color = (int)thing_color(thing);
  thing_put(thing);
  return color;
}

SEC("struct_ops/paint")
void BPF_PROG(paint, struct thing *thing, __u32 color) { thing->note = color; }

SEC(".struct_ops.link")
struct calc_ops things = {
    .add = (void *)color_of,
    .paint = (void *)paint,
};
