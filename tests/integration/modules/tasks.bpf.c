/* The host's threads as tasks. Each program returns 0, or the number of the line that went wrong. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define CHECK(c) \
  if (!(c)) return __LINE__

struct task_struct {
  int pid;
  int tgid;
  char comm[16];
} __attribute__((preserve_access_index));

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
} __attribute__((preserve_access_index));

struct keep {
  struct task_struct __kptr *task;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct keep);
} keeps SEC(".maps");

struct note {
  __u64 seen;
  struct task_struct __kptr *task;
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct note);
} notes SEC(".maps");

int wanted = 0;  /* a thread's number */
int threads = 0; /* as the walk counts them */
int processes = 0;
int met = 0;     /* whether it came by `wanted` */

SEC("tc")
int walk(struct __sk_buff *skb) {
  struct bpf_iter_task it;
  struct task_struct *task;

  threads = processes = met = 0;
  bpf_iter_task_new(&it, 0, RING3_TASKS_OF_ALL);
  while ((task = bpf_iter_task_next(&it))) {
    threads++;
    if (task->pid == wanted) met = 1;
  }
  bpf_iter_task_destroy(&it);
  bpf_iter_task_new(&it, 0, 0);
  while ((task = bpf_iter_task_next(&it))) {
    processes++;
    if (task->pid != task->tgid) met = -1;
  }
  bpf_iter_task_destroy(&it);
  return 0;
}

SEC("tc")
int current_is(struct __sk_buff *skb) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct task_struct *same;

  CHECK(task->pid == (int)bpf_get_current_pid_tgid());
  CHECK(task->tgid == (int)(bpf_get_current_pid_tgid() >> 32));
  same = bpf_task_acquire(task);
  CHECK(same);
  bpf_task_release(same);
  same = bpf_task_from_pid(task->pid);
  CHECK(same);
  bpf_task_release(same);
  same = bpf_task_from_pid(-1);
  if (same) bpf_task_release(same);
  CHECK(!same);
  return 0;
}

SEC("tc")
int keep_wanted(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct keep *keep = bpf_map_lookup_elem(&keeps, &zero);
  struct task_struct *task;

  CHECK(keep);
  task = bpf_task_from_pid(wanted);
  CHECK(task);
  task = bpf_kptr_xchg(&keep->task, task);
  if (task) bpf_task_release(task);
  return 0;
}

/* 0: the kept task is `wanted`. */
SEC("tc")
int look(struct __sk_buff *skb) {
  __u32 zero = 0;
  struct keep *keep = bpf_map_lookup_elem(&keeps, &zero);
  struct task_struct *task;

  CHECK(keep);
  task = keep->task;
  CHECK(task);
  CHECK(task->pid == wanted);
  return 0;
}

/* Every task's own reference in its own storage. */
SEC("iter/task")
int note_all(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  struct note *note;

  if (!task) return 0;
  note = bpf_task_storage_get(&notes, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!note) return 0;
  note->seen++;
  task = bpf_task_acquire(task);
  if (!task) return 0;
  task = bpf_kptr_xchg(&note->task, task);
  if (task) bpf_task_release(task);
  return 0;
}
