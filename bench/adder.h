/* The host type of struct_ops_call_bench: a member that adds its arguments. */
#ifndef RING3_BENCH_ADDER_H
#define RING3_BENCH_ADDER_H

#include <ring3/host.h>

struct adder_ops {
  __u64 (*add)(__u64 a, __u64 b);
} RING3_STRUCT_OPS;

#endif
