/* What a scheduler for taskd is: one header for the C++ host, for BPF schedulers, and for the BTF that clients see. Modelled on
 * Linux's sched_ext, with stand-ins of the host's own: worker threads are CPUs, and a task is a body that runs in steps.
 *
 * Life of a task: a wake-up asks select_cpu, then enqueue, which puts the task into a dispatch queue (DSQ) or keeps it in mind. A CPU
 * runs what is in its local DSQ, then what is in the global one, and then asks dispatch for more. running and stopping frame every
 * slice; a task that stops with work left is enqueued again.
 *
 * A scheduler that errs is ejected: the host's own FIFO takes over all tasks at that moment, and exit hears why. What is an error:
 * a CPU or a queue that is not there, a function called where it may not be, a runnable task that waits longer than
 * timeout_ms, and what the scheduler itself calls one.
 */
#ifndef TASKD_OPS_H
#define TASKD_OPS_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TASKD_NAME_LEN = 32,
  TASKD_TASK_NAME_LEN = 16,
  TASKD_MAX_CPUS = 64,
  TASKD_SLICE_DFL = 20, /* steps */
  TASKD_TIMEOUT_MAX_MS = 30000,
};

/* Queues that are always there; schedulers make others, whose numbers lie below TASKD_DSQ_BUILTIN. */
#define TASKD_DSQ_BUILTIN (1ULL << 63)
#define TASKD_DSQ_GLOBAL (TASKD_DSQ_BUILTIN | 1)
#define TASKD_DSQ_LOCAL (TASKD_DSQ_BUILTIN | 2)              /* of the task's CPU; in dispatch, of the CPU that asks */
#define TASKD_DSQ_LOCAL_ON (TASKD_DSQ_BUILTIN | (1ULL << 62)) /* | cpu */

enum taskd_enq_flags {
  TASKD_ENQ_WAKEUP = 1 << 0,  /* it has slept; else its slice has ended */
  TASKD_ENQ_TAKEOVER = 1 << 1 /* it was runnable under another scheduler */
};

enum taskd_kick_flags {
  TASKD_KICK_PREEMPT = 1 << 0, /* whatever runs there ends its slice after this step */
};

enum taskd_ops_flags {
  TASKD_OPS_DUMP_ALWAYS = 1 << 0, /* a dump is made of every end, not of errors alone */
  TASKD_OPS_ALL_FLAGS = TASKD_OPS_DUMP_ALWAYS,
};

enum taskd_exit_kind {
  TASKD_EXIT_NONE = 0,
  TASKD_EXIT_UNREG = 64,     /* its link went: rmmod, a loader that ended, the host's own end */
  TASKD_EXIT_REPLACED = 65,  /* its link went to another scheduler */
  TASKD_EXIT_BPF = 66,       /* it asked for it: taskd_exit() */
  TASKD_EXIT_ERROR = 1024,   /* the host found an error */
  TASKD_EXIT_ERROR_BPF = 1025,   /* it found one itself: taskd_error() */
  TASKD_EXIT_ERROR_STALL = 1026, /* the watchdog did */
};

/* Schedulers may write slice and vtime; the rest is the host's. References may be kept (struct task __kptr *). */
struct task {
  __u64 id;     /* positive, never reused */
  __u64 vtime;  /* order in queues by taskd_dsq_insert_vtime(); the scheduler's own */
  __u64 steps;  /* it has run so far */
  __s32 cpu;    /* it runs there, or ran last, or was woken for */
  __u32 weight; /* 1 to 10000; plain is 100 */
  __u32 slice;  /* steps it may still run before it stops */
  char name[TASKD_TASK_NAME_LEN];
};

struct taskd_exit_info {
  __u32 kind; /* enum taskd_exit_kind */
  __s64 exit_code; /* of taskd_exit(); a failing init's result */
  char reason[64]; /* the kind, in words */
  char message[192];
  char dump[1024]; /* of an error: CPUs, queues and runnable tasks at that moment */
};

/* A scheduler. All members but init and exit run one at a time, and must be quick. */
struct taskd_ops {
  /* The CPU a task that wakes up is for; it is kicked. Left out: an idle one, or prev_cpu. May insert into TASKD_DSQ_LOCAL
   * itself: then enqueue is not called. */
  __s32 (*select_cpu)(struct task *task, __s32 prev_cpu);
  /* Left out: into the global queue. */
  void (*enqueue)(struct task *task, __u64 enq_flags);
  /* cpu has nothing to run. prev: what it has just stopped running, if that has work left (it was enqueued). */
  void (*dispatch)(__s32 cpu, struct task *prev);
  void (*running)(struct task *task);
  void (*stopping)(struct task *task, __u32 runnable);
  /* The scheduler gets a task: a new one, or every one there is as it takes over. Nonzero refuses it, and the scheduler with it. */
  __s32 (*init_task)(struct task *task);
  void (*enable)(struct task *task);
  /* It ends, or the scheduler does. */
  void (*exit_task)(struct task *task);
  /* Adds to the dump of an error by taskd_dump(). */
  void (*dump)(void);
  /* Before everything else; may sleep. Nonzero: it is not to be. */
  __s32 (*init)(void);
  /* After everything else. */
  void (*exit)(struct taskd_exit_info *info);
  __u64 flags; /* enum taskd_ops_flags */
  __u32 timeout_ms; /* how long a runnable task may wait; 0: TASKD_TIMEOUT_MAX_MS */
  char name[TASKD_NAME_LEN]; /* required */
} RING3_STRUCT_OPS;

void taskd_ops__dispatch(__s32 cpu, struct task *prev__nullable);

/* In init. 0, -EEXIST, -EINVAL (number), -ENOMEM. */
__s32 taskd_create_dsq(__u64 dsq) RING3_KFUNC;

/* Puts a task into a queue: in enqueue the task that it is about; in dispatch any that has been enqueued and is in no queue, others
 * are left alone. slice: steps; 0 leaves what it has. A queue is either in the order of insertion or by vtime. */
void taskd_dsq_insert(struct task *task, __u64 dsq, __u32 slice) RING3_KFUNC;
void taskd_dsq_insert_vtime(struct task *task, __u64 dsq, __u32 slice, __u64 vtime) RING3_KFUNC;
/* In dispatch: the queue's first task goes to the CPU that asks. 0: it was empty. */
__s32 taskd_dsq_move_to_local(__u64 dsq) RING3_KFUNC;
/* In any member: how many tasks are there, or -ENOENT. */
__s32 taskd_dsq_nr_queued(__u64 dsq) RING3_KFUNC;

/* In any member. An idle CPU that is no longer taken for idle, or -EBUSY; the best for a task: prev_cpu if it is idle. */
__s32 taskd_pick_idle_cpu(__s32 prev_cpu) RING3_KFUNC;
/* In any member: a bit per CPU. */
__u64 taskd_idle_cpus(void) RING3_KFUNC;
/* In any member: whether it runs now. */
__u32 taskd_task_running(struct task *task) RING3_KFUNC;

/* Anywhere, timers' callbacks included, as what follows. */
void taskd_kick_cpu(__s32 cpu, __u64 kick_flags) RING3_KFUNC;
__u32 taskd_nr_cpus(void) RING3_KFUNC;
/* A reference, to be stored or put; null: it has ended. */
struct task *taskd_task_from_id(__u64 id) RING3_KFUNC;
struct task *taskd_task_get(struct task *task) RING3_KFUNC;
void taskd_task_put(struct task *task) RING3_KFUNC;

/* Ends the scheduler; taskd.bpf.h has macros that format. */
void taskd_error_text(const char *text, __u32 text__sz) RING3_KFUNC;
void taskd_exit_text(__s64 exit_code, const char *text, __u32 text__sz) RING3_KFUNC;
/* In dump: a line. */
void taskd_dump_text(const char *text, __u32 text__sz) RING3_KFUNC;

#ifdef __cplusplus
}
#endif

#endif
