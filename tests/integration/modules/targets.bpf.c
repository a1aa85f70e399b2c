/* Programs whose functions others replace or trace. Every function uses its arguments, so that its callers pass them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define FUNCTION __attribute__((noinline))
#define USE(x) asm volatile("" ::"r"(x))

extern void bpf_throw(__u64 cookie) __ksym;

struct pair { int a, b; };
enum colour { kRed = 1 };

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, int);
  __type(value, int);
} calls SEC(".maps");

FUNCTION int two(struct __sk_buff *skb, int a) { USE(a); return a + skb->len; }
FUNCTION int number(int a) { USE(a); return a; }
FUNCTION long gives_long(int a) { USE(a); return a; }
FUNCTION int takes_pair(struct pair *p) { USE(p); return p ? p->a : 0; }
FUNCTION int takes_sure_pair(struct pair *p __attribute__((btf_decl_tag("arg:nonnull")))) { USE(p); return p->a; }
FUNCTION int takes_int(int *p) { USE(p); return p ? *p : 0; }
FUNCTION int takes_colour(enum colour c) { USE(c); return c; }
FUNCTION int pulls(struct __sk_buff *skb) { return bpf_skb_pull_data(skb, 0); }
FUNCTION int looks(struct __sk_buff *skb) { return skb->len; }
FUNCTION int five(struct __sk_buff *skb, int a, long b, char c, unsigned d) { USE(skb); USE(a); USE(b); USE(c); USE(d); return 0; }
FUNCTION static int static_number(int a) { USE(a); return a; }
FUNCTION static int static_context(struct __sk_buff *skb) { USE(skb); return skb->len; }
FUNCTION static int static_pointer(int *p) { USE(p); return *p; }
FUNCTION static void static_void(int a) { USE(a); }
FUNCTION static int callback(__u32 i, int *sum) { USE(i); *sum += i; return 0; }

SEC("tc") int tc_main(struct __sk_buff *skb) {
  int x = skb->len, sum = 0;
  struct pair p = {1, 2};
  bpf_loop(4, callback, &sum, 0);
  static_void(x);
  return two(skb, 3) + number(x) + gives_long(x) + takes_pair(&p) + takes_sure_pair(&p) + takes_int(&x) + takes_colour(kRed) +
         pulls(skb) + looks(skb) + five(skb, 1, 2, 3, 4) + static_number(x) + static_context(skb) + static_pointer(&x) + sum;
}
SEC("tc") int tc_untyped(void *skb) { return looks(skb); }

/* What exceptions call is no function like others. */
FUNCTION int throws(int a) { USE(a); if (a > 5) bpf_throw(1); return a; }

FUNCTION int component(struct xdp_md *ctx) { USE(ctx); return 31; }
FUNCTION int moves(struct xdp_md *ctx) { return bpf_xdp_adjust_head(ctx, 0); }
SEC("xdp") int xdp_main(struct xdp_md *ctx) { return component(ctx) + moves(ctx); }

FUNCTION int filters(struct __sk_buff *skb) { USE(skb); return 1; }
SEC("cgroup_skb/egress") int egress_main(struct __sk_buff *skb) { return filters(skb) & 1; }

FUNCTION int connects(struct bpf_sock_addr *ctx) { USE(ctx); return 1; }
SEC("cgroup/connect4") int connect_main(struct bpf_sock_addr *ctx) { return connects(ctx) & 1; }

struct request { int a, b; };
FUNCTION int serves(struct request *ctx __attribute__((btf_decl_tag("arg:ctx"))), int a) { USE(a); return ctx->a; }
SEC("syscall") int syscall_main(struct request *ctx) { return serves((void *)ctx, 3); }

SEC("tc") int tail_main(struct __sk_buff *skb) { bpf_tail_call(skb, &calls, 0); return looks(skb); }
