/* The host of scripts/conformance clients: one table of functions, one function, one object. */
#ifndef RING3_CLIENTS_HOST_H
#define RING3_CLIENTS_HOST_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ticket {
  __u64 id;
  __u32 weight;
};

struct policy_ops {
  __u64 (*choose)(__u64 seed);
  __u64 (*weigh)(struct ticket *ticket);
  char name[16];
} RING3_STRUCT_OPS;

__u64 host_clock(void) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
