/* One CPU decides for all: the others ask it for tasks and are given one each. A timer ends slices of those that run while tasks
 * wait. After Linux's scx_central.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { CENTRAL_CPU = 0, LONG_SLICE = 1 << 30, CLOCK_MONOTONIC = 1, TIMER_NS = 1000 * 1000 };

/* The tasks that wait: a list of this program's own objects, each with a reference to one of the host's. */
struct waiter {
  struct bpf_list_node node;
  struct task __kptr *task;
};
struct waiting {
  struct bpf_spin_lock lock;
  struct bpf_list_head list __contains(waiter, node);
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct waiting);
} waiting SEC(".maps");

struct tick {
  struct bpf_timer timer;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tick);
} ticks SEC(".maps");

TASKD_EXIT_RECORD(record);

/* CPUs that have asked, and how many tasks wait. */
__u8 asks[TASKD_MAX_CPUS];
__s64 nr_waiting;

__s32 TASKD_MEMBER(central_select_cpu, struct task *task, __s32 prev_cpu)
{
  return CENTRAL_CPU;
}

/* Whether there was memory for it. */
static __always_inline _Bool push(struct task *task)
{
  __u32 zero = 0;
  struct waiting *w = bpf_map_lookup_elem(&waiting, &zero);
  struct waiter *waiter;
  struct task *ref;

  if (!w)
    return 0;
  waiter = bpf_obj_new(struct waiter);
  if (!waiter)
    return 0;
  ref = taskd_task_get(task);
  if (ref)
    ref = bpf_kptr_xchg(&waiter->task, ref);
  if (ref)
    taskd_task_put(ref);
  bpf_spin_lock(&w->lock);
  bpf_list_push_back(&w->list, &waiter->node);
  bpf_spin_unlock(&w->lock);
  __sync_fetch_and_add(&nr_waiting, 1);
  return 1;
}

/* The first, owned; null: there is none. */
static __always_inline struct waiter *pop(void)
{
  __u32 zero = 0;
  struct waiting *w = bpf_map_lookup_elem(&waiting, &zero);
  struct bpf_list_node *node;

  if (!w)
    return 0;
  bpf_spin_lock(&w->lock);
  node = bpf_list_pop_front(&w->list);
  bpf_spin_unlock(&w->lock);
  if (!node)
    return 0;
  __sync_fetch_and_add(&nr_waiting, -1);
  return container_of(node, struct waiter, node);
}

void TASKD_MEMBER(central_enqueue, struct task *task, __u64 enq_flags)
{
  if (!push(task)) {
    taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, TASKD_SLICE_DFL);
    return;
  }
  taskd_kick_cpu(CENTRAL_CPU, TASKD_KICK_PREEMPT);
}

/* Whether cpu got one. */
static _Bool give_one(__s32 cpu)
{
  struct waiter *waiter = pop();
  struct task *task;

  if (!waiter)
    return 0;
  task = bpf_kptr_xchg(&waiter->task, 0);
  bpf_obj_drop(waiter);
  if (!task)
    return 0;
  taskd_dsq_insert(task, TASKD_DSQ_LOCAL_ON | (__u32)cpu, LONG_SLICE);
  taskd_task_put(task);
  return 1;
}

static long answer(__u32 cpu, void *unused)
{
  if (cpu < TASKD_MAX_CPUS && asks[cpu] && give_one(cpu))
    asks[cpu] = 0;
  return 0;
}

void TASKD_MEMBER(central_dispatch, __s32 cpu, struct task *prev)
{
  if (cpu != CENTRAL_CPU) {
    if (cpu > 0 && cpu < TASKD_MAX_CPUS)
      asks[cpu] = 1;
    taskd_kick_cpu(CENTRAL_CPU, TASKD_KICK_PREEMPT);
    return;
  }
  bpf_loop(taskd_nr_cpus(), answer, 0, 0);
  give_one(CENTRAL_CPU);
}

static long preempt(__u32 cpu, void *unused)
{
  taskd_kick_cpu(cpu, TASKD_KICK_PREEMPT);
  return 0;
}

static int on_tick(void *map, __u32 *key, struct tick *tick)
{
  if (nr_waiting)
    bpf_loop(taskd_nr_cpus(), preempt, 0, 0);
  bpf_timer_start(&tick->timer, TIMER_NS, 0);
  return 0;
}

static long forget(__u32 i, void *unused)
{
  struct waiter *waiter = pop();

  if (!waiter)
    return 1;
  bpf_obj_drop(waiter); /* and with it the reference it owns */
  return 0;
}

/* Not for the first time, perhaps: who waited is another one's now. */
__s32 TASKD_SLEEPABLE_MEMBER(central_init)
{
  __u32 zero = 0;
  struct tick *tick = bpf_map_lookup_elem(&ticks, &zero);

  if (!tick)
    return -2 /* ENOENT */;
  bpf_loop(1 << 20, forget, 0, 0);
  bpf_timer_init(&tick->timer, &ticks, CLOCK_MONOTONIC);
  bpf_timer_set_callback(&tick->timer, on_tick);
  return bpf_timer_start(&tick->timer, TIMER_NS, 0);
}

void TASKD_MEMBER(central_exit, struct taskd_exit_info *info)
{
  __u32 zero = 0;
  struct tick *tick = bpf_map_lookup_elem(&ticks, &zero);

  if (tick)
    bpf_timer_cancel(&tick->timer);
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(central,
  .select_cpu = (void *)central_select_cpu,
  .enqueue = (void *)central_enqueue,
  .dispatch = (void *)central_dispatch,
  .init = (void *)central_init,
  .exit = (void *)central_exit,
  .name = "central");
