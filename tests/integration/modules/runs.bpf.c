/* Deferred calls, dynptrs, open coded iterators and exceptions as programs use them. Each program returns 0, or the number of the
 * line that went wrong, if nothing else is said. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define CHECK(c) \
  if (!(c)) return __LINE__

struct bpf_iter_num { __u64 __opaque[1]; } __attribute__((aligned(8)));
struct bpf_iter_bits { __u64 __opaque[2]; } __attribute__((aligned(8)));
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *d) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *d) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *d, __u32 off, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *d, __u32 off, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *d, __u32 start, __u32 end) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *d, struct bpf_dynptr *clone) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *d) __ksym;
extern _Bool bpf_dynptr_is_null(const struct bpf_dynptr *d) __ksym;
extern _Bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *d) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *unsafe_ptr__ign, __u32 nr_words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;

struct value {
  struct bpf_timer timer;
  struct bpf_wq work;
  __u64 words[4];
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct value);
} values SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

__u64 rung = 0, worked = 0, went_on = 0;

static struct value *the_value(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&values, &zero);
}

/* Every millisecond from now on. */
static int rings(void *map, __u32 *key, struct value *v) {
  rung++;
  bpf_timer_start(&v->timer, 1000000, 0);
  return 0;
}
SEC("tc")
int timer(struct __sk_buff *skb) {
  struct value *v = the_value();

  CHECK(v);
  CHECK(bpf_timer_init(&v->timer, &values, 1 /* CLOCK_MONOTONIC */) == 0);
  CHECK(bpf_timer_set_callback(&v->timer, rings) == 0);
  CHECK(bpf_timer_start(&v->timer, 1000000, 0) == 0);
  return 0;
}
SEC("tc")
int cancel(struct __sk_buff *skb) {
  struct value *v = the_value();

  CHECK(v);
  CHECK(bpf_timer_cancel(&v->timer) == 1);
  CHECK(bpf_timer_cancel(&v->timer) == 0);
  return 0;
}

static int works(void *map, int *key, void *value) {
  __sync_fetch_and_add(&worked, 1);
  return 0;
}
SEC("tc")
int work(struct __sk_buff *skb) {
  struct value *v = the_value();

  CHECK(v);
  CHECK(bpf_wq_init(&v->work, &values, 0) == 0);
  CHECK(bpf_wq_set_callback(&v->work, works, 0) == 0);
  CHECK(bpf_wq_start(&v->work, 0) == 0);
  return 0;
}

SEC("tc")
int dynptr_of_memory(struct __sk_buff *skb) {
  struct bpf_dynptr memory, part;
  struct value *v = the_value();
  __u64 word = 7;

  CHECK(v);
  CHECK(bpf_dynptr_from_mem(v->words, sizeof v->words, 0, &memory) == 0);
  CHECK(bpf_dynptr_size(&memory) == 32 && !bpf_dynptr_is_null(&memory) && !bpf_dynptr_is_rdonly(&memory));
  CHECK(bpf_dynptr_write(&memory, 8, &word, 8, 0) == 0);
  CHECK(v->words[1] == 7);
  CHECK(bpf_dynptr_clone(&memory, &part) == 0);
  CHECK(bpf_dynptr_adjust(&part, 8, 16) == 0);
  CHECK(bpf_dynptr_size(&part) == 8 && bpf_dynptr_size(&memory) == 32);
  word = 0;
  CHECK(bpf_dynptr_read(&word, 8, &part, 0, 0) == 0 && word == 7);
  CHECK(bpf_dynptr_read(&word, 8, &part, 1, 0) == -7 /* E2BIG */);
  return 0;
}

SEC("tc")
int dynptr_of_record(struct __sk_buff *skb) {
  struct bpf_dynptr record;
  __u64 word = 9;

  if (bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &record)) {
    bpf_ringbuf_discard_dynptr(&record, 0);
    return __LINE__;
  }
  if (bpf_dynptr_write(&record, 8, &word, 8, 0)) {
    bpf_ringbuf_discard_dynptr(&record, 0);
    return __LINE__;
  }
  bpf_ringbuf_submit_dynptr(&record, 0);
  if (!bpf_ringbuf_reserve_dynptr(&ring, 1 << 20, 0, &record)) {
    bpf_ringbuf_submit_dynptr(&record, 0);
    return __LINE__;
  }
  bpf_ringbuf_discard_dynptr(&record, 0);
  return 0;
}

SEC("tc")
int dynptr_of_packet(struct __sk_buff *skb) {
  struct bpf_dynptr packet;
  __u8 buffer[4], *slice;

  CHECK(bpf_dynptr_from_skb(skb, 0, &packet) == 0);
  CHECK(bpf_dynptr_size(&packet) == skb->len);
  slice = bpf_dynptr_slice_rdwr(&packet, 20, buffer, sizeof buffer);
  CHECK(slice);
  slice[0] = 5;
  if (slice == buffer) bpf_dynptr_write(&packet, 20, buffer, sizeof buffer, 0);
  slice = bpf_dynptr_slice(&packet, 20, buffer, sizeof buffer);
  CHECK(slice && slice[0] == 5);
  CHECK(!bpf_dynptr_slice(&packet, skb->len, buffer, sizeof buffer));
  return 0;
}

SEC("xdp")
int dynptr_of_frame(struct xdp_md *xdp) {
  struct bpf_dynptr frame;
  __u8 byte = 6;

  CHECK(bpf_dynptr_from_xdp(xdp, 0, &frame) == 0);
  CHECK(bpf_dynptr_size(&frame) == 64);
  CHECK(bpf_dynptr_write(&frame, 63, &byte, 1, 0) == 0);
  CHECK(bpf_dynptr_write(&frame, 64, &byte, 1, 0) == -7);
  return 0;
}

/* Local ones would be followed through every turn. */
volatile int sum = 0, seen = 0;

SEC("tc")
int iterate(struct __sk_buff *skb) {
  struct bpf_iter_num numbers;
  struct bpf_iter_bits bits;
  __u64 word = 0x8001;
  int *at;

  sum = seen = 0;
  bpf_iter_num_new(&numbers, 1, 11);
  while ((at = bpf_iter_num_next(&numbers))) sum += *at;
  bpf_iter_num_destroy(&numbers);
  CHECK(sum == 55);
  /* None at all, and a range that is refused. */
  bpf_iter_num_new(&numbers, 3, 3);
  while ((at = bpf_iter_num_next(&numbers))) seen++;
  bpf_iter_num_destroy(&numbers);
  bpf_iter_num_new(&numbers, 3, 2);
  while ((at = bpf_iter_num_next(&numbers))) seen++;
  bpf_iter_num_destroy(&numbers);
  CHECK(seen == 0);
  sum = 0;
  bpf_iter_bits_new(&bits, &word, 1);
  while ((at = bpf_iter_bits_next(&bits))) sum += *at, seen++;
  bpf_iter_bits_destroy(&bits);
  CHECK(seen == 2 && sum == 15);
  return 0;
}

/* Thrown two calls deep: nothing of the frames goes on. The packet has 64 bytes. */
static __attribute__((noinline)) int throws_at(__u32 bytes) {
  if (bytes == 64) bpf_throw(42);
  return 0;
}
static __attribute__((noinline)) int deeper(__u32 bytes) {
  throws_at(bytes);
  went_on = 2;
  return 0;
}
SEC("tc")
int throws(struct __sk_buff *skb) {
  went_on = 1;
  deeper(skb->len);
  went_on = 3;
  return 0;
}
