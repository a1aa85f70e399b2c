/* Wrong on purpose: every third task is forgotten. The watchdog finds it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TASKD_EXIT_RECORD(record);

void TASKD_MEMBER(wrong_enqueue, struct task *task, __u64 enq_flags)
{
  if (task->id % 3)
    taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, TASKD_SLICE_DFL);
}

void TASKD_MEMBER(wrong_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(wrong_stall,
  .enqueue = (void *)wrong_enqueue,
  .exit = (void *)wrong_exit,
  .timeout_ms = 500,
  .name = "wrong_stall");
