/* What the suite's arrays are written in terms of: the struct they initialise, its constants, and the instruction sequences
 * they use by name. Field names and constants are the arrays'; the instruction macros come from the package.
 */
#pragma once

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <linux/types.h>
#include <linux/unistd.h>
#include <linux/bpf_perf_event.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/if_ether.h>

#include "array_case.h"
#include "test_btf.h"                    /* of the selftests: BTF encodings */
#include "../../../include/linux/filter.h" /* of the kernel's tools: instruction macros */

#define offsetofend(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

#define MAX_INSNS 4096
#define MAX_FIXUPS 8
#define MAX_TEST_RUNS 8
#define MAX_MATCH_INSNS 32
#define MAX_FUNC_INFOS 8
#define MAX_BTF_STRINGS 256
#define MAX_BTF_TYPES 256

#define TEST_DATA_LEN ARRAY_DATA_BYTES
#define POINTER_VALUE ARRAY_ANY_RETVAL
#define INSN_OFF_MASK ARRAY_ANY_OFF
#define INSN_IMM_MASK ARRAY_ANY_IMM
#define GAP_CODE 0xde /* no instruction has this code */
#define SKIP_INSNS() BPF_RAW_INSN(GAP_CODE, 1, 2, 3, 4)

#define F_NEEDS_EFFICIENT_UNALIGNED_ACCESS 1
#define F_LOAD_WITH_STRICT_ALIGNMENT 2
#define F_NEEDS_JIT_ENABLED 4

struct kfunc_btf_id_pair {
  const char *kfunc;
  int insn_idx;
};

struct bpf_test {
  const char *descr;
  struct bpf_insn insns[MAX_INSNS];
  struct bpf_insn expected_insns[MAX_MATCH_INSNS], unexpected_insns[MAX_MATCH_INSNS];
#define ARRAY_MAP(name, field) int field[MAX_FIXUPS];
  ARRAY_MAPS(ARRAY_MAP)
#undef ARRAY_MAP
  struct kfunc_btf_id_pair fixup_kfunc_btf_id[MAX_FIXUPS];
  const char *errstr, *errstr_unpriv;
  uint32_t insn_processed;
  enum { UNDEF, ACCEPT, REJECT, VERBOSE_ACCEPT } result, result_unpriv;
  enum bpf_prog_type prog_type;
  uint8_t flags;
  void (*fill_helper)(struct bpf_test *self);
  struct bpf_insn *fill_insns; /* instead of insns; made by fill_helper */
  int prog_len;                /* of fill_insns */
  int runs;                    /* 0: one; -1: none */
  union {
    struct {
      uint32_t retval, retval_unpriv;
      union {
        uint8_t data[TEST_DATA_LEN];
        uint64_t data64[TEST_DATA_LEN / 8];
      };
    };
    struct {
      uint32_t retval, retval_unpriv;
      union {
        uint8_t data[TEST_DATA_LEN];
        uint64_t data64[TEST_DATA_LEN / 8];
      };
    } retvals[MAX_TEST_RUNS];
  };
  enum bpf_attach_type expected_attach_type;
  const char *kfunc;
  struct bpf_func_info func_info[MAX_FUNC_INFOS];
  int func_info_cnt;
  char btf_strings[MAX_BTF_STRINGS];
  uint32_t btf_types[MAX_BTF_TYPES];
};

/* The value of the maps with 48 bytes. */
struct test_val {
  unsigned index;
  int foo[11];
};
struct other_val {
  long long foo, bar;
};
#define MAX_ENTRIES 11

/* r0 = func(ctx, an empty tuple at fp-48, its size, 0, 0); 13 instructions. */
#define BPF_SK_LOOKUP(func)                                                                              \
  BPF_MOV64_IMM(BPF_REG_2, 0), BPF_STX_MEM(BPF_W, BPF_REG_10, BPF_REG_2, -8),                            \
      BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -16), BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -24),  \
      BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -32), BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -40),  \
      BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -48), BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),             \
      BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -48), BPF_MOV64_IMM(BPF_REG_3, sizeof(struct bpf_sock_tuple)),   \
      BPF_MOV64_IMM(BPF_REG_4, 0), BPF_MOV64_IMM(BPF_REG_5, 0), BPF_EMIT_CALL(BPF_FUNC_##func)

/* r2 = packet with at least 8 bytes, else returns 0; 7 instructions. */
#define BPF_DIRECT_PKT_R2                                                                                  \
  BPF_MOV64_IMM(BPF_REG_0, 0), BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, data)), \
      BPF_LDX_MEM(BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct __sk_buff, data_end)),                      \
      BPF_MOV64_REG(BPF_REG_4, BPF_REG_2), BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, 8),                           \
      BPF_JMP_REG(BPF_JLE, BPF_REG_4, BPF_REG_3, 1), BPF_EXIT_INSN()

/* r7 = a random number of 31 bits; 4 instructions. */
#define BPF_RAND_UEXT_R7                                                                                    \
  BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32), BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),                             \
      BPF_ALU64_IMM(BPF_LSH, BPF_REG_7, 33), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 33)

/* r7 = a random negative number of 32 bits; 5 instructions. */
#define BPF_RAND_SEXT_R7                                                                                    \
  BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32), BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),                             \
      BPF_ALU64_IMM(BPF_OR, BPF_REG_7, 0x80000000), BPF_ALU64_IMM(BPF_LSH, BPF_REG_7, 32),                  \
      BPF_ALU64_IMM(BPF_ARSH, BPF_REG_7, 32)

/* Long programs, made at run time (array_fill.c). retval of the case says which, or how long. */
void bpf_fill_ld_abs_vlan_push_pop(struct bpf_test *self);
void bpf_fill_jump_around_ld_abs(struct bpf_test *self);
void bpf_fill_rand_ld_dw(struct bpf_test *self);
void bpf_fill_scale(struct bpf_test *self);
void bpf_fill_torturous_jumps(struct bpf_test *self);
void bpf_fill_big_prog_with_loop_1(struct bpf_test *self);
