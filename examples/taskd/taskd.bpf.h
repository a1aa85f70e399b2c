/* For schedulers: members, formatted endings, and the exit record that a loader reads. Comes after <linux/bpf.h>, bpf_helpers.h
 * and bpf_tracing.h.
 */
#ifndef TASKD_BPF_H
#define TASKD_BPF_H

#include "taskd_ops.h"
#include "taskd_exit.h"

/* libbpf before 1.3 knows neither sleepable members nor ops that a link holds: loaders mark both (loader/taskd_loader.h), in objects
 * that are compiled for them. */
#ifdef TASKD_OLD_LIBBPF
#define TASKD_SLEEPABLE_SECTION "struct_ops/"
#define TASKD_OPS_SECTION ".struct_ops"
#else
#define TASKD_SLEEPABLE_SECTION "struct_ops.s/"
#define TASKD_OPS_SECTION ".struct_ops.link"
#endif

#define TASKD_MEMBER(name, args...) SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define TASKD_SLEEPABLE_MEMBER(name, args...) SEC(TASKD_SLEEPABLE_SECTION #name) BPF_PROG(name, ##args)
#define TASKD_OPS(name, ...) SEC(TASKD_OPS_SECTION) struct taskd_ops name = {__VA_ARGS__}

#define taskd_say_(call, fmt, args...)            \
  ({                                              \
    char text_[128];                              \
    BPF_SNPRINTF(text_, sizeof(text_), fmt, args); \
    call;                                         \
  })
#define taskd_error(fmt, args...) taskd_say_(taskd_error_text(text_, sizeof(text_)), fmt, ##args)
#define taskd_exit(code, fmt, args...) taskd_say_(taskd_exit_text(code, text_, sizeof(text_)), fmt, ##args)
#define taskd_dump(fmt, args...) taskd_say_(taskd_dump_text(text_, sizeof(text_)), fmt, ##args)

/* The exit record, for loaders: a variable in a map of its own, .data.exit. Written in exit, kind last: whoever sees it sees the rest. */
#define TASKD_EXIT_RECORD(name) struct taskd_exit_record name SEC(".data.exit")
#define TASKD_RECORD_EXIT(record, info)                                                             \
  ({                                                                                                \
    bpf_probe_read_kernel_str((record).reason, sizeof((record).reason), (info)->reason);            \
    bpf_probe_read_kernel_str((record).message, sizeof((record).message), (info)->message);         \
    bpf_probe_read_kernel_str((record).dump, sizeof((record).dump), (info)->dump);                  \
    (record).exit_code = (info)->exit_code;                                                         \
    __sync_val_compare_and_swap(&(record).kind, 0, (info)->kind);                                   \
  })

#endif
