/* XDP programs that say themselves where in a chain they run. Each leaves its mark and answers what it was told to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* Written and read as a whole: see libbpf_chain_test.cc. */
struct {
	__u32 count;
	__u32 marks[15];
	__u32 answers[16];
} seen;

static __always_inline int leave(__u32 mark)
{
	__u32 at = seen.count;

	if (at < 15)
		seen.marks[at] = mark;
	seen.count = at + 1;
	return seen.answers[mark];
}

#define RUNS(name, mark, ...)                                       \
	struct {                                                    \
		__VA_ARGS__                                         \
	} _##name SEC(".xdp_run_config");                           \
	SEC("xdp") int name(struct xdp_md *ctx) { return leave(mark); }

RUNS(early, 1, __uint(priority, 10); __uint(XDP_DROP, 1);)
RUNS(late, 2, __uint(priority, 90); __uint(XDP_PASS, 1);)
RUNS(middle, 3, __uint(priority, 50); __uint(XDP_PASS, 1);)
RUNS(middle_of_a_long_name, 4, __uint(priority, 50); __uint(XDP_TX, 0);)
RUNS(last_word, 5, __uint(priority, 60); __uint(XDP_PASS, 0);)
/* Without a word: priority 50, the next one runs after XDP_PASS. */
SEC("xdp") int silent(struct xdp_md *ctx) { return leave(6); }
/* After every answer there is. */
RUNS(always, 7, __uint(priority, 0); __uint(XDP_ABORTED, 1); __uint(XDP_DROP, 1); __uint(XDP_PASS, 1); __uint(XDP_TX, 1); __uint(XDP_REDIRECT, 1);)

RUNS(of_another_word, 8, __uint(priority, 1); __uint(XDP_MAYBE, 1);)
RUNS(not_a_definition, 9, int priority;)
int _no_struct SEC(".xdp_run_config");
SEC("xdp") int no_struct(struct xdp_md *ctx) { return leave(10); }
