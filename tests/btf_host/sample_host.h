/* A small host, for the tests of ring3_add_btf(). Everything a header may contain is here once. */
#ifndef SAMPLE_HOST_H
#define SAMPLE_HOST_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SAMPLE_SLOTS = 4, SAMPLE_LAST = -1 };
enum sample_color { SAMPLE_RED, SAMPLE_GREEN = 5 };

union sample_word {
  __u64 whole;
  __u32 half[2];
};

struct sample_node; /* stays opaque */

struct sample_item {
  __u64 id;
  enum sample_color color;
  union sample_word word;
  struct sample_node *node;
  struct sample_item *next;
  __u8 low : 3;
  __u8 high : 5;
};

typedef int (*sample_compare)(const struct sample_item *a, const struct sample_item *b);

/* Mentioned nowhere else. */
struct sample_unused {
  sample_compare compare;
  char text[12];
};

struct sample_ops {
  int (*admit)(struct sample_item *item, __u32 bytes);
  void (*gone)(struct sample_item *item);
  __u32 flags;
  char name[16];
} RING3_STRUCT_OPS;

struct sample_item *sample_first(__u32 slot) RING3_KFUNC;
void sample_put(struct sample_item *item) RING3_KFUNC;

extern struct sample_item sample_default RING3_VARIABLE;
extern __u64 sample_hits RING3_PERCPU;
extern int sample_not_shown;

/* Stub of a member: its parameter names are annotations. */
int sample_ops__admit(struct sample_item *item__nullable, __u32 bytes);

/* Not a kfunc, but a place to attach to. */
void sample_event(int what);

static inline int sample_is_red(const struct sample_item *item) { return item->color == SAMPLE_RED; }

#ifdef __cplusplus
}
#endif

#endif
