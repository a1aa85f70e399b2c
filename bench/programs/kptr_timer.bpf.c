/* 256 starts of one timer a run, each later than the run; `nothing` is the loop and the lookup alone. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { OPS = 256 };

struct alarm {
  struct bpf_timer timer;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct alarm);
} alarms SEC(".maps");

static int rings(void *map, __u32 *key, struct alarm *alarm) { return 0; }

static struct alarm *the_alarm(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&alarms, &zero);
}

static long do_nothing(__u32 i, void *unused) { return the_alarm() == 0; }

static long do_start(__u32 i, void *unused) {
  struct alarm *alarm = the_alarm();
  return !alarm || bpf_timer_start(&alarm->timer, 1000000000ull + i, 0);
}

SEC("tc")
int fill(struct __sk_buff *skb) {
  struct alarm *alarm = the_alarm();

  if (!alarm || bpf_timer_init(&alarm->timer, &alarms, 1)) return 1;
  return bpf_timer_set_callback(&alarm->timer, rings) != 0;
}

SEC("tc")
int nothing(struct __sk_buff *skb) { return bpf_loop(OPS, do_nothing, 0, 0) != OPS; }

SEC("tc")
int start(struct __sk_buff *skb) { return bpf_loop(OPS, do_start, 0, 0) != OPS; }
