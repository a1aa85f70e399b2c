/* Programs that are work for a verifier: many paths, many states to compare, long loops. No relocations. */
#include <linux/bpf.h>
#include <linux/types.h>

#define SEC(name) __attribute__((section(name), used))
#define PROGRAM(name) SEC("xdp/" #name) int name(struct xdp_md *ctx)

static __u32 (*const get_prandom_u32)(void) = (void *)7;

/* A loop whose counter the verifier has to follow to its end. */
PROGRAM(long_loop) {
  __u32 sum = get_prandom_u32();
  for (int i = 0; i < 20000; i++) {
    sum += i;
    asm volatile("" : "+r"(sum));
  }
  return sum & 1;
}

/* Headers behind headers, each checked against the packet's end. */
PROGRAM(headers) {
  __u8 *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  __u32 sum = 0;
  for (int i = 0; i < 8; i++) {
    if (at + 8 > end) break;
    if (at[0] == 1)
      at += 8;
    else if (at[0] == 2) {
      if (at + 12 > end) break;
      sum += at[9];
      at += 12;
    } else
      break;
  }
  return sum & 1;
}

/* More values than registers. */
PROGRAM(spills) {
  __u64 a[24];
  __u32 random = get_prandom_u32();
#pragma clang loop unroll(full)
  for (int i = 0; i < 24; i++) a[i] = random >> i;
  __u64 sum = 0;
  for (int round = 0; round < 100; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 24; i++) {
      sum += a[i];
      a[i] = sum & 0xff;
      asm volatile("" ::: "memory");
    }
  }
  return sum & 1;
}
