/* What a target of core_libbpf_test.cc has of the types of core_local.bpf.c. TARGET: 1 the same, 2 other places and sizes, 3 much is missing
 * or of another kind, 4 bit fields are numbers and the other way round, 5 several that disagree. */
#ifndef TARGET
#error "TARGET says which"
#endif

#if TARGET == 1
enum mode { MODE_OFF = 1, MODE_ON = 5, MODE_GONE = 9 };
enum wide_mode { WIDE_LOW = 1, WIDE_HIGH = 0x100000002ULL, WIDE_GONE = 0x300000000ULL };
struct inner { int a; union { short low; int high; }; };
union either { int number; long wide; };
struct thing {
  unsigned int id;
  int balance;
  unsigned long wide;
  unsigned char tiny;
  struct inner in;
  int list[4];
  struct { int nameless; union { int left; long right; }; };
  unsigned int three : 3;
  unsigned int seven : 7;
  int minus : 5;
  unsigned long forty : 40;
  char *name;
  enum mode mode;
  struct inner many[3];
  union either either;
  long gone;
  int tail[];
};
struct twin { int same; int differs; };
typedef int (*callback)(int, struct thing *);
typedef struct thing *thing_pointer;
typedef int numbers[4];
typedef unsigned int plain;
typedef struct { int in_typedef; } named_struct;
struct with_shape { int a; struct inner *p; };
#elif TARGET == 2
enum mode { MODE_ON = 50, MODE_OFF = 10, MODE_NEW = -1 };
enum wide_mode { WIDE_HIGH = 0x500000007ULL, WIDE_LOW = 3 };
struct inner { struct { long before; int a; }; short low; union { int high; int other; }; };
union either { char more[24]; long wide; int number; };
struct thing {
  struct { const long first; volatile int balance; };
  unsigned long id;
  unsigned int wide;
  unsigned short tiny;
  int left;
  union { long right; struct { int unused; int nameless; }; };
  unsigned int : 5;
  unsigned int seven : 9;
  unsigned int three : 13;
  int minus : 17;
  unsigned long forty : 33;
  struct inner many[5];
  enum mode mode;
  const char *name;
  struct inner in;
  long list[6];
  union either either;
  int tail[];
};
struct twin { long before; int same; int differs; };
typedef int (*callback)(int, struct thing *);
typedef const struct thing *thing_pointer;
typedef long numbers[8];
typedef unsigned long plain;
typedef struct { int before; int in_typedef; } named_struct;
struct with_shape { long before; struct inner *p; int a; };
#elif TARGET == 3
enum mode { MODE_SOMETHING = 4 };
struct inner { int *a; short low[2]; };
struct either { int number; };
struct thing {
  int id[2];
  struct inner balance;
  long wide;
  signed char tiny;
  struct inner *in;
  int list[2];
  unsigned int three : 2;
  float seven;
  struct inner many;
  int tail[2];
  int more;
};
typedef int (*callback)(int);
typedef struct thing thing_pointer;
typedef int numbers;
typedef long plain;
typedef int named_struct;
struct with_shape { long a; int p; };
union wide_mode { int x; };
#elif TARGET == 4
enum mode { MODE_OFF = 0x7fffffff, MODE_ON = -5, MODE_GONE = 1 };
enum wide_mode { WIDE_LOW = -1, WIDE_HIGH = 0x7000000000000001LL, WIDE_GONE = 2 };
struct inner { unsigned int a : 20; union { short low; int high; }; };
union either { int number : 9; long wide; };
struct thing {
  unsigned int id : 30;
  int balance : 3;
  unsigned long wide : 60;
  unsigned char tiny;
  struct inner in;
  unsigned char list[4];
  struct { long long nameless; union { int left; long right; }; };
  unsigned int three;
  unsigned char seven;
  long minus;
  unsigned int forty;
  long name;
  int mode;
  struct inner many[3];
  union either either;
  short gone;
  int tail[];
};
typedef int (*callback)(int, struct thing *);
typedef struct thing *thing_pointer;
typedef unsigned int numbers[4];
typedef unsigned short plain;
typedef struct { int in_typedef; } named_struct;
struct with_shape { int a; const struct inner *p; };
#else
struct twin___a { int same; int differs; };
struct twin___b { int same; int between; int differs; };
struct thing___a { unsigned int id; int balance; long wide; };
struct thing___b { unsigned int id; int balance; unsigned long wide; };
enum mode___a { MODE_OFF___a = 1, MODE_ON___a = 2 };
enum mode___b { MODE_OFF___b = 1, MODE_ON___b = 3 };
enum wide_mode { WIDE_LOW = 1 };
struct inner___a { int a; short low; int high; };
struct inner___b { int a; };
typedef int plain___a;
typedef long plain___b;
typedef struct thing___a *thing_pointer___a;
typedef struct thing___b *thing_pointer___b;
#endif

/* A compiler describes only what is used. */
#define KEEP(type, n) int core_target_##n(type *x) { return x != 0; } int core_target_##n(type *x)
#if TARGET == 5
KEEP(struct twin___a, 1); KEEP(struct twin___b, 2); KEEP(struct thing___a, 3); KEEP(struct thing___b, 4); KEEP(enum mode___a, 5);
KEEP(enum mode___b, 6); KEEP(enum wide_mode, 7); KEEP(struct inner___a, 8); KEEP(struct inner___b, 9); KEEP(plain___a, 10);
KEEP(plain___b, 11); KEEP(thing_pointer___a, 12); KEEP(thing_pointer___b, 13);
#else
KEEP(enum mode, 1); KEEP(struct inner, 2); KEEP(struct thing, 3); KEEP(callback, 4); KEEP(thing_pointer, 5); KEEP(numbers, 6); KEEP(plain, 7);
KEEP(named_struct, 8); KEEP(struct with_shape, 9);
#if TARGET == 3
KEEP(struct either, 10); KEEP(union wide_mode, 11);
#else
KEEP(union either, 10); KEEP(enum wide_mode, 11);
#endif
#if TARGET == 1 || TARGET == 2
KEEP(struct twin, 12);
#endif
#endif
