/* Components for a dispatcher of XDP programs: each leaves its mark in the order of their runs and answers what it was told to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* 0: how many marks; behind it the marks, wrapped. Shared by all that run at a device. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} marks SEC(".maps");

const volatile int answer = XDP_PASS;

static __always_inline int leave(__u32 mark)
{
	__u32 key = 0;
	__u32 *count = bpf_map_lookup_elem(&marks, &key);

	if (!count)
		return XDP_ABORTED;
	key = 1 + __sync_fetch_and_add(count, 1) % 63;
	bpf_map_update_elem(&marks, &key, &mark, BPF_ANY);
	return answer;
}

/* What a loader reads of each: its priority, and after which answers the next one runs (behaviour.md D.6.2). */
#define RUNS(name, mark, ...)                                       \
	struct {                                                    \
		__VA_ARGS__                                         \
	} _##name SEC(".xdp_run_config");                           \
	SEC("xdp") int name(struct xdp_md *ctx) { return leave(mark); }

RUNS(early, 1, __uint(priority, 10); __uint(XDP_PASS, 1); __uint(XDP_DROP, 1);)
RUNS(late, 2, __uint(priority, 90); __uint(XDP_PASS, 1);)
RUNS(middle, 3, __uint(priority, 50); __uint(XDP_PASS, 1);)
RUNS(middle_too, 4, __uint(priority, 50); __uint(XDP_PASS, 1); __uint(XDP_TX, 0);)
/* Without a word: priority 50, the next one runs after XDP_PASS. */
SEC("xdp") int silent(struct xdp_md *ctx) { return leave(5); }
