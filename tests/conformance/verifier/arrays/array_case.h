/* One case of the kernel's older verifier suite, as the harness sees it: what the plug-in (array_table.c) hands out. C, because
 * the suite's arrays are.
 */
#pragma once

#include <linux/bpf.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The maps that instructions of a case can name. ARRAY_MAP(enumerator, field of struct bpf_test) */
#define ARRAY_MAPS(ARRAY_MAP)                                     \
  ARRAY_MAP(hash_8b, fixup_map_hash_8b)                           \
  ARRAY_MAP(hash_48b, fixup_map_hash_48b)                         \
  ARRAY_MAP(hash_16b, fixup_map_hash_16b)                         \
  ARRAY_MAP(array_48b, fixup_map_array_48b)                       \
  ARRAY_MAP(sockmap, fixup_map_sockmap)                           \
  ARRAY_MAP(sockhash, fixup_map_sockhash)                         \
  ARRAY_MAP(xskmap, fixup_map_xskmap)                             \
  ARRAY_MAP(stacktrace, fixup_map_stacktrace)                     \
  ARRAY_MAP(prog1, fixup_prog1)                                   \
  ARRAY_MAP(prog2, fixup_prog2)                                   \
  ARRAY_MAP(map_in_map, fixup_map_in_map)                         \
  ARRAY_MAP(cgroup_storage, fixup_cgroup_storage)                 \
  ARRAY_MAP(percpu_cgroup_storage, fixup_percpu_cgroup_storage)   \
  ARRAY_MAP(spin_lock, fixup_map_spin_lock)                       \
  ARRAY_MAP(array_ro, fixup_map_array_ro)                         \
  ARRAY_MAP(array_wo, fixup_map_array_wo)                         \
  ARRAY_MAP(array_small, fixup_map_array_small)                   \
  ARRAY_MAP(sk_storage, fixup_sk_storage_map)                     \
  ARRAY_MAP(event_output, fixup_map_event_output)                 \
  ARRAY_MAP(reuseport_array, fixup_map_reuseport_array)           \
  ARRAY_MAP(ringbuf, fixup_map_ringbuf)                           \
  ARRAY_MAP(timer, fixup_map_timer)                               \
  ARRAY_MAP(kptr, fixup_map_kptr)

enum array_map {
#define ARRAY_MAP(name, field) ARRAY_MAP_##name,
  ARRAY_MAPS(ARRAY_MAP)
#undef ARRAY_MAP
  ARRAY_MAP_COUNT
};

enum array_result { ARRAY_UNDEF, ARRAY_ACCEPT, ARRAY_REJECT, ARRAY_VERBOSE_ACCEPT };

/* retval of a run that may be anything: an address. */
#define ARRAY_ANY_RETVAL 0xcafe4aULL
#define ARRAY_DATA_BYTES 64
/* An expected instruction with this off or imm stands for any. */
#define ARRAY_ANY_OFF ((int16_t)0xffff)
#define ARRAY_ANY_IMM ((int32_t)0xffffffff)

struct array_run {
  uint32_t retval, retval_unpriv; /* unpriv 0: as retval */
  uint8_t data[ARRAY_DATA_BYTES];
};

/* The instruction at `at` names map `map`. */
struct array_fixup {
  enum array_map map;
  int at;
};

/* The instruction at `at` calls a function of the kernel. */
struct array_kfunc {
  const char *name;
  int at;
};

struct array_case {
  const char *file;  /* of the suite, without .c */
  const char *descr;
  const struct bpf_insn *insns;
  uint32_t insn_count;
  const struct array_fixup *fixups;
  uint32_t fixup_count;
  const struct array_kfunc *kfuncs;
  uint32_t kfunc_count;
  /* Runs of instructions that the rewritten program holds, or must not hold, one behind the other; `gap` parts the runs. */
  const struct bpf_insn *expected, *unexpected;
  uint32_t expected_count, unexpected_count;
  struct bpf_insn gap;
  const char *errstr, *errstr_unpriv; /* tab-separated, in order; NULL: none */
  uint32_t insn_processed;            /* 0: any */
  enum array_result result, result_unpriv;
  uint32_t prog_type, expected_attach_type;
  uint32_t prog_flags;                /* as loaded */
  const struct array_run *runs;
  uint32_t run_count;                 /* 0: not to be run */
  const char *target;                 /* function to attach to; NULL: none */
  const struct bpf_func_info *func_info;
  uint32_t func_info_count;
  const uint32_t *btf_types;          /* the type section of the program's BTF; NULL: none */
  uint32_t btf_types_bytes;
  const char *btf_strings;
  uint32_t btf_strings_bytes;
};

/* The one function of the plug-in. Memory stays the plug-in's. */
const struct array_case *ring3_array_cases(uint32_t *count);

#ifdef __cplusplus
}
#endif
