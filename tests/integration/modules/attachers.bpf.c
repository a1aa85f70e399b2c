/* Programs that replace or trace functions of targets.bpf.c, well or badly. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define FUNCTION __attribute__((noinline))
#define REPLACES SEC("freplace")
#define ENTRY SEC("fentry")
#define EXIT SEC("fexit")
#define TAGGED(tag) __attribute__((btf_decl_tag("arg:" tag)))

struct pair { int a, b; };
struct other_pair { int a, b; };
enum colour { kRed = 1 };
enum size { kSmall = 1 };
struct request { int a, b, c; };

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, int);
  __type(value, int);
} calls SEC(".maps");

REPLACES int r_two(struct __sk_buff *skb, int a) { return a - skb->len; }
REPLACES int r_two_unsigned(struct __sk_buff *x, unsigned z) { return 0; }
REPLACES int r_three(struct __sk_buff *skb, int a, int b) { return a; }
REPLACES int r_context(struct __sk_buff *skb) { return skb->len; }
REPLACES int r_long(struct __sk_buff *skb, long a) { return a; }
REPLACES int r_enum(struct __sk_buff *skb, enum colour a) { return a; }
REPLACES int r_pointer(struct __sk_buff *skb, int *a) { return a ? *a : 0; }
REPLACES int r_other_context(struct xdp_md *ctx, int a) { return a; }
REPLACES long r_returns_long(struct __sk_buff *skb, int a) { return a; }
REPLACES enum colour r_returns_enum(struct __sk_buff *skb, int a) { return a; }
REPLACES void r_returns_nothing(struct __sk_buff *skb, int a) {}
REPLACES int r_number(int a) { return a; }
REPLACES int r_pair(struct pair *p) { return p ? p->a : 0; }
REPLACES int r_other_pair(struct other_pair *p) { return p ? p->a : 0; }
REPLACES int r_sure_pair(struct pair *p TAGGED("nonnull")) { return p->a; }
REPLACES int r_forgets_null(struct pair *p) { return p->a; }
REPLACES int r_int(int *p) { return p ? *p : 0; }
REPLACES int r_colour(enum colour c) { return c; }
REPLACES int r_size(enum size c) { return c; }
REPLACES int r_pulls(struct __sk_buff *skb) { return bpf_skb_pull_data(skb, 0); }
REPLACES int r_tail(struct __sk_buff *skb) { bpf_tail_call(skb, &calls, 0); return 0; }
REPLACES int r_writes(struct __sk_buff *skb, int a) {
  void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
  skb->mark = 1;
  if (data + 4 > end) return 0;
  *(int *)data = a;
  return 0;
}
FUNCTION static int own_static(struct __sk_buff *skb, int a) { return skb->len + a; }
FUNCTION int own_global(struct __sk_buff *skb, int a) { volatile int r = skb->len + a; return r; }
REPLACES int r_calls(struct __sk_buff *skb, int a) { return own_static(skb, a) + own_global(skb, a); }
REPLACES int r_xdp(struct xdp_md *ctx) { return ctx->rx_queue_index; }
REPLACES int r_moves(struct xdp_md *ctx) { return bpf_xdp_adjust_head(ctx, 0); }
REPLACES int r_zero(struct __sk_buff *skb) { return 0; }
REPLACES int r_seven(struct __sk_buff *skb) { return 7; }
REPLACES int r_connects(struct bpf_sock_addr *ctx) { return ctx->user_ip4 == 1; }
REPLACES int r_sends(struct bpf_sock_addr *ctx) { return ctx->msg_src_ip4 == 1; }
REPLACES int r_serves(struct request *ctx TAGGED("ctx"), int a) { return ctx->a; }
REPLACES int r_reaches(struct request *ctx TAGGED("ctx"), int a) { return ctx->c; }

ENTRY int e_nothing(__u64 *ctx) { return 0; }
ENTRY int e_returns(__u64 *ctx) { return 1; }
ENTRY int e_writes(__u64 *ctx) { ctx[0] = 1; return 0; }
ENTRY int e_byte(__u64 *ctx) { (void)*(volatile char *)ctx; return 0; }
ENTRY int e_helpers(__u64 *ctx) { __u64 v = 0; bpf_get_func_arg(ctx, 0, &v); return bpf_get_func_arg_cnt(ctx) > 5 ? 0 : 0; }
EXIT int x_helpers(__u64 *ctx) { __u64 v = 0; bpf_get_func_ret(ctx, &v); return 0; }
SEC("fentry.s") int e_sleeps(__u64 *ctx) { return 0; }
SEC("fmod_ret") int m_nothing(__u64 *ctx) { return 0; }
SEC("tp_btf") int t_nothing(__u64 *ctx) { return 0; }
SEC("iter") int i_nothing(__u64 *ctx) { return 0; }
FUNCTION int inside(int a) { volatile int r = a; return r; }
ENTRY int e_calls(__u64 *ctx) { inside(3); return 0; }

/* What ran, and what it saw. */
__u64 entries, arg, result, cookie_seen;
ENTRY int e_counts(__u64 *ctx) { entries += 1; arg = ctx[1]; return 0; }
EXIT int x_counts(__u64 *ctx) { entries += 100; result = ctx[2]; return 0; }

#define READS(n) \
  ENTRY int e_arg##n(__u64 *ctx) { (void)*(volatile __u64 *)&ctx[n]; return 0; } \
  EXIT int x_arg##n(__u64 *ctx) { (void)*(volatile __u64 *)&ctx[n]; return 0; }
READS(0) READS(1) READS(2) READS(3) READS(4) READS(5) READS(6)
