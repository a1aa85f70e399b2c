#include "fuzz/support/looping_programs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "fuzz/support/fuzz_world.h"
#include "fuzz/support/tame_writer.h"

namespace ring3::fuzz {
namespace {

using isa::RawInsn;

constexpr std::uint8_t kCallsFunction = 1, kCallsHost = 2, kNamesMap = 1, kNamesFunction = 4;
constexpr std::uint8_t kClassMask = 0x07, kClassJump = 0x05, kClassJump32 = 0x06, kLongJump = 0x06;
constexpr int kMostDepth = 3;             // of what stands in another
constexpr std::size_t kMostFunctions = 5;
// Below what the bodies use: iterators, then places for their addresses and for what callbacks and functions get.
constexpr int kIteratorsAt = -112, kAddressesAt = -176, kLentAt = -192, kKeyAt = -200;

/// Functions behind main.
enum class Kind : std::uint8_t {
  kPointer,  // r1: 16 bytes of a caller's frame, r2: a number
  kContext,  // r1: the context, r2: a number
  kAdvance,  // r1: an iterator
  kRound,    // for bpf_loop: r1 the round, r2: 16 bytes of the caller's frame
  kElement,  // for bpf_for_each_map_elem: r2 the key, r3 the value, r4: 16 bytes of the caller's frame
};

class Maker final : public TameWriter {
 public:
  Maker(std::span<const std::uint8_t> bytes, std::size_t most) : TameWriter(bytes), most_(most), limit_(most * 3 / 5) {}

  std::vector<RawInsn> program() {
    put(kMovReg, kBase, 1, 0, 0);
    for (std::size_t i = 0; i < std::size(kNumbers); ++i) {
      if (i % 3 == 2) put(kMovImm, kNumbers[i], 0, 0, static_cast<std::int32_t>(i));
      else put(i % 3 == 0 ? kLoad8 : kLoad4, kNumbers[i], kBase, static_cast<int>(8 * (i % 8)), 0);
    }
    for (int slot = 1; slot <= 3; ++slot) put(kStoreImm8, kFrame, 0, -8 * slot, slot - 1);
    while (more() && room()) statement(0);
    leave(number());
    // A function is written behind what calls it, and may call more.
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      functions_[i].start = out_.size();
      write(functions_[i].kind);
    }
    for (const auto& [at, function] : calls_)
      out_[at].imm = static_cast<std::int32_t>(functions_[function].start) - static_cast<std::int32_t>(at) - 1;
    return std::move(out_);
  }

 private:
  struct Function {
    Kind kind;
    std::size_t start = 0;
  };

  bool room() const { return out_.size() < limit_; }
  bool one_in(unsigned n) { return next() % n == 0; }

  void leave(std::uint8_t result) {
    put(kMovReg, 0, result, 0, 0);
    put(kExit, 0, 0, 0, 0);
  }
  /// The jump at `at` leads here.
  void land(std::size_t at) { out_[at].off = static_cast<std::int16_t>(out_.size() - at - 1); }
  void jump_back(std::size_t to) { put(kJump, 0, 0, static_cast<int>(to) - static_cast<int>(out_.size()) - 1, 0); }
  void stack_address(unsigned reg, int off) {
    put(kMovReg, reg, kFrame, 0, 0);
    put(kAddImm, reg, 0, 0, off);
  }
  /// What a call leaves unreadable becomes numbers again, nearly always.
  void lose_arguments(unsigned first) {
    for (unsigned reg = first; reg <= 5; ++reg)
      if (!one_in(64)) put(kMovImm, reg, 0, 0, immediate());
  }
  void call_host(HostFunction function) { put(kCall, 0, kCallsHost, 0, static_cast<std::int32_t>(world().id_of(function))); }
  void call_helper(std::int32_t id) { put(kCall, 0, 0, 0, id); }
  /// Calls it, or gives its address in `reg`.
  void name(std::size_t function, int reg = -1) {
    calls_.emplace_back(out_.size(), function);
    if (reg < 0) return put(kCall, 0, kCallsFunction, 0, 0);
    put(kWide, static_cast<unsigned>(reg), kNamesFunction, 0, 0);
    put(0, 0, 0, 0, 0);
  }
  void map(unsigned reg) {
    put(kWide, reg, kNamesMap, 0, 0);
    put(0, 0, 0, 0, 0);
  }
  /// One of a kind that is there already, or a new one.
  std::size_t function(Kind kind) {
    for (std::size_t i = 0; i < functions_.size(); ++i)
      if (functions_[i].kind == kind && (functions_.size() == kMostFunctions || one_in(2))) return i;
    if (functions_.size() == kMostFunctions) return functions_.size();
    functions_.push_back({.kind = kind});
    return functions_.size() - 1;
  }

  /// A few instructions. Their jumps stay among them.
  void block() {
    const std::size_t from = out_.size();
    for (unsigned left = 1 + next() % 4; left > 0 && room(); --left) step();
    for (std::size_t at = from; at < out_.size(); ++at) {
      RawInsn& insn = out_[at];
      const std::uint8_t kind = insn.code & kClassMask;
      if ((kind != kClassJump && kind != kClassJump32) || insn.code == kExit || insn.code == kCall) continue;
      const int furthest = static_cast<int>(out_.size() - at) - 1;
      if (insn.code == kLongJump) insn.imm = std::clamp(insn.imm, 0, furthest);
      else insn.off = static_cast<std::int16_t>(std::clamp<int>(insn.off, 0, furthest));
    }
  }

  void statement(int depth) {
    const unsigned kind = next() % 32;
    const bool deeper = depth < kMostDepth;
    if (kind < 14 || !room()) block();
    else if (kind < 20) deeper ? iterate(depth) : block();
    else if (kind < 23) loop_by_callback();
    else if (kind < 25) each_element();
    else if (kind < 28) deeper ? may_goto(depth) : block();
    else if (kind < 29) deeper ? count(depth) : block();
    else if (kind < 30) look_up();
    else call();
  }
  void body(int depth) {
    for (unsigned left = 1 + next() % 3; left > 0 && room(); --left) statement(depth + 1);
  }

  /// r1: the iterator, said anew, or as it was spilled.
  void iterator_argument(int at, bool spilled) {
    if (spilled) put(kLoad8, 1, kFrame, at - kIteratorsAt + kAddressesAt, 0);
    else stack_address(1, at);
  }

  void iterate(int depth) {
    const bool bits = one_in(4), spilled = one_in(3);
    const int at = one_in(24) ? -8 * (2 + next() % 6) : kIteratorsAt - 16 * (iterators_ % 4);
    ++iterators_;
    if (spilled) {
      stack_address(1, at);
      put(kStoreReg8, kFrame, 1, at - kIteratorsAt + kAddressesAt, 0);
    }
    const std::uint8_t from = number(), to = number();
    if (bits) {
      stack_address(2, -8);
      put(kMovImm, 3, 0, 0, 1 + next() % 2);
    } else {
      if (one_in(3)) put(kMovReg, 2, from, 0, 0);
      else put(kMovImm, 2, 0, 0, next() % 4);
      if (one_in(3) && to != 2) put(kMovReg, 3, to, 0, 0);
      else put(kMovImm, 3, 0, 0, next() % 16);
    }
    iterator_argument(at, spilled);
    call_host(bits ? HostFunction::kBitsNew : HostFunction::kNumNew);
    lose_arguments(0);
    const std::size_t top = out_.size();
    iterator_argument(at, spilled);
    const std::size_t advance = !bits && one_in(4) ? function(Kind::kAdvance) : kMostFunctions;
    if (advance < kMostFunctions) name(advance);
    else call_host(bits ? HostFunction::kBitsNext : HostFunction::kNumNext);
    const std::size_t drained = out_.size();
    put(kJeqImm, 0, 0, 0, 0);
    if (advance == kMostFunctions && one_in(2)) put(kLoad4, number(), 0, 0, 0);
    lose_arguments(one_in(4) ? 1 : 0);
    round(depth, top, drained);
    iterator_argument(at, spilled);
    call_host(bits ? HostFunction::kBitsDestroy : HostFunction::kNumDestroy);
    lose_arguments(0);
    --iterators_;
  }

  /// A body and the jump back to `top`; it may be left in the middle. What leaves the loop at `done` lands behind it.
  void round(int depth, std::size_t top, std::size_t done) {
    body(depth);
    std::size_t left_early = 0;
    if (one_in(3)) {
      left_early = out_.size();
      put(kJsgtImm, number(), 0, 0, immediate());
    }
    jump_back(top);
    land(done);
    if (left_early != 0) land(left_early);
  }

  /// 16 bytes that a function may write.
  void lend(unsigned reg) {
    const int at = one_in(2) ? kLentAt : -16;
    if (at == kLentAt) {
      put(kStoreImm8, kFrame, 0, at, immediate());
      put(kStoreImm8, kFrame, 0, at + 8, immediate());
    }
    stack_address(reg, at);
  }

  /// A helper that takes a callback as its second argument.
  void call_back(std::size_t callee, std::int32_t helper) {
    name(callee, 2);
    lend(3);
    put(kMovImm, 4, 0, 0, 0);
    call_helper(helper);
    lose_arguments(one_in(2) ? 1 : 0);
  }

  void loop_by_callback() {
    const std::size_t callee = function(Kind::kRound);
    if (callee == kMostFunctions) return block();
    if (one_in(3)) put(kMovReg, 1, number(), 0, 0);
    else put(kMovImm, 1, 0, 0, next() % 12);
    call_back(callee, kLoopHelper);
  }

  void each_element() {
    const std::size_t callee = function(Kind::kElement);
    if (callee == kMostFunctions) return block();
    map(1);
    call_back(callee, kForEachHelper);
  }

  void look_up() {
    put(kStoreImm4, kFrame, 0, kKeyAt, next() % 5);
    map(1);
    stack_address(2, kKeyAt);
    call_helper(kLookupHelper);
    const std::size_t missing = out_.size();
    if (!one_in(16)) put(kJeqImm, 0, 0, 0, 0);
    const std::uint8_t to = number();
    put(kLoad8, to, 0, 8 * (next() % 6), 0);
    if (to != 0 && one_in(2)) put(kStoreReg8, 0, to, 8 * (next() % 6), 0);
    if (out_[missing].code == kJeqImm) land(missing);
    lose_arguments(0);
  }

  void call() {
    const Kind kind = one_in(3) ? Kind::kContext : Kind::kPointer;
    const std::size_t callee = function(kind);
    if (callee == kMostFunctions) return block();
    const std::uint8_t given = number();
    put(kMovReg, 2, given, 0, 0);
    if (kind == Kind::kContext) put(kMovReg, 1, kBase, 0, 0);
    else lend(1);
    name(callee);
    lose_arguments(one_in(4) ? 0 : 1);
  }

  void may_goto(int depth) {
    const std::size_t top = out_.size();
    put(kMayGoto, 0, 0, 0, 0);
    round(depth, top, top);
  }

  /// A number that bodies may change too.
  void count(int depth) {
    const std::uint8_t counter = one_in(2) ? 9 : 8;
    put(kMovImm, counter, 0, 0, 0);
    const std::size_t top = out_.size();
    body(depth);
    put(kAddImm, counter, 0, 0, 1 + next() % 3);
    put(kJltImm, counter, 0, static_cast<int>(top) - static_cast<int>(out_.size()) - 1, 1 + next() % 8);
  }

  /// r0, r2 … r5, r7 … r9 become numbers, those that were given stay where they are told.
  void numbers_of_function(std::uint8_t given) {
    for (const std::uint8_t reg : kNumbers) {
      if (reg == given) continue;
      if (next() % 3 == 0) put(kMovReg, reg, given, 0, 0);
      else put(kMovImm, reg, 0, 0, immediate());
    }
    for (int slot = 1; slot <= 3; ++slot) put(kStoreImm8, kFrame, 0, -8 * slot, slot);
  }

  void write(Kind kind) {
    constexpr int kLentBytes = 16;
    base_bytes_ = kind == Kind::kContext ? 64 : kind == Kind::kElement ? static_cast<int>(kArrayValueBytes) : kLentBytes;
    switch (kind) {
      case Kind::kAdvance: {
        put(kMovReg, kBase, 1, 0, 0);
        call_host(HostFunction::kNumNext);
        const std::size_t drained = out_.size();
        put(kJeqImm, 0, 0, 0, 0);
        if (one_in(2)) put(kLoad4, 0, 0, 0, 0);
        else put(kMovImm, 0, 0, 0, 1);
        if (one_in(3)) put(0x47 /* |= */, 0, 0, 0, 1);
        put(kExit, 0, 0, 0, 0);
        land(drained);
        put(kMovImm, 0, 0, 0, 0);
        put(kExit, 0, 0, 0, 0);
        return;
      }
      case Kind::kPointer: case Kind::kContext:
        put(kMovReg, kBase, 1, 0, 0);
        numbers_of_function(2);
        break;
      case Kind::kRound:
        put(kMovReg, kBase, 2, 0, 0);
        numbers_of_function(1);
        break;
      case Kind::kElement:
        put(kMovReg, kBase, one_in(3) ? 4 : 3, 0, 0);
        if (out_.back().src == 4) base_bytes_ = kLentBytes;
        put(kLoad4, 9, 2, 0, 0);
        numbers_of_function(9);
        break;
    }
    limit_ = std::min(most_, out_.size() + 24);
    for (unsigned left = 1 + next() % 4; left > 0 && room(); --left) statement(one_in(3) ? 1 : kMostDepth);
    if (kind == Kind::kRound || kind == Kind::kElement) {
      const std::uint8_t result = number();
      if (one_in(3)) put(kMovImm, result, 0, 0, next() % 2);
      else put(kAndImm, result, 0, 0, 1);
      return leave(result);
    }
    leave(number());
  }

  const std::size_t most_;
  std::size_t limit_;      // of what is written just now
  int iterators_ = 0;  // at the same time
  std::vector<Function> functions_;
  std::vector<std::pair<std::size_t, std::size_t>> calls_;  // instructions, and functions that they name
};

}  // namespace

std::vector<RawInsn> looping_program(std::span<const std::uint8_t> bytes, std::size_t most_insns) { return Maker(bytes, most_insns).program(); }

}  // namespace ring3::fuzz
