/* Five queues of task numbers, one for each range of weights, in a map of queues. Dispatch goes round them and takes more from the
 * heavier ones. What each task has seen is kept in its storage. After Linux's scx_qmap.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { QUEUES = 5, SHARED = 1 };

struct queue {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 4096);
  __type(value, __u64);
} queue0 SEC(".maps"), queue1 SEC(".maps"), queue2 SEC(".maps"), queue3 SEC(".maps"), queue4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, QUEUES);
  __type(key, __u32);
  __array(values, struct queue);
} queues SEC(".maps") = {
  .values = { &queue0, &queue1, &queue2, &queue3, &queue4 },
};

/* For each task. */
struct task_note {
  __u64 enqueued, dispatched;
  __u32 queue; /* where it was last */
};
struct {
  __uint(type, RING3_OBJECT_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct task_note);
} notes SEC(".maps");

TASKD_EXIT_RECORD(record);
__u64 enqueued, dispatched;

static __u32 round, left_in_round;

/* Up to 50, 100, 200, 400, and above. */
static __u32 queue_of(__u32 weight)
{
  return weight <= 50 ? 0 : weight <= 100 ? 1 : weight <= 200 ? 2 : weight <= 400 ? 3 : 4;
}

void TASKD_MEMBER(qmap_enqueue, struct task *task, __u64 enq_flags)
{
  struct task_note *note = ring3_storage_get(&notes, task, 0, 0);
  __u32 which = queue_of(task->weight);
  __u64 id = task->id;
  void *queue = bpf_map_lookup_elem(&queues, &which);

  /* Full: the global queue has room for all. */
  if (!queue || bpf_map_push_elem(queue, &id, 0)) {
    taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, TASKD_SLICE_DFL);
    return;
  }
  enqueued++;
  if (note) {
    note->enqueued++;
    note->queue = which;
  }
}

/* Whether there was a number in that queue. */
static _Bool take_from(__u32 which, __u64 *id)
{
  void *queue = bpf_map_lookup_elem(&queues, &which);

  return queue && !bpf_map_pop_elem(queue, id);
}

static _Bool dispatch_from(__u32 which)
{
  struct task_note *note;
  struct task *task;
  __u64 id;

  if (!take_from(which, &id))
    return 0;
  task = taskd_task_from_id(id);
  if (!task)
    return 1; /* it has ended */
  note = ring3_storage_get(&notes, task, 0, 0);
  if (note)
    note->dispatched++;
  dispatched++;
  taskd_dsq_insert(task, SHARED, TASKD_SLICE_DFL);
  taskd_task_put(task);
  return 1;
}

/* From the queue whose turn it is: one of the lightest, sixteen of the heaviest. */
static long take_turn(__u32 i, void *unused)
{
  if (left_in_round && dispatch_from(round % QUEUES)) {
    left_in_round--;
    return taskd_dsq_nr_queued(SHARED) > 0;
  }
  round++;
  left_in_round = 1 << (round % QUEUES);
  return 0;
}

void TASKD_MEMBER(qmap_dispatch, __s32 cpu, struct task *prev)
{
  bpf_loop(4 * QUEUES, take_turn, 0, 0);
  taskd_dsq_move_to_local(SHARED);
}

__s32 TASKD_MEMBER(qmap_init_task, struct task *task)
{
  return ring3_storage_get(&notes, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -12 /* ENOMEM */;
}

void TASKD_MEMBER(qmap_exit_task, struct task *task)
{
  ring3_storage_delete(&notes, task);
}

void TASKD_MEMBER(qmap_dump)
{
  taskd_dump("qmap: %llu enqueued, %llu dispatched", enqueued, dispatched);
}

static long empty_queue(__u32 i, __u32 *which)
{
  __u64 id;

  if (!take_from(*which, &id))
    ++*which;
  return *which == QUEUES;
}

/* Not for the first time, perhaps: what was in the queues is another one's now. */
__s32 TASKD_SLEEPABLE_MEMBER(qmap_init)
{
  __u32 which = 0;

  bpf_loop(1 << 20, empty_queue, &which, 0);
  return taskd_create_dsq(SHARED);
}

void TASKD_MEMBER(qmap_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(qmap,
  .enqueue = (void *)qmap_enqueue,
  .dispatch = (void *)qmap_dispatch,
  .init_task = (void *)qmap_init_task,
  .exit_task = (void *)qmap_exit_task,
  .dump = (void *)qmap_dump,
  .init = (void *)qmap_init,
  .exit = (void *)qmap_exit,
  .timeout_ms = 5000,
  .name = "qmap");
