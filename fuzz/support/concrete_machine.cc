#include "fuzz/support/concrete_machine.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "fuzz/support/fuzz_world.h"
#include "isa/semantics.h"

namespace ring3::fuzz {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::size_t kMostFrames = 8;
constexpr std::uint32_t kMostRounds = 1 << 23;  // of what ends by itself, in the kernel
constexpr std::uint32_t kMostWords = 511;       // of an iterator over bits
/// What stands in a register for the array, and for a function; no memory is there.
constexpr std::uint64_t kArrayToken = 0x7a00'0000'0000, kFunctionToken = 0x7b00'0000'0000;

std::uint64_t read(const std::byte* from, unsigned bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, bytes);
  return value;
}

bool is_conditional(Op op) { return op >= Op::kJeq && op <= Op::kJsle; }

}  // namespace

ConcreteMachine::ConcreteMachine(std::span<const Insn> insns, std::span<const std::byte> context, std::uint32_t most_rounds)
    : insns_(insns), context_bytes_(context.size()), most_rounds_(most_rounds), context_(new std::byte[context.size()]),
      key_(new std::byte[sizeof(std::uint32_t)]) {
  std::memcpy(context_.get(), context.data(), context.size());
  for (std::uint32_t i = 0; i < kArrayEntries; ++i) {
    elements_.push_back(std::make_unique<std::byte[]>(kArrayValueBytes));
    for (std::uint32_t k = 0; k < kArrayValueBytes; ++k) elements_[i][k] = context.empty() ? std::byte{0} : context[(i + k) % context.size()];
  }
  stacks_.reserve(kMostFrames);
  frames_.reserve(kMostFrames);
}

bool ConcreteMachine::knows(std::span<const Insn> insns) {
  return std::all_of(insns.begin(), insns.end(), [](const Insn& insn) {
    switch (insn.op) {
      case Op::kCallHelper: return insn.imm == kLookupHelper || insn.imm == kForEachHelper || insn.imm == kLoopHelper;
      case Op::kCallKfunc: return insn.off == 0 && world().function_of(insn.imm).has_value();
      case Op::kLdImm64:
        return insn.pseudo() == isa::Pseudo::kImm || insn.pseudo() == isa::Pseudo::kFunc || (insn.pseudo() == isa::Pseudo::kMapFd && insn.imm == 0);
      default: return true;
    }
  });
}

void ConcreteMachine::enter(std::uint32_t return_idx) {
  stacks_.push_back({.stack = std::make_unique<std::byte[]>(isa::kMaxStackBytes), .return_idx = return_idx});
  std::byte* stack = stacks_.back().stack.get();
  for (int i = 0; i < isa::kMaxStackBytes; ++i) stack[i] = static_cast<std::byte>(0xa5 + 7 * i);  // not zero by luck
  verifier::ConcreteFrame frame;
  frame.stack = {stack, static_cast<std::size_t>(isa::kMaxStackBytes)};
  frame.regs[isa::kFrameReg] = reinterpret_cast<std::uintptr_t>(stack) + isa::kMaxStackBytes;
  frames_.push_back(frame);
}

RunEnd ConcreteMachine::run(std::uint64_t most_steps, std::uint64_t looks, const std::function<bool(const verifier::ConcreteState&)>& look) {
  RunEnd end;
  stacks_.clear();
  frames_.clear();
  iterators_.clear();
  enter(0);
  reg(1) = reinterpret_cast<std::uintptr_t>(context_.get());
  std::uint32_t idx = 0;
  for (; end.steps < most_steps; ++end.steps) {
    end.idx = idx;
    if (idx >= insns_.size()) {
      fault(end, "left the program");
      return end;
    }
    if (end.steps < looks && !look({idx, reinterpret_cast<std::uintptr_t>(context_.get()), frames_})) return end;
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
  for (const auto& element : elements_)
    if (std::byte* found = inside(element.get(), kArrayValueBytes)) return found;
  for (const Iterator& iterator : iterators_)
    if (std::byte* found = inside(iterator.given.get(), sizeof iterator.current)) return found;
  return inside(key_.get(), sizeof(std::uint32_t));
}

std::byte* ConcreteMachine::stack_at(std::uint64_t address, std::size_t bytes) const {
  for (const Frame& frame : stacks_) {
    const std::uint64_t off = address - reinterpret_cast<std::uintptr_t>(frame.stack.get());
    if (off <= isa::kMaxStackBytes && bytes <= isa::kMaxStackBytes - off) return frame.stack.get() + off;
  }
  return nullptr;
}

/// Of a call of what is no function of the program: r1 to r5 are whatever it left there.
void ConcreteMachine::returns(std::uint64_t result) {
  for (unsigned r = 1; r <= 5; ++r) reg(r) = 0xdead'beef'0000 + r;
  reg(0) = result;
}

bool ConcreteMachine::make_iterator(unsigned bytes, std::uint32_t rounds, std::int32_t first, std::uint64_t result, RunEnd& end) {
  const std::uint64_t where = reg(1);
  std::byte* place = stack_at(where, bytes);
  if (place == nullptr) return fault(end, "an iterator outside of the stack"), false;
  for (const Iterator& iterator : iterators_)
    if (where < iterator.at + sizeof iterator.at && iterator.at < where + bytes) return fault(end, "an iterator over another"), false;
  std::memset(place, 0x5a, bytes);
  iterators_.push_back({where, std::make_unique<std::byte[]>(sizeof first), std::min(rounds, most_rounds_), first});
  returns(result);
  return true;
}

bool ConcreteMachine::call_host(const Insn& insn, RunEnd& end) {
  const HostFunction function = *world().function_of(insn.imm);
  if (function == HostFunction::kNumNew) {
    const auto start = static_cast<std::int32_t>(reg(2)), stop = static_cast<std::int32_t>(reg(3));
    const std::int64_t rounds = std::int64_t{stop} - start;
    const bool made = rounds >= 0 && rounds <= kMostRounds;
    return make_iterator(8, made ? static_cast<std::uint32_t>(rounds) : 0, start, made ? 0 : static_cast<std::uint64_t>(rounds < 0 ? -22 : -7), end);
  }
  if (function == HostFunction::kBitsNew) {
    const auto words = static_cast<std::uint32_t>(reg(3));
    const bool made = words > 0 && words <= kMostWords;  // as if all bits were set
    return make_iterator(16, made ? words * 64 : 0, 0, made ? 0 : static_cast<std::uint64_t>(-22), end);
  }
  const auto found = std::find_if(iterators_.begin(), iterators_.end(), [&](const Iterator& iterator) { return iterator.at == reg(1); });
  if (found == iterators_.end()) return fault(end, "no iterator is there"), false;
  if (function == HostFunction::kNumDestroy || function == HostFunction::kBitsDestroy) {
    iterators_.erase(found);
    returns(0);
    return true;
  }
  if (found->left == 0) return returns(0), true;
  --found->left;
  std::memcpy(found->given.get(), &found->current, sizeof found->current);
  ++found->current;
  returns(reinterpret_cast<std::uintptr_t>(found->given.get()));
  return true;
}

/// The call is executed once more after each round, with the registers it had.
bool ConcreteMachine::run_rounds(std::uint32_t all, bool elements, std::uint32_t& idx, RunEnd& end) {
  Rounds& rounds = stacks_.back().rounds;
  if (!rounds.active) rounds = {.active = true, .all = std::min(all, most_rounds_)};
  if (rounds.stopped || rounds.done == rounds.all) {
    rounds.active = false;
    returns(rounds.done);
    return true;
  }
  if (reg(2) < kFunctionToken || reg(2) - kFunctionToken >= insns_.size()) return fault(end, "a callback that is no function"), false;
  if (frames_.size() == kMostFrames) return fault(end, "too many frames"), false;
  const std::uint32_t round = rounds.done++;
  const auto args = frames_.back().regs;
  enter(idx - 1);
  stacks_.back().is_callback = true;
  idx = static_cast<std::uint32_t>(args[2] - kFunctionToken);
  if (!elements) {
    reg(1) = round;
    reg(2) = args[3];
    return true;
  }
  std::memcpy(key_.get(), &round, sizeof round);
  reg(1) = kArrayToken;
  reg(2) = reinterpret_cast<std::uintptr_t>(key_.get());
  reg(3) = reinterpret_cast<std::uintptr_t>(elements_[round].get());
  reg(4) = args[3];
  return true;
}

bool ConcreteMachine::call_helper(const Insn& insn, std::uint32_t& idx, RunEnd& end) {
  if (insn.imm == kLookupHelper) {
    const std::byte* key = at(reg(2), sizeof(std::uint32_t));
    if (reg(1) != kArrayToken || key == nullptr) return fault(end, "a lookup without map or key"), false;
    const std::uint64_t index = read(key, sizeof(std::uint32_t));
    returns(index < kArrayEntries ? reinterpret_cast<std::uintptr_t>(elements_[index].get()) : 0);
    return true;
  }
  if (reg(4) != 0) return returns(static_cast<std::uint64_t>(-22)), true;
  if (insn.imm == kForEachHelper) {
    if (reg(1) != kArrayToken) return fault(end, "no map"), false;
    return run_rounds(kArrayEntries, true, idx, end);
  }
  const auto all = static_cast<std::uint32_t>(reg(1));
  if (all > kMostRounds) return returns(static_cast<std::uint64_t>(-7)), true;
  return run_rounds(all, false, idx, end);
}

bool ConcreteMachine::leave(std::uint32_t& idx, RunEnd& end) {
  const std::uint64_t result = reg(0);
  const Frame& left = stacks_.back();
  const auto base = reinterpret_cast<std::uintptr_t>(left.stack.get());
  for (const Iterator& iterator : iterators_)
    if (iterator.at - base < isa::kMaxStackBytes) return fault(end, "an iterator is left behind"), false;
  idx = left.return_idx;
  if (frames_.size() == 1) {
    end.finished = true;
    end.r0 = result;
    return false;
  }
  const bool was_callback = left.is_callback;
  stacks_.pop_back();
  frames_.pop_back();
  if (was_callback) stacks_.back().rounds.stopped = result != 0;
  else reg(0) = result;
  return true;
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
    case Op::kLdImm64:
      reg(insn.dst) = insn.pseudo() == isa::Pseudo::kFunc    ? kFunctionToken + static_cast<std::uint64_t>(std::int64_t{idx} + static_cast<std::int32_t>(insn.imm))
                      : insn.pseudo() == isa::Pseudo::kMapFd ? kArrayToken
                                                             : static_cast<std::uint64_t>(insn.imm);
      ++idx;
      return true;
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
    case Op::kExit: return leave(idx, end);
    case Op::kCallHelper: return call_helper(insn, idx, end);
    case Op::kCallKfunc: return call_host(insn, end);
    case Op::kMayGoto:
      if (stacks_.back().may_gotos >= std::min(most_rounds_, kMostRounds)) jump();
      else ++stacks_.back().may_gotos;
      return true;
    default: return fault(end, "an instruction this machine does not know"), false;
  }
}

}  // namespace ring3::fuzz
