/* Wrong on purpose: from the tenth wake-up on, it names a CPU that is not there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "taskd.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TASKD_EXIT_RECORD(record);

static __u32 wakeups;

__s32 TASKD_MEMBER(wrong_select_cpu, struct task *task, __s32 prev_cpu)
{
  return ++wakeups < 10 ? prev_cpu : 9999;
}

void TASKD_MEMBER(wrong_exit, struct taskd_exit_info *info)
{
  TASKD_RECORD_EXIT(record, info);
}

TASKD_OPS(wrong_cpu,
  .select_cpu = (void *)wrong_select_cpu,
  .exit = (void *)wrong_exit,
  .name = "wrong_cpu");
