/* For loaders of schedulers: what libbpf before 1.3 (Debian 12's) leaves to them, and how a scheduler's end is told. */
#ifndef TASKD_LOADER_H
#define TASKD_LOADER_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../taskd_exit.h"

/* Before the load. */
static inline void taskd_prepare(struct bpf_map *ops, struct bpf_program *init) {
#ifdef TASKD_OLD_LIBBPF
  bpf_map__set_map_flags(ops, 1u << 13);          /* BPF_F_LINK */
  bpf_program__set_flags(init, BPF_F_SLEEPABLE); /* struct_ops.s/ */
#else
  (void)ops, (void)init;
#endif
}

/* The descriptor of a link that holds the scheduler for as long as it is open, or a negative errno. */
static inline int taskd_attach(struct bpf_map *ops) {
  struct bpf_link *link = bpf_map__attach_struct_ops(ops);
  if (!link) return -errno;
#ifdef TASKD_OLD_LIBBPF
  /* It has filled the map; its link is none. */
  bpf_link__disconnect(link);
  bpf_link__destroy(link);
  const int fd = bpf_link_create(bpf_map__fd(ops), 0, (enum bpf_attach_type)44 /* BPF_STRUCT_OPS */, NULL);
#else
  const int fd = dup(bpf_link__fd(link));
  bpf_link__destroy(link);
#endif
  return fd < 0 ? -errno : fd;
}

/* The record is mapped memory of the host's, which the scheduler writes: kind last. */
static inline int taskd_ended(const struct taskd_exit_record *record) {
  return __atomic_load_n(&record->kind, __ATOMIC_ACQUIRE) != 0;
}

static inline void taskd_report(const struct taskd_exit_record *record) {
  printf("EXIT: %s", record->reason);
  if (record->message[0]) printf(" (%s)", record->message);
  if (record->exit_code) printf(", code %lld", record->exit_code);
  printf("\n%s", record->dump);
}

#endif
