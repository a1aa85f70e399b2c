/* Wrong on purpose: after a hundred tasks it finds an error, and says so. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TASKD_EXIT_RECORD(record);

static __u32 seen;

void TASKD_MEMBER(wrong_enqueue, struct task *task, __u64 enq_flags)
{
  if (++seen == 100)
    taskd_error("%s[%llu] is one too many", task->name, task->id);
  taskd_dsq_insert(task, TASKD_DSQ_GLOBAL, TASKD_SLICE_DFL);
}

void TASKD_MEMBER(wrong_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(wrong_error,
  .enqueue = (void *)wrong_enqueue,
  .exit = (void *)wrong_exit,
  .name = "wrong_error");
