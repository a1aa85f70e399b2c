/* One queue for all CPUs, in the order of virtual time: a task's clock runs the faster the less it weighs, so who weighs twice as much
 * gets twice as much. With fifo, in the order of coming. After Linux's scx_simple.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { SHARED = 0 };

/* Set by loaders before the load. */
const volatile _Bool fifo;

/* For each of the runner's CPUs; loaders give it the size that is needed, and read it. */
struct cpu_stats {
  __u64 woken;  /* tasks that found it idle */
  __u64 queued; /* that it sent to the queue */
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, TASKD_MAX_CPUS);
  __type(key, __u32);
  __type(value, struct cpu_stats);
} stats SEC(".maps");

TASKD_EXIT_RECORD(record);

/* Where virtual time has got to. Members run one at a time. */
static __u64 vtime_now;

__s32 TASKD_MEMBER(simple_select_cpu, struct task *task, __s32 prev_cpu)
{
  __s32 cpu = taskd_pick_idle_cpu(prev_cpu);
  struct cpu_stats *s;

  if (cpu < 0)
    return prev_cpu;
  s = bpf_map_lookup_elem(&stats, &cpu);
  if (s)
    s->woken++;
  taskd_dsq_insert(task, TASKD_DSQ_LOCAL, TASKD_SLICE_DFL);
  return cpu;
}

void TASKD_MEMBER(simple_enqueue, struct task *task, __u64 enq_flags)
{
  __u64 vtime = task->vtime;
  __s32 cpu = task->cpu;
  struct cpu_stats *s = bpf_map_lookup_elem(&stats, &cpu);

  if (s)
    s->queued++;
  if (fifo) {
    taskd_dsq_insert(task, SHARED, TASKD_SLICE_DFL);
    return;
  }
  /* Who slept for long has saved a slice at most. */
  if (vtime + TASKD_SLICE_DFL < vtime_now)
    vtime = vtime_now - TASKD_SLICE_DFL;
  taskd_dsq_insert_vtime(task, SHARED, TASKD_SLICE_DFL, vtime);
}

void TASKD_MEMBER(simple_dispatch, __s32 cpu, struct task *prev)
{
  taskd_dsq_move_to_local(SHARED);
}

void TASKD_MEMBER(simple_running, struct task *task)
{
  if (vtime_now < task->vtime)
    vtime_now = task->vtime;
}

/* What it has used of its slice counts. */
void TASKD_MEMBER(simple_stopping, struct task *task, __u32 runnable)
{
  task->vtime += (TASKD_SLICE_DFL - task->slice) * 100 / task->weight;
}

/* A new one waits for a slice: who spawns one after the other would else be served for ever. */
void TASKD_MEMBER(simple_enable, struct task *task)
{
  task->vtime = vtime_now + TASKD_SLICE_DFL * 100 / task->weight;
}

__s32 TASKD_SLEEPABLE_MEMBER(simple_init)
{
  return taskd_create_dsq(SHARED);
}

void TASKD_MEMBER(simple_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(simple,
  .select_cpu = (void *)simple_select_cpu,
  .enqueue = (void *)simple_enqueue,
  .dispatch = (void *)simple_dispatch,
  .running = (void *)simple_running,
  .stopping = (void *)simple_stopping,
  .enable = (void *)simple_enable,
  .init = (void *)simple_init,
  .exit = (void *)simple_exit,
  .name = "simple");
