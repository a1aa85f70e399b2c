/* The host of the integration tests: ops types of every shape, an object, a few functions. */
#ifndef RING3_TEST_HOST_H
#define RING3_TEST_HOST_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TEST_NAME_LEN = 16 };

struct thing {
  __u64 id;
  __u32 color;
  __u32 note; /* programs may write it */
};

/* Two int members, and one of every other sort. */
struct calc_ops {
  int (*add)(int a, int b);
  int (*sub)(int a, int b);
  __u32 scale;    /* the host takes up to 100 */
  __u32 reserved; /* the host takes nothing */
  int (*nap)(int ms); /* may sleep */
  int (*missing)(int a); /* no stub */
  __u64 (*maybe)(struct thing *thing);
  void (*paint)(struct thing *thing, __u32 color);
  char name[TEST_NAME_LEN];
} RING3_STRUCT_OPS;

/* Parameter names are annotations. */
__u64 calc_ops__maybe(struct thing *thing__nullable);

struct other_ops {
  int (*add)(int a, int b);
  int (*sub)(int a, int b);
} RING3_STRUCT_OPS;

/* Nobody registers this one. */
struct idle_ops {
  int (*add)(int a, int b);
} RING3_STRUCT_OPS;

/* Driven by the default policy of the typed API. */
struct policy_ops {
  __u64 (*choose)(__u64 seed);
  __u64 (*optional)(__u64 seed);
  char name[TEST_NAME_LEN];
} RING3_STRUCT_OPS;

/* Ownership crosses the border in both directions. */
struct owner_ops {
  __u64 (*take)(struct thing *thing);
  struct thing *(*make)(__u64 id);
  struct thing *(*pass)(struct thing *thing);
} RING3_STRUCT_OPS;

__u64 owner_ops__take(struct thing *thing__ref);

/* Programs of this type may be test-run; the first argument is the client's bytes. */
struct trial_state {
  int value;
  __u32 parts[3];
};
struct trial_node {
  struct trial_node *next;
};
struct trial_rest {
  __u32 count;
  __extension__ __u32 items[0]; /* C++ has no other members without an end */
};
union trial_either {
  __u32 number;
  __u8 bytes[4];
};
/* What netfilter programs see. */
struct nf_hook_state {
  __u8 hook;
  __u8 pf;
};
struct sk_buff {
  __u32 len;
  __u16 protocol;
};
struct trial_ops {
  int (*change)(struct trial_state *state, int by, signed char small);
  int (*maybe)(struct trial_state *state);
  void (*nothing)(void);
  __u64 (*walk)(struct trial_node *node);
  struct thing *(*make)(__u64 id);
  int (*frame)(struct sk_buff *skb, struct nf_hook_state *state);
  int (*rest)(struct trial_rest *rest);
  int (*either)(union trial_either *either);
} RING3_STRUCT_OPS;

int trial_ops__maybe(struct trial_state *state__nullable);

struct box {
  __u64 content;
};

/* Counted by ring3 (counted_thing), held by the host as std::shared_ptr (shared_thing). */
struct counted_thing {
  __u64 id;
};
struct shared_thing {
  __u64 id;
};
/* Nobody registers it as a kptr type. */
struct loose_thing {
  __u64 id;
};

struct box *box_get(void) RING3_KFUNC;
struct thing *thing_get(__u64 id) RING3_KFUNC;
void thing_put(struct thing *thing) RING3_KFUNC;
__u64 thing_color(struct thing *thing) RING3_KFUNC;
/* One more reference to the thing of tests that have one, and to any. */
struct counted_thing *counted_thing_find(__u64 key) RING3_KFUNC;
struct counted_thing *counted_thing_get(struct counted_thing *thing) RING3_KFUNC;
void counted_thing_put(struct counted_thing *thing) RING3_KFUNC;
/* Variables that programs read. */
struct test_limits {
  __u64 most, least;
};
struct test_counts {
  __u64 hits, misses;
};
extern struct test_limits test_limits RING3_VARIABLE;
extern __u32 test_level RING3_VARIABLE;
extern __u32 test_unregistered RING3_VARIABLE;
extern struct test_counts test_counts RING3_PERCPU;

/* Length of a string that never changes. */
__u32 host_length(const char *text__str) RING3_KFUNC;
/* Replaces the instance that is running. */
int host_swap(void) RING3_KFUNC;
/* For registrations that must fail. */
int host_two(int a, __u32 b) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
