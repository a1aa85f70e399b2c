/* The long programs of the suite. Each function makes one from what the case says it is for; the case's own retval chooses
 * between variants, and is replaced by what the program returns.
 */
#include <unistd.h>

#include "bpf_test.h"

enum { kProgramInsns = 1000000, kJumps = 8192 };

struct emitter {
  struct bpf_insn *insns;
  int count;
};

static struct emitter start(struct bpf_test *self) {
  self->fill_insns = calloc(kProgramInsns, sizeof(struct bpf_insn));
  return (struct emitter){self->fill_insns, 0};
}
static void put(struct emitter *e, struct bpf_insn insn) { e->insns[e->count++] = insn; }
static void put_wide(struct emitter *e, uint8_t dst, uint64_t value) {
  put(e, BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (int32_t)value));
  put(e, BPF_RAW_INSN(0, 0, 0, 0, (int32_t)(value >> 32)));
}
/* A jump at the present place to instruction `target`. */
static int16_t distance(const struct emitter *e, int target) { return (int16_t)(target - e->count - 1); }

/* The same numbers in every run: what is tested must not depend on luck. Some are small, some have long runs of ones. */
static uint64_t next_number(void) {
  static uint64_t state = 0x9e3779b97f4a7c15ULL;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  switch (state >> 61) {
    case 0: return state & 0xff;
    case 1: return state & 0xffffffff;
    case 2: return state | 0xffffffff00000000ULL;
    case 3: return ~(state & 0xffff);
    default: return state;
  }
}

/* 51 tags are pushed, each after a load from the packet, and popped again; five times. The loads grow when rewritten, so the
 * program is filled up to the length where jumps to its end can still be told.
 */
void bpf_fill_ld_abs_vlan_push_pop(struct bpf_test *self) {
  enum { kTags = 51, kRounds = 5, kGrowth = 2 * 5 * 6 };
  const int length = (1 << 15) - kTags * kGrowth, fail = length - 2;
  struct emitter e = start(self);
  put(&e, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
  for (int round = 0; round < kRounds; ++round) {
    for (int step = 0; step < 2 * kTags; ++step) {
      const int push = step < kTags;
      put(&e, BPF_LD_ABS(BPF_B, 0));
      put(&e, BPF_JMP32_IMM(BPF_JNE, BPF_REG_0, 0x34, distance(&e, fail)));
      put(&e, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6));
      if (push) put(&e, BPF_MOV64_IMM(BPF_REG_2, 1));
      if (push) put(&e, BPF_MOV64_IMM(BPF_REG_3, 2));
      put(&e, BPF_EMIT_CALL(push ? BPF_FUNC_skb_vlan_push : BPF_FUNC_skb_vlan_pop));
      put(&e, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, distance(&e, fail)));
    }
  }
  while (e.count < fail - 1) put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_0, 0xbef));
  put(&e, BPF_JMP_A(1));
  put(&e, BPF_MOV32_IMM(BPF_REG_0, 0));
  put(&e, BPF_EXIT_INSN());
  self->prog_len = e.count;
}

/* A jump over as many packet loads as fit under it once they are rewritten (seven instructions for each, at most). */
void bpf_fill_jump_around_ld_abs(struct bpf_test *self) {
  const int last = (1 << 15) / 7 - 1;
  struct emitter e = start(self);
  put(&e, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
  put(&e, BPF_LD_ABS(BPF_B, 0));
  put(&e, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 10, distance(&e, last)));
  while (e.count < last) put(&e, BPF_LD_ABS(BPF_B, 1));
  put(&e, BPF_EXIT_INSN());
  self->prog_len = e.count;
}

/* Folds wide constants by exclusive or; retval: instructions, before they are folded to the 32 bits that are returned. */
void bpf_fill_rand_ld_dw(struct bpf_test *self) {
  struct emitter e = start(self);
  uint64_t folded = 0;
  put(&e, BPF_MOV32_IMM(BPF_REG_0, 0));
  while (e.count < (int)self->retval) {
    const uint64_t value = next_number();
    folded ^= value;
    put_wide(&e, BPF_REG_1, value);
    put(&e, BPF_ALU64_REG(BPF_XOR, BPF_REG_0, BPF_REG_1));
  }
  put(&e, BPF_MOV64_REG(BPF_REG_1, BPF_REG_0));
  put(&e, BPF_ALU64_IMM(BPF_RSH, BPF_REG_1, 32));
  put(&e, BPF_ALU64_REG(BPF_XOR, BPF_REG_0, BPF_REG_1));
  put(&e, BPF_EXIT_INSN());
  self->prog_len = e.count;
  self->retval = (uint32_t)(folded ^ folded >> 32);
}

/* 8192 branches with a store of the context behind each, in one of `slots` words of the stack, then plain moves up to nearly a
 * million instructions (Linux keeps a state for every fourth branch, so four for each are left free).
 */
static void put_branches(struct emitter *e, int slots) {
  for (int k = 1; k <= kJumps; ++k) {
    put(e, BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32));
    put(e, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, (int32_t)next_number(), 2));
    put(e, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10));
    put(e, BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_6, (int16_t)(-8 * (k % slots + 1))));
  }
  while (e->count < kProgramInsns - 4 * kJumps) put(e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_0, 42));
  put(e, BPF_EXIT_INSN());
}

/* retval 1: in main; 2: in the innermost of eight functions. */
void bpf_fill_scale(struct bpf_test *self) {
  const int calls = self->retval == 2 ? 7 : 0;
  struct emitter e = start(self);
  for (int i = 0; i < calls; ++i) {
    put(&e, BPF_CALL_REL(1));
    put(&e, BPF_EXIT_INSN());
  }
  put(&e, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
  put_branches(&e, 64 - 4 * calls);
  self->prog_len = e.count;
  self->retval = 42;
}

/* 128 branches, each to a jump of its own out of all of them: the jumps' distances straddle what fits into one byte. */
static void put_short_jumps(struct emitter *e, int result) {
  const int from = e->count, branches = 128;
  const int out = from + 1 + 2 * branches;
  put(e, BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32));
  for (int i = 1; i <= branches; ++i) put(e, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, i, (int16_t)branches));
  while (e->count < out) put(e, BPF_JMP_A(distance(e, out)));
  put(e, BPF_MOV64_IMM(BPF_REG_0, result));
  put(e, BPF_EXIT_INSN());
}

/* 2048 branches, a long jump, and jumps that end together in groups of sixteen. */
static void put_long_jumps(struct emitter *e, int result) {
  const int from = e->count, branches = 2048, group = 16, length = 4100;
  put(e, BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32));
  for (int i = 1; i <= branches; ++i) put(e, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, i, (int16_t)branches));
  put(e, BPF_JMP_A((int16_t)branches));
  while (e->count < from + length - 2) {
    const int end = e->count + group;
    while (e->count < end) put(e, BPF_JMP_A(distance(e, end)));
  }
  put(e, BPF_MOV64_IMM(BPF_REG_0, result));
  put(e, BPF_EXIT_INSN());
}

/* retval 1, 2: one of them in main; 3: both in functions of their own. */
void bpf_fill_torturous_jumps(struct bpf_test *self) {
  struct emitter e = start(self);
  switch (self->retval) {
    case 1: put_short_jumps(&e, 1); break;
    case 2: put_long_jumps(&e, 2); break;
    default: {
      put(&e, BPF_CALL_REL(4));
      put(&e, BPF_CALL_REL(0)); /* set below */
      put(&e, BPF_ST_MEM(BPF_B, BPF_REG_10, -32, 0));
      put(&e, BPF_MOV64_IMM(BPF_REG_0, 3));
      put(&e, BPF_EXIT_INSN());
      put_short_jumps(&e, 1);
      e.insns[1].imm = e.count - 2;
      put_long_jumps(&e, 2);
    }
  }
  self->prog_len = e.count;
}

/* bpf_loop() in a program that ends just below a page's worth of instructions' count, so that inlining it crosses that. */
void bpf_fill_big_prog_with_loop_1(struct bpf_test *self) {
  const int length = getpagesize() - 25, callback = length - 2;
  struct emitter e = start(self);
  put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_1, 1));
  put(&e, BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_FUNC, 0, distance(&e, callback)));
  put(&e, BPF_RAW_INSN(0, 0, 0, 0, 0));
  put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_3, 0));
  put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_4, 0));
  put(&e, BPF_EMIT_CALL(BPF_FUNC_loop));
  while (e.count < callback - 1) put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_0, 0));
  put(&e, BPF_EXIT_INSN());
  put(&e, BPF_ALU64_IMM(BPF_MOV, BPF_REG_0, 0));
  put(&e, BPF_EXIT_INSN());
  self->func_info[1].insn_off = (uint32_t)callback;
  self->prog_len = e.count;
}
