#if defined(__x86_64__)

#include "exec/jit/emitter.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/fault_point.h"
#include "exec/jit/tail_call.h"

namespace ring3::exec::jit {
namespace {

constexpr std::uint32_t kNoLabel = UINT32_MAX;
constexpr std::uint32_t kNoFault = UINT32_MAX;
constexpr std::uint32_t kFenceBytes = 3;
constexpr std::uint32_t kLoopBytes = 128;  // of bpf_loop in line, beside a call
constexpr std::uint32_t kRedZoneBytes = 128;
constexpr isa::RegMask kCalleeSaved = 0x3c0;  // r6 … r9

bool touches(isa::RegMask mask, unsigned reg) { return (mask >> reg & 1) != 0; }

/// Remembers the first thing that went wrong; the emitting functions go on and the result is thrown away.
class FirstError final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error error, const char*, asmjit::BaseEmitter*) override {
    if (error_ == asmjit::kErrorOk) error_ = error;
  }
  asmjit::Error error() const { return error_; }

 private:
  asmjit::Error error_ = asmjit::kErrorOk;
};

/// No instruction's code is longer than this. Generous: only short jumps depend on it.
std::uint32_t longest(const isa::Insn& insn) {
  using isa::Op;
  switch (insn.op) {
    case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod: return 72;
    case Op::kCallHelper: case Op::kCallKfunc: case Op::kCallSubprog: return 64;
    case Op::kExit: return 32;
    case Op::kLdImm64: return 10;
    case Op::kLdImm64Hi: return 0;
    case Op::kStore: return 14;
    case Op::kLoad: case Op::kLoadSx: return 12;
    case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor: return 48;
    case Op::kLsh: case Op::kRsh: case Op::kArsh: return insn.src_is_reg ? 24 : 4;
    case Op::kJa: return 5;
    default: return insn.op >= Op::kJeq && insn.op <= Op::kMayGoto ? 16 : insn.op >= Op::kAtomicAdd ? 24 : 12;
  }
}

}  // namespace

CpuFeatures CpuFeatures::host() {
  const auto& features = asmjit::CpuInfo::host().features().x86();
  return {.bmi2 = features.hasBMI2(), .movbe = features.hasMOVBE()};
}

Emitter::Emitter(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape,
                 const Plan& plan, const JitOptions& options)
    : program_(program), checked_(checked), shape_(shape), plan_(plan), options_(options),
      cpu_(options.newest_cpu     ? CpuFeatures{.bmi2 = true, .movbe = true}
           : options.baseline_cpu ? CpuFeatures{}
                                  : CpuFeatures::host()) {}

Result<MachineCode> Emitter::emit(bool short_jumps) {
  if (fault_point()) return Errno::kNoMem;
  FirstError first;
  if (code_.init(asmjit::Environment::host()) != asmjit::kErrorOk || code_.attach(&a_) != asmjit::kErrorOk)
    return Errno::kNoMem;
  code_.setErrorHandler(&first);
  short_jumps_ = short_jumps && !options_.blind_constants;
  labels_.assign(program_.insns.size(), kNoLabel);
  entries_.assign(shape_.functions.size(), kNoLabel);
  insn_offset_.assign(program_.insns.size(), 0);
  if (short_jumps_) estimate_sizes();

  MachineCode out;
  for (const FunctionShape& shape : shape_.functions) {
    a_.align(asmjit::AlignMode::kCode, 16);
    out.function_offset.push_back(static_cast<std::uint32_t>(a_.offset()));
    function(shape);
  }
  code_.setErrorHandler(nullptr);
  a_.int3();  // nothing runs on into what comes behind
  if (first.error() == asmjit::kErrorOutOfMemory) return Errno::kNoMem;
  if (first.error() != asmjit::kErrorOk) return Errno::kRange;
  out.bytes.resize(code_.codeSize());
  if (code_.flatten() != asmjit::kErrorOk || code_.resolveUnresolvedLinks() != asmjit::kErrorOk ||
      code_.copyFlattenedData(out.bytes.data(), out.bytes.size()) != asmjit::kErrorOk)
    return Errno::kRange;
  std::sort(faults_.begin(), faults_.end(), [](const FaultPair& a, const FaultPair& b) { return a.insn < b.insn; });
  out.insn_offset = std::move(insn_offset_);
  out.faults = std::move(faults_);
  return out;
}

void Emitter::estimate_sizes() {
  upper_bound_.resize(program_.insns.size() + 1);
  std::uint32_t at = 0;
  for (std::uint32_t idx = 0; idx < program_.insns.size(); ++idx) {
    upper_bound_[idx] = at;
    at += longest(program_.insns[idx]);
    if (program_.insns[idx].op == Op::kCallHelper && known_callback(program_, checked_, shape_, idx) != rewrite::kNoSubprog) at += kLoopBytes;
    if (needs_fence(idx)) at += kFenceBytes;
  }
  upper_bound_.back() = at;
}

/// Whether a jump at the end of `from` reaches `to` with one byte. Backwards the assembler knows itself.
bool Emitter::is_near(std::uint32_t from, std::uint32_t to) const {
  return short_jumps_ && to > from && upper_bound_[to] - upper_bound_[from + 1] <= 127;
}

asmjit::Label Emitter::label_of(std::uint32_t idx) {
  if (labels_[idx] == kNoLabel) labels_[idx] = a_.newLabel().id();
  return Label(labels_[idx]);
}

asmjit::Label Emitter::entry_of(const FunctionShape& shape) {
  std::uint32_t& entry = entries_[static_cast<std::size_t>(&shape - shape_.functions.data())];
  if (entry == kNoLabel) entry = a_.newLabel().id();
  return Label(entry);
}

void Emitter::function(const FunctionShape& shape) {
  frame_ = Frame{};
  frame_.shape = &shape;
  flags_ = {};
  upper_zero_ = 0;
  a_.bind(entry_of(shape));
  if (shape.detour != nullptr) detour(*shape.detour);
  prologue();
  for (std::uint32_t idx = shape.start; idx < shape.end; ++idx) insn(idx);
  cold_code();
}

/// What stands at the entry of a function that may be replaced or traced: into the body, unless there is a record. The arguments stay
/// where they are; two more go on the stack, as the calling convention has them.
void Emitter::detour(const Detour& detour) {
  const std::size_t start = a_.offset();
  const Label entry = a_.newLabel(), body = a_.newLabel();
  a_.bind(entry);
  a_.endbr64();
  a_.mov(x86::rax, asmjit::Imm(reinterpret_cast<std::uintptr_t>(&detour)));
  a_.cmp(x86::qword_ptr(x86::rax, static_cast<int>(Detour::record_offset())), 0);
  a_.short_().je(body);
  a_.push(x86::rbp);
  a_.mov(x86::rbp, x86::rsp);
  a_.lea(x86::r11, x86::ptr(entry));
  a_.push(x86::r11);
  a_.push(x86::rax);
  call_address(reinterpret_cast<const void*>(&enter_detour));
  a_.mov(x86::rsp, x86::rbp);
  a_.pop(x86::rbp);
  a_.ret();
  while (a_.offset() < start + kDetourBytes) a_.int3();
  RING3_CHECK(a_.offset() == start + kDetourBytes, "a detour's place is of a fixed size");
  a_.bind(body);
}

/// Takes the next 8-byte slot below the program's stack.
static int take_slot(int& bottom) { return bottom -= 8; }

void Emitter::prologue() {
  const FunctionShape& shape = *frame_.shape;
  int bottom = -static_cast<int>(shape.stack_bytes);
  const bool keeps_run = shape.needs_run && !shape.run_stays;
  if (keeps_run) frame_.run = take_slot(bottom);
  if (shape.may_goto) frame_.budget = take_slot(bottom);
  if (shape.tail_calls && &shape != &shape_.functions[0]) {
    frame_.tail_ctx = take_slot(bottom);
    frame_.tail_entry = take_slot(bottom);
  }
  const bool uses_stack = touches(shape.touched, isa::kFrameReg);
  frame_.exists = uses_stack || shape.calls || shape.may_goto || keeps_run;
  const unsigned saved = static_cast<unsigned>(std::popcount(static_cast<unsigned>(shape.touched & kCalleeSaved)));

  a_.endbr64();
  if (frame_.exists) {
    a_.push(x86::rbp);
    a_.mov(x86::rbp, x86::rsp);
    frame_.sub = -bottom;
    if (shape.calls && (static_cast<unsigned>(frame_.sub) + 8 * saved) % 16 != 0) frame_.sub += 8;
    if (!shape.calls && saved == 0 && frame_.sub <= static_cast<int>(kRedZoneBytes)) frame_.sub = 0;
    if (frame_.sub != 0) a_.sub(x86::rsp, frame_.sub);
  }
  for (unsigned reg = 6; reg <= 9; ++reg)
    if (touches(shape.touched, reg)) a_.push(r64(reg));
  if (frame_.run != 0) a_.mov(x86::qword_ptr(x86::rbp, frame_.run), kScratch);
  if (frame_.budget != 0) a_.mov(x86::qword_ptr(x86::rbp, frame_.budget), rewrite::kMayGotoBudget);
  if (!uses_stack || shape.stack_bytes == 0) return;
  // A program must not see what the host left on its stack.
  a_.xorps(x86::xmm0, x86::xmm0);
  for (int at = 16; at <= static_cast<int>(shape.stack_bytes); at += 16) a_.movups(x86::xmmword_ptr(x86::rbp, -at), x86::xmm0);
}

void Emitter::epilogue() {
  for (unsigned reg = 9; reg >= 6; --reg)
    if (touches(frame_.shape->touched, reg)) a_.pop(r64(reg));
  if (frame_.sub != 0) a_.mov(x86::rsp, x86::rbp);  // `leave` takes a processor longer
  if (frame_.exists) a_.pop(x86::rbp);
  a_.ret();
}

bool Emitter::needs_fence(std::uint32_t idx) const {
  return !program_.nospec.empty() && std::binary_search(program_.nospec.begin(), program_.nospec.end(), idx);
}

void Emitter::insn(std::uint32_t idx) {
  const Insn& insn = program_.insns[idx];
  if (shape_.is_target[idx]) {
    a_.bind(label_of(idx));
    flags_ = {};
    upper_zero_ = 0;
  }
  insn_offset_[idx] = static_cast<std::uint32_t>(a_.offset());
  const Step& step = plan_.steps[idx];
  if (idx < next_idx_ || step.action == Step::kDrop) return;
  next_idx_ = idx + 1;
  const Flags before = flags_;
  flags_ = {};
  if (insn.op >= Op::kJeq && insn.op <= Op::kJne) flags_ = before;
  if (step.action == Step::kGather) gather(step);
  else if (step.action == Step::kRotate) rotate(step);
  else if (!extend(idx, insn) && !move_and_operate(idx, insn)) dispatch(idx, insn);
  if (needs_fence(idx)) a_.lfence();
}

void Emitter::dispatch(std::uint32_t idx, const Insn& insn) {
  switch (insn.op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kOr: case Op::kAnd: case Op::kXor:
    case Op::kLsh: case Op::kRsh: case Op::kArsh: return alu(insn);
    case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod: return divide(insn);
    case Op::kNeg: return negate(insn);
    case Op::kMov: return move(insn);
    case Op::kMovsx: return move_sign_extended(insn);
    case Op::kToLe: case Op::kToBe: case Op::kBswap: return swap_ends(insn);
    case Op::kJa: return jump(idx, insn);
    case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
    case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle: return conditional_jump(idx, insn);
    case Op::kMayGoto: return may_goto(idx, insn);
    case Op::kCallHelper: return call_helper(idx, insn);
    case Op::kCallKfunc: return call_kfunc(insn);
    case Op::kCallSubprog: return call_subprog(idx);
    case Op::kExit: return epilogue();
    case Op::kLoad: case Op::kLoadSx: return load(idx, insn);
    case Op::kStore: return store(idx, insn);
    case Op::kLdImm64: return load_constant(r64(insn.dst), static_cast<std::uint64_t>(insn.imm));
    case Op::kLdImm64Hi: return;
    case Op::kAtomicAdd: case Op::kAtomicOr: case Op::kAtomicAnd: case Op::kAtomicXor:
    case Op::kAtomicFetchAdd: case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor:
    case Op::kAtomicXchg: case Op::kAtomicCmpxchg: return atomic(idx, insn);
    case Op::kAddrSpaceCast: case Op::kLdAbs: case Op::kLdInd: return;  // check_program() refuses them
  }
}

void Emitter::cold_code() {
  for (std::size_t i = 0; i < cold_.size(); ++i) emit_cold(cold_[i]);
  cold_.clear();
}

void Emitter::emit_cold(const Cold& cold) {
  if (cold.at.isValid()) a_.bind(cold.at);
  if (cold.fault != kNoFault) faults_[cold.fault].fixup = static_cast<std::uint32_t>(a_.offset());
  switch (cold.kind) {
    case Cold::kNothing: break;
    case Cold::kZero: a_.xor_(r32(cold.reg), r32(cold.reg)); break;
    case Cold::kTruncate: a_.mov(r32(cold.reg), r32(cold.reg)); break;
    case Cold::kNegate32: a_.neg(r32(cold.reg)); break;
    case Cold::kNegate64: a_.neg(r64(cold.reg)); break;
    case Cold::kReturn: return epilogue();
    case Cold::kLeaveByTailCall:
      a_.mov(x86::rdi, x86::qword_ptr(x86::rbp, frame_.tail_ctx));
      a_.mov(x86::rsi, kScratch);
      a_.mov(x86::rdx, x86::qword_ptr(x86::rbp, frame_.tail_entry));
      call_address(reinterpret_cast<const void*>(&run_tail_target));
      return epilogue();
  }
  a_.jmp(cold.back);
}

}  // namespace ring3::exec::jit

#endif
