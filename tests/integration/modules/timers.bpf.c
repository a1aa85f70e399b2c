/* A timer and a work item in one value. Each program returns what the last call returned, negated. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct alarm {
  struct bpf_timer timer;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct alarm);
} alarms SEC(".maps");

__u64 rung = 0;

static int rings(void *map, __u32 *key, struct alarm *alarm) {
  __sync_fetch_and_add(&rung, 1);
  return 0;
}

static struct alarm *the_alarm(__u32 number) { return bpf_map_lookup_elem(&alarms, &number); }

/* An hour from now. */
SEC("tc")
int arm(struct __sk_buff *skb) {
  struct alarm *alarm = the_alarm(0);
  long error;

  if (!alarm) return 1000;
  error = bpf_timer_init(&alarm->timer, &alarms, 1 /* CLOCK_MONOTONIC */);
  if (error) return -error;
  error = bpf_timer_set_callback(&alarm->timer, rings);
  if (error) return -error;
  return -bpf_timer_start(&alarm->timer, 3600ull * 1000000000, 0);
}

SEC("tc")
int start_again(struct __sk_buff *skb) {
  struct alarm *alarm = the_alarm(0);
  return alarm ? -bpf_timer_start(&alarm->timer, 0, 0) : 1000;
}

SEC("tc")
int set_again(struct __sk_buff *skb) {
  struct alarm *alarm = the_alarm(0);
  return alarm ? -bpf_timer_set_callback(&alarm->timer, rings) : 1000;
}

SEC("tc")
int make_another(struct __sk_buff *skb) {
  struct alarm *alarm = the_alarm(1);
  return alarm ? -bpf_timer_init(&alarm->timer, &alarms, 1) : 1000;
}
