/* The host that random programs find in a Runtime: structs laid out as Linux has them, so that one program reads them on
 * either side, and functions that no kernel has. */
#ifndef RING3_ENGINES_HOST_H
#define RING3_ENGINES_HOST_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
typedef bool host_truth;
#else
typedef _Bool host_truth;
#endif

struct rb_node {
  unsigned long __rb_parent_color;
  struct rb_node *rb_right;
  struct rb_node *rb_left;
};
struct ethhdr {
  unsigned char h_dest[6];
  unsigned char h_source[6];
  __u16 h_proto;
};
struct timespec64 {
  __s64 tv_sec;
  long tv_nsec;
};

/* Results of every width. */
__u8 host_u8(__u64 a, __u64 b) RING3_KFUNC;
__s8 host_s8(__u64 a, __u64 b) RING3_KFUNC;
__u16 host_u16(__u64 a, __u32 b) RING3_KFUNC;
__s16 host_s16(__s16 a, __u64 b) RING3_KFUNC;
__u32 host_u32(__u32 a, __s32 b, __u8 c) RING3_KFUNC;
__s32 host_s32(__s32 a, __s8 b) RING3_KFUNC;
__u64 host_u64(__u64 a, __u64 b, __u64 c, __u64 d, __u64 e) RING3_KFUNC;
host_truth host_bool(__u64 a, __u8 b) RING3_KFUNC;
void host_nothing(__u64 a) RING3_KFUNC;
/* Of bytes of the program's. */
__u32 host_sum(const void *data, __u32 data__sz) RING3_KFUNC;
/* An address as a number, by the rest of n by 8: null, nobody's, half of it readable, out of every range, good. */
__u64 host_place(__u64 n) RING3_KFUNC;
/* A node, whose neighbours are nodes, null, or nothing at all; or null. */
struct rb_node *host_node(__u64 n) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
