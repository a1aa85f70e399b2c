#include "fuzz/support/concrete_machine.h"

#include <cstring>

#include "isa/semantics.h"

namespace ring3::fuzz {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::size_t kMostFrames = 8;

std::uint64_t read(const std::byte* from, unsigned bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, bytes);
  return value;
}

bool is_conditional(Op op) { return op >= Op::kJeq && op <= Op::kJsle; }

}  // namespace

ConcreteMachine::ConcreteMachine(std::span<const Insn> insns, std::span<const std::byte> context)
    : insns_(insns), context_bytes_(context.size()), context_(new std::byte[context.size()]) {
  std::memcpy(context_.get(), context.data(), context.size());
  stacks_.reserve(kMostFrames);
  frames_.reserve(kMostFrames);
}

void ConcreteMachine::enter(std::uint32_t return_idx) {
  stacks_.push_back({std::make_unique<std::byte[]>(isa::kMaxStackBytes), return_idx});
  std::byte* stack = stacks_.back().stack.get();
  for (int i = 0; i < isa::kMaxStackBytes; ++i) stack[i] = static_cast<std::byte>(0xa5 + 7 * i);  // not zero by luck
  verifier::ConcreteFrame frame;
  frame.stack = {stack, static_cast<std::size_t>(isa::kMaxStackBytes)};
  frame.regs[isa::kFrameReg] = reinterpret_cast<std::uintptr_t>(stack) + isa::kMaxStackBytes;
  frames_.push_back(frame);
}

RunEnd ConcreteMachine::run(std::uint32_t most_steps, const std::function<bool(const verifier::ConcreteState&)>& look) {
  RunEnd end;
  stacks_.clear();
  frames_.clear();
  enter(0);
  reg(1) = reinterpret_cast<std::uintptr_t>(context_.get());
  std::uint32_t idx = 0;
  for (std::uint32_t steps = 0; steps < most_steps; ++steps) {
    end.idx = idx;
    if (idx >= insns_.size()) {
      fault(end, "left the program");
      return end;
    }
    if (!look({idx, reinterpret_cast<std::uintptr_t>(context_.get()), frames_})) return end;
    if (!step(idx, end)) return end;
  }
  return end;
}

void ConcreteMachine::fault(RunEnd& end, const std::string& why) const { end.fault = why; }

std::byte* ConcreteMachine::at(std::uint64_t address, std::size_t bytes) const {
  const auto inside = [&](std::byte* object, std::size_t size) -> std::byte* {
    const std::uint64_t off = address - reinterpret_cast<std::uintptr_t>(object);
    return off <= size && bytes <= size - off ? object + off : nullptr;
  };
  if (std::byte* found = inside(context_.get(), context_bytes_)) return found;
  for (const Frame& frame : stacks_)
    if (std::byte* found = inside(frame.stack.get(), isa::kMaxStackBytes)) return found;
  return nullptr;
}

bool ConcreteMachine::load(const Insn& insn, RunEnd& end) {
  const std::byte* from = at(reg(insn.src) + static_cast<std::uint64_t>(std::int64_t{insn.off}), insn.size);
  if (from == nullptr) return fault(end, "load outside of every object"), false;
  const std::uint64_t value = read(from, insn.size);
  reg(insn.dst) = insn.op == Op::kLoadSx ? static_cast<std::uint64_t>(isa::sign_extend(value, insn.size * 8)) : value;
  return true;
}

bool ConcreteMachine::store(const Insn& insn, RunEnd& end) {
  std::byte* to = at(reg(insn.dst) + static_cast<std::uint64_t>(std::int64_t{insn.off}), insn.size);
  if (to == nullptr) return fault(end, "store outside of every object"), false;
  const std::uint64_t value = insn.src_is_reg ? reg(insn.src) : static_cast<std::uint64_t>(insn.imm);
  std::memcpy(to, &value, insn.size);
  return true;
}

bool ConcreteMachine::atomic(const Insn& insn, RunEnd& end) {
  std::byte* to = at(reg(insn.dst) + static_cast<std::uint64_t>(std::int64_t{insn.off}), insn.size);
  if (to == nullptr) return fault(end, "atomic access outside of every object"), false;
  const std::uint64_t old = read(to, insn.size);
  const std::uint64_t operand = reg(insn.src);
  std::uint64_t next = insn.size == 8 ? isa::atomic_result<64>(insn.op, old, operand) : isa::atomic_result<32>(insn.op, old, operand);
  if (insn.op == Op::kAtomicCmpxchg) {
    const std::uint64_t expected = insn.size == 8 ? reg(0) : reg(0) & UINT32_MAX;
    if (old != expected) next = old;
    reg(0) = old;
  } else if (insn.op >= Op::kAtomicFetchAdd) {
    reg(insn.src) = old;
  }
  std::memcpy(to, &next, insn.size);
  return true;
}

bool ConcreteMachine::step(std::uint32_t& idx, RunEnd& end) {
  const Insn& insn = insns_[idx];
  ++idx;
  const auto jump = [&] { idx = static_cast<std::uint32_t>(std::int64_t{idx} + insn.jump); };
  const std::uint64_t src = insn.src_is_reg ? reg(insn.src) : static_cast<std::uint64_t>(insn.imm);
  if (insn.op <= Op::kBswap) {
    reg(insn.dst) = isa::evaluate(insn, reg(insn.dst), src);
    return true;
  }
  if (is_conditional(insn.op)) {
    const bool taken = insn.bits == 64 ? isa::jump_taken<64>(insn.op, reg(insn.dst), src) : isa::jump_taken<32>(insn.op, reg(insn.dst), src);
    if (taken) jump();
    return true;
  }
  switch (insn.op) {
    case Op::kJa: jump(); return true;
    case Op::kLoad: case Op::kLoadSx: return load(insn, end);
    case Op::kStore: return store(insn, end);
    case Op::kLdImm64: reg(insn.dst) = static_cast<std::uint64_t>(insn.imm); ++idx; return true;
    case Op::kAtomicAdd: case Op::kAtomicOr: case Op::kAtomicAnd: case Op::kAtomicXor: case Op::kAtomicFetchAdd:
    case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor: case Op::kAtomicXchg: case Op::kAtomicCmpxchg:
      return atomic(insn, end);
    case Op::kCallSubprog: {
      if (frames_.size() == kMostFrames) return fault(end, "too many frames"), false;
      const auto args = frames_.back().regs;
      enter(idx);
      for (unsigned r = 1; r <= 5; ++r) reg(r) = args[r];
      jump();
      return true;
    }
    case Op::kExit: {
      const std::uint64_t result = reg(0);
      idx = stacks_.back().return_idx;
      if (frames_.size() == 1) {
        end.finished = true;
        end.r0 = result;
        return false;
      }
      stacks_.pop_back();
      frames_.pop_back();
      reg(0) = result;
      return true;
    }
    default: return fault(end, "an instruction this machine does not know"), false;
  }
}

}  // namespace ring3::fuzz
