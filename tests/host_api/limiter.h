/* The example host of docs/host-api.md: a server that asks a policy whether a request may pass. */
#ifndef LIMITER_H
#define LIMITER_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct request {
  __u64 client;
  __u32 bytes;
  __u32 cost; /* policies may write it */
};

struct limiter_ops {
  /* Required. Nonzero: the request may pass. previous: null for a client's first request. */
  int (*allow)(struct request *request, struct request *previous);
  void (*done)(struct request *request);
  char name[16];
} RING3_STRUCT_OPS;

/* Parameter names carry what the member's type cannot say. */
int limiter_ops__allow(struct request *request, struct request *previous__nullable);

/* From how many requests at a time on the server is busy. */
struct limiter_config {
  __u32 busy;
};
extern struct limiter_config limiter_config RING3_VARIABLE;

/* How many requests are being served. */
__u32 limiter_load(void) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
