/* Wrong on purpose, in the way that its loader chooses before the load. Each way but the first ones ends it while it is in charge. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"
#include "wrong_ways.h"
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 way;

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

enum { MINE = 1, CLOCK_MONOTONIC = 1 };

void TASKD_MEMBER(wrong_enqueue, struct task *task, __u64 enq_flags)
{
  struct task *first;

  switch (way) {
  case WRONG_QUEUE:
    taskd_dsq_insert(task, 77, 0);
    break;
  case WRONG_LOCAL_CPU:
    taskd_dsq_insert(task, TASKD_DSQ_LOCAL_ON | 77, 0);
    break;
  case WRONG_TASK:
    first = taskd_task_from_id(1);
    if (!first)
      break;
    if (task->id != 1)
      taskd_dsq_insert(first, TASKD_DSQ_GLOBAL, 0);
    taskd_task_put(first);
    break;
  case WRONG_ORDER:
    if (task->id % 2)
      taskd_dsq_insert(task, MINE, 0);
    else
      taskd_dsq_insert_vtime(task, MINE, 0, 1);
    break;
  case WRONG_KICK:
    taskd_kick_cpu(-1, 0);
    break;
  case WRONG_LEAVES:
    taskd_exit(7, "enough of %s", task->name);
    break;
  default:
    taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, 0);
  }
}

void TASKD_MEMBER(wrong_dispatch, __s32 cpu, struct task *prev)
{
  if (way == WRONG_LOOK)
    taskd_dsq_move_to_local(77);
}

void TASKD_MEMBER(wrong_stopping, struct task *task, __u32 runnable)
{
  if (way == WRONG_PLACE)
    taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, 0);
}

__s32 TASKD_MEMBER(wrong_init_task, struct task *task)
{
  return way == WRONG_INIT_TASK ? -28 /* ENOSPC */ : 0;
}

static int on_tick(void *map, __u32 *key, struct tick *tick)
{
  taskd_error("its time has come");
  return 0;
}

__s32 TASKD_SLEEPABLE_MEMBER(wrong_init)
{
  __u32 zero = 0;
  struct tick *tick = bpf_map_lookup_elem(&ticks, &zero);

  if (way == WRONG_INIT)
    return -28 /* ENOSPC */;
  if (way == WRONG_INIT_SAYS)
    taskd_error("not today");
  if (way == WRONG_TIMER && tick) {
    bpf_timer_init(&tick->timer, &ticks, CLOCK_MONOTONIC);
    bpf_timer_set_callback(&tick->timer, on_tick);
    bpf_timer_start(&tick->timer, 1000, 0);
  }
  return taskd_create_dsq(MINE);
}

void TASKD_MEMBER(wrong_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(wrong_ways,
  .enqueue = (void *)wrong_enqueue,
  .dispatch = (void *)wrong_dispatch,
  .stopping = (void *)wrong_stopping,
  .init_task = (void *)wrong_init_task,
  .init = (void *)wrong_init,
  .exit = (void *)wrong_exit,
  .name = "wrong_ways");
