/* Every kind of CO-RE record, one program (and section) each. The types' flavour, ___l, is not part of their names: core_targets.h
 * has the others. Loaded nowhere: core_libbpf_test.cc compares what libbpf and ring3 make of the instructions. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CORE __attribute__((preserve_access_index))
#define PROGRAM(name) SEC("raw_tp/" #name) int name(void *ctx)
#define INFO(field, kind) __builtin_preserve_field_info(field, kind)
#define BYTE_OFFSET 0
#define BYTE_SIZE 1
#define EXISTS 2
#define SIGNED 3
#define LSHIFT 4
#define RSHIFT 5

enum mode___l { MODE_OFF___l = 1, MODE_ON___l = 5, MODE_GONE___l = 9 };
enum wide_mode___l { WIDE_LOW___l = 1, WIDE_HIGH___l = 0x100000002ULL, WIDE_GONE___l = 0x300000000ULL };

struct inner___l {
  int a;
  union {
    short low;
    int high;
  };
} CORE;

union either___l {
  int number;
  long wide;
} CORE;

struct thing___l {
  unsigned int id;
  int balance;
  unsigned long wide;
  unsigned char tiny;
  struct inner___l in;
  int list[4];
  struct {
    int nameless;
    union {
      int left;
      long right;
    };
  };
  unsigned int three : 3;
  unsigned int seven : 7;
  int minus : 5;
  unsigned long forty : 40;
  char *name;
  enum mode___l mode;
  struct inner___l many[3];
  union either___l either;
  long gone;
  int tail[];
} CORE;

struct twin___l {
  int same;
  int differs;
} CORE;

struct nowhere___l {
  int x;
} CORE;

typedef int (*callback___l)(int, struct thing___l *);
typedef struct thing___l *thing_pointer___l;
typedef int numbers___l[4];
typedef unsigned int plain___l;
typedef struct {
  int in_typedef;
} named_struct___l;

struct with_shape___l {
  int a;
  struct inner___l *p;
};

PROGRAM(loads) {
  struct thing___l *t = ctx;
  return (int)(t->id + (unsigned int)t->balance + t->wide + t->tiny);
}

PROGRAM(stores) {
  struct thing___l *t = ctx;
  t->id = 5;
  t->wide = 6;
  t->balance = (int)bpf_get_prandom_u32();
  t->tiny = 1;
  return 0;
}

PROGRAM(nested) {
  struct thing___l *t = ctx;
  return t->in.a + t->in.low + t->in.high + t->nameless + t->left + (int)t->right + t->either.number + (int)t->either.wide;
}

PROGRAM(arrays) {
  struct thing___l *t = ctx;
  return t->list[0] + t->list[3] + t->many[1].a + t->many[2].high + t->tail[5] + (t + 2)->balance + t[3].many[1].low;
}

PROGRAM(pointers) {
  struct thing___l *t = ctx;
  return t->name != 0 && t->mode == MODE_ON___l;
}

PROGRAM(offsets) {
  struct thing___l *t = ctx;
  return (int)(INFO(t->wide, BYTE_OFFSET) + INFO(t->many[2].a, BYTE_OFFSET) + INFO(t->seven, BYTE_OFFSET) + INFO(t->forty, BYTE_OFFSET) +
               INFO(t->in, BYTE_OFFSET));
}

PROGRAM(sizes) {
  struct thing___l *t = ctx;
  return (int)(INFO(t->id, BYTE_SIZE) + INFO(t->wide, BYTE_SIZE) + INFO(t->list, BYTE_SIZE) + INFO(t->list[1], BYTE_SIZE) +
               INFO(t->in, BYTE_SIZE) + INFO(t->minus, BYTE_SIZE) + INFO(t->forty, BYTE_SIZE) + INFO(t->name, BYTE_SIZE));
}

PROGRAM(existence) {
  struct thing___l *t = ctx;
  struct nowhere___l *n = ctx;
  return (int)(INFO(t->id, EXISTS) + INFO(t->gone, EXISTS) * 2 + INFO(t->left, EXISTS) * 4 + INFO(t->list[3], EXISTS) * 8 + INFO(n->x, EXISTS) * 16 +
               INFO(t->seven, EXISTS) * 32);
}

PROGRAM(signs) {
  struct thing___l *t = ctx;
  return (int)(INFO(t->id, SIGNED) + INFO(t->balance, SIGNED) * 2 + INFO(t->minus, SIGNED) * 4 + INFO(t->mode, SIGNED) * 8 +
               INFO(t->tiny, SIGNED) * 16);
}

PROGRAM(shifts) {
  struct thing___l *t = ctx;
  return (int)(INFO(t->three, LSHIFT) + INFO(t->three, RSHIFT) + INFO(t->seven, LSHIFT) + INFO(t->seven, RSHIFT) + INFO(t->minus, LSHIFT) +
               INFO(t->minus, RSHIFT) + INFO(t->forty, LSHIFT) + INFO(t->forty, RSHIFT) + INFO(t->id, LSHIFT) + INFO(t->id, RSHIFT));
}

PROGRAM(bitfields) {
  struct thing___l *t = ctx;
  return (int)(BPF_CORE_READ_BITFIELD(t, three) + BPF_CORE_READ_BITFIELD(t, seven) + BPF_CORE_READ_BITFIELD(t, minus) +
               BPF_CORE_READ_BITFIELD(t, forty));
}

PROGRAM(bitfields_probed) {
  struct thing___l *t = ctx;
  return (int)(BPF_CORE_READ_BITFIELD_PROBED(t, seven) + BPF_CORE_READ_BITFIELD_PROBED(t, forty));
}

PROGRAM(types_exist) {
  return bpf_core_type_exists(struct thing___l) + 2 * bpf_core_type_exists(struct nowhere___l) + 4 * bpf_core_type_exists(union either___l) +
         8 * bpf_core_type_exists(enum mode___l) + 16 * bpf_core_type_exists(callback___l) + 32 * bpf_core_type_exists(thing_pointer___l) +
         64 * bpf_core_type_exists(numbers___l) + 128 * bpf_core_type_exists(plain___l) + 256 * bpf_core_type_exists(named_struct___l);
}

PROGRAM(type_sizes) {
  return (int)(bpf_core_type_size(struct thing___l) + bpf_core_type_size(struct nowhere___l) + bpf_core_type_size(union either___l) +
               bpf_core_type_size(enum mode___l) + bpf_core_type_size(thing_pointer___l) + bpf_core_type_size(numbers___l) +
               bpf_core_type_size(plain___l) + bpf_core_type_size(named_struct___l));
}

#if __clang_major__ >= 15
PROGRAM(types_match) {
  return bpf_core_type_matches(struct thing___l) + 2 * bpf_core_type_matches(struct nowhere___l) + 4 * bpf_core_type_matches(union either___l) +
         8 * bpf_core_type_matches(enum mode___l) + 16 * bpf_core_type_matches(callback___l) + 32 * bpf_core_type_matches(struct inner___l) +
         64 * bpf_core_type_matches(numbers___l) + 128 * bpf_core_type_matches(plain___l) + 256 * bpf_core_type_matches(struct with_shape___l) +
         512 * bpf_core_type_matches(enum wide_mode___l);
}
#endif

PROGRAM(local_ids) { return (int)(bpf_core_type_id_local(struct thing___l) + bpf_core_type_id_local(enum mode___l)); }

PROGRAM(target_ids) {
  return (int)(bpf_core_type_id_kernel(struct thing___l) + bpf_core_type_id_kernel(union either___l) + bpf_core_type_id_kernel(callback___l) +
               bpf_core_type_id_kernel(plain___l));
}
PROGRAM(target_id_of_nothing) { return (int)bpf_core_type_id_kernel(struct nowhere___l); }

PROGRAM(enum_values) {
  return (int)(bpf_core_enum_value(enum mode___l, MODE_ON___l) + bpf_core_enum_value(enum mode___l, MODE_OFF___l) +
               bpf_core_enum_value(enum wide_mode___l, WIDE_HIGH___l));
}
PROGRAM(enum_values_exist) {
  return bpf_core_enum_value_exists(enum mode___l, MODE_ON___l) + 2 * bpf_core_enum_value_exists(enum mode___l, MODE_GONE___l) +
         4 * bpf_core_enum_value_exists(enum wide_mode___l, WIDE_LOW___l) + 8 * bpf_core_enum_value_exists(enum wide_mode___l, WIDE_GONE___l);
}
PROGRAM(enum_value_gone) { return (int)bpf_core_enum_value(enum mode___l, MODE_GONE___l); }
PROGRAM(wide_enum_value_gone) { return (int)(bpf_core_enum_value(enum wide_mode___l, WIDE_GONE___l) >> 32); }

PROGRAM(twins_agree) {
  struct twin___l *t = ctx;
  return t->same;
}
PROGRAM(twins_differ) {
  struct twin___l *t = ctx;
  return t->differs;
}

PROGRAM(missing_field) {
  struct thing___l *t = ctx;
  return (int)t->gone;
}
PROGRAM(missing_field_size) {
  struct thing___l *t = ctx;
  return (int)INFO(t->gone, BYTE_SIZE);
}
PROGRAM(missing_struct) {
  struct nowhere___l *n = ctx;
  n->x = 3;
  return n->x;
}
