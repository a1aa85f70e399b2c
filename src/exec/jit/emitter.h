// From a checked program to bytes: one walk, one machine sequence per BPF instruction (or per folded pair).
//
// Invariants between two BPF instructions: every live BPF register is in its machine register, 32-bit results
// with the upper half zero; r9, r10 and r11 of the machine are free; flags mean nothing except what `flags_`
// says. A jump target begins with nothing known.
//
// Frame, from the top: return address, the caller's rbp (BPF's r10 = rbp points here), the program's stack, the
// slots of `Frame`, saved registers. Functions that touch neither r10 nor call anything have no frame at all;
// leaf functions of up to 128 bytes of stack use the red zone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exec/jit/analysis.h"
#include "exec/jit/plan.h"
#include "exec/jit.h"
#include "exec/jit/registers.h"
#include "ring3/result.h"

namespace ring3::exec::jit {

/// A load at byte `insn` that faults goes on at byte `fixup`.
struct FaultPair {
  std::uint32_t insn;
  std::uint32_t fixup;
};

/// A function with a detour: from its entry to its body.
inline constexpr std::uint32_t kDetourBytes = 64;

struct MachineCode {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> insn_offset;      // per instruction: where its code starts
  std::vector<std::uint32_t> function_offset;  // per subprogram
  std::vector<FaultPair> faults;               // sorted by insn
};

struct CpuFeatures {
  bool bmi2 = false;
  bool movbe = false;
  static CpuFeatures host();
};

class Emitter {
 public:
  Emitter(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape,
          const Plan& plan, const JitOptions& options);

  /// short_jumps: jumps whose distance is estimated to fit in a byte are made short; an estimate that is wrong
  /// fails with kRange, and the caller tries again without. Errors: kNoMem.
  Result<MachineCode> emit(bool short_jumps);

 private:
  using Insn = isa::Insn;
  using Op = isa::Op;
  using Gp = x86::Gp;
  using Label = asmjit::Label;

  /// What the last BPF instruction left in the machine's flags: whether this register is zero. -1: nothing.
  struct Flags {
    int reg = -1;
    bool wide = false;
  };

  // emitter.cc: the walk, frames, cold code
  void function(const FunctionShape& shape);
  void detour(const Detour& detour);
  void prologue();
  void epilogue();
  void insn(std::uint32_t idx);
  void dispatch(std::uint32_t idx, const Insn& insn);
  void cold_code();
  Label label_of(std::uint32_t idx);
  /// Where a function is entered: in front of its frame, unlike the label of its first instruction.
  Label entry_of(const FunctionShape& shape);
  bool is_near(std::uint32_t from, std::uint32_t to) const;
  void estimate_sizes();

  // emit_alu.cc
  void alu(const Insn& insn);
  void alu_by_register(const Insn& insn);
  void alu_by_constant(const Insn& insn);
  void multiply_by_constant(const Gp& dst, std::int64_t imm);
  void shift_by_register(const Insn& insn);
  void negate(const Insn& insn);
  void move(const Insn& insn);
  void move_sign_extended(const Insn& insn);
  void swap_ends(const Insn& insn);
  void load_constant(const Gp& reg, std::uint64_t value);
  void blind_constant(const Gp& reg, std::uint64_t value);
  /// True: the constant may stand in an instruction. Else it has been put in the third scratch register.
  bool may_embed(std::int64_t imm, bool wide);

  // emit_idioms.cc: several BPF instructions at once
  bool needs_fence(std::uint32_t idx) const;
  void gather(const Step& step);
  void rotate(const Step& step);
  bool move_and_operate(std::uint32_t idx, const Insn& insn);
  bool select(std::uint32_t idx, const Insn& insn);
  bool jump_the_other_way(std::uint32_t idx, const Insn& insn);
  Gp selected_value(const Insn& insn, bool& keeps_flags);
  std::uint32_t next_kept(std::uint32_t idx) const;
  bool nothing_between(std::uint32_t from, std::uint32_t to) const;
  void set_upper_zero(unsigned reg, bool zero);

  // emit_extend.cc
  struct Extension {
    std::uint8_t reg = 0;
    std::uint8_t bytes = 0;     // that are kept
    bool is_signed = false;
    bool wide = false;          // to 64 bits, else to 32
    std::uint32_t last = 0;     // the instruction that ends it
  };
  bool find_extension(std::uint32_t up_idx, Extension& out) const;
  void extend_into(unsigned dst, unsigned src, const Extension& e);
  bool extend(std::uint32_t idx, const Insn& insn);

  // emit_divide.cc
  bool divide_by_multiplying(const Insn& insn);
  void divide(const Insn& insn);
  void load_run();
  bool divide_by_constant(const Insn& insn);
  bool divide_by_easy_constant(const Insn& insn);
  bool divide_signed_by_constant(const Insn& insn);
  void divide_signed_by_power(const Insn& insn, int amount);
  void divide_signed_by_multiplying_32(const Insn& insn, std::uint32_t magnitude);
  void divide_signed_by_multiplying_64(const Insn& insn, std::uint32_t magnitude);

  // emit_memory.cc
  void load(std::uint32_t idx, const Insn& insn);
  void store(std::uint32_t idx, const Insn& insn);
  bool may_fault(std::uint32_t idx) const;
  void atomic(std::uint32_t idx, const Insn& insn);
  void atomic_access(const Insn& insn);
  x86::Mem memory(std::uint32_t idx, unsigned base, std::int32_t off, std::uint32_t bytes) const;
  void atomic_loop(const Insn& insn);

  // emit_flow.cc
  void jump(std::uint32_t idx, const Insn& insn);
  void conditional_jump(std::uint32_t idx, const Insn& insn);
  x86::CondCode decide(std::uint32_t idx, const Insn& insn, const Flags& known);
  void compare(const Insn& insn);
  bool is_in_flags(const Insn& insn, const Flags& known) const;
  void may_goto(std::uint32_t idx, const Insn& insn);
  void call_address(const void* target);
  void call_helper(std::uint32_t idx, const Insn& insn);
  bool inline_call(const Insn& insn);
  void call_kfunc(const Insn& insn);
  void call_subprog(std::uint32_t idx);
  void throw_exception();
  void leave_if_thrown();

  // emit_loop.cc
  bool loop_over_callback(std::uint32_t idx);

  struct Frame {
    const FunctionShape* shape = nullptr;
    bool exists = false;
    int sub = 0;           // what rsp was lowered by, besides pushes
    int run = 0;           // offsets from rbp of 8-byte slots; 0: there is none
    int budget = 0;        // may_goto iterations left
    int tail_ctx = 0;      // r1 and run.entry of before a tail call
    int tail_entry = 0;
  };

  struct Cold {
    enum Kind : std::uint8_t { kNothing, kZero, kTruncate, kNegate32, kNegate64, kLeaveByTailCall, kReturn } kind;
    std::uint8_t reg;      // BPF register
    Label at;
    Label back;
    std::uint32_t fault;   // index into faults_ whose fix-up this is, or UINT32_MAX
  };

  void emit_cold(const Cold& cold);
  void note_fault(std::uint32_t at, Cold::Kind kind, std::uint8_t reg);

  const rewrite::XlatedProgram& program_;
  const CheckedProgram& checked_;
  const ProgramShape& shape_;
  const Plan& plan_;
  const JitOptions& options_;
  const CpuFeatures cpu_;
  bool short_jumps_ = false;
  asmjit::CodeHolder code_;
  x86::Assembler a_;
  std::vector<std::uint32_t> labels_;          // per instruction: asmjit's label id, kNoLabel
  std::vector<std::uint32_t> entries_;         // per function, likewise
  std::vector<std::uint32_t> upper_bound_;     // per instruction: where its code starts at the latest
  std::vector<std::uint32_t> insn_offset_;
  std::vector<FaultPair> faults_;
  std::vector<Cold> cold_;
  Frame frame_;
  std::uint32_t next_idx_ = 0;                 // what comes before has been emitted, alone or with another
  Flags flags_;
  std::uint32_t upper_zero_ = 0;               // bit n: bits 32 to 63 of BPF register n are known to be zero
};

}  // namespace ring3::exec::jit
