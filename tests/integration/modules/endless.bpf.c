/* Loops that never end, though an iterator goes on in each round. Each program is refused. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct bpf_iter_num { __u64 __opaque[1]; } __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

/* A new one in each round. */
SEC("syscall")
int made_anew(void *ctx) {
  struct bpf_iter_num it;
  for (;;) {
    bpf_iter_num_new(&it, 0, 10);
    bpf_iter_num_next(&it);
    bpf_iter_num_destroy(&it);
  }
  return 0;
}

/* Two, of which each round makes one anew and lets the other go on: either loop alone would end. */
SEC("syscall")
int by_turns(void *ctx) {
  struct bpf_iter_num a, b;
  int *number;

  bpf_iter_num_new(&a, 0, 10);
  bpf_iter_num_new(&b, 0, 10);
  do {
    if (bpf_get_prandom_u32() & 1) {
      bpf_iter_num_destroy(&b);
      bpf_iter_num_new(&b, 0, 10);
      number = bpf_iter_num_next(&a);
    } else {
      bpf_iter_num_destroy(&a);
      bpf_iter_num_new(&a, 0, 10);
      number = bpf_iter_num_next(&b);
    }
  } while (number);
  bpf_iter_num_destroy(&a);
  bpf_iter_num_destroy(&b);
  return 0;
}

/* The walk of one branch ends at the loop's head, and so would the other from where both meet, but it goes on with nothing. */
SEC("syscall")
int meets_one_that_goes_on(void *ctx) {
  struct bpf_iter_num it;
  int *number = 0;

  bpf_iter_num_new(&it, 0, 10);
  for (;;) {
    if (bpf_get_prandom_u32() & 1) {
      number = bpf_iter_num_next(&it);
      if (!number) break;
    } else {
      bpf_iter_num_destroy(&it);
      bpf_iter_num_new(&it, 0, 10);
    }
    bpf_get_prandom_u32();
  }
  bpf_iter_num_destroy(&it);
  return 0;
}

/* Inside one that ends, one is made anew: that ends. */
SEC("syscall")
int ends(void *ctx) {
  struct bpf_iter_num outer, inner;
  int sum = 0, *number;

  bpf_iter_num_new(&outer, 0, 10);
  while ((number = bpf_iter_num_next(&outer))) {
    bpf_iter_num_new(&inner, 0, 10);
    while ((number = bpf_iter_num_next(&inner))) sum += *number;
    bpf_iter_num_destroy(&inner);
  }
  bpf_iter_num_destroy(&outer);
  return sum;
}
