// Test support: random programs that end, touch only their own memory and compute nothing from addresses, so that
// every tier has to agree on every register and byte. A seed names a program.
//
// r9 points to kMemoryBytes bytes (r1 of the main function) and stays; r10's frame is written before it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "isa/rows.h"
#include "rewrite/xlated.h"

namespace ring3::exec::jit {

class RandomProgram {
 public:
  static constexpr std::uint32_t kMemoryBytes = 256;

  static std::shared_ptr<const rewrite::XlatedProgram> make(std::uint64_t seed) {
    return RandomProgram(seed).build();
  }

 private:
  using Insn = isa::Insn;
  using Op = isa::Op;
  using Reg = std::uint8_t;
  static constexpr Reg kMemoryReg = 9;
  static constexpr std::int16_t kStackBytes = 64;
  static constexpr std::int16_t kLoopSlot = -8;  // of the frame; random code stays below
  static constexpr std::int32_t kDumpOff = 128;  // of the memory: the registers at the end

  explicit RandomProgram(std::uint64_t seed) : random_(seed), out_(std::make_shared<rewrite::XlatedProgram>()) {}

  std::shared_ptr<const rewrite::XlatedProgram> build() {
    out_->helpers.push_back({5, "mix", mix});
    functions_ = 1 + below(3);
    for (std::uint32_t f = 0; f < functions_; ++f) {
      const auto start = size();
      starts_.push_back(start);
      function(f);
      out_->subprogs.push_back({start, size(), static_cast<std::uint32_t>(kStackBytes)});
    }
    for (const auto& [at, callee] : calls_) out_->insns[at].jump = static_cast<std::int32_t>(starts_[callee] - at - 1);
    for (std::uint32_t i = 0; i < size(); ++i) out_->original_idx.push_back(i);
    return out_;
  }

  static std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e,
                           exec::RunContext&) {
    return ((a * 31 + b) * 31 + c) * 31 + (d ^ (e >> 7));
  }

  std::uint32_t size() const { return static_cast<std::uint32_t>(out_->insns.size()); }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  Reg any_reg() { return static_cast<Reg>(below(9)); }
  bool chance(std::uint32_t one_in) { return below(one_in) == 0; }
  void push(const Insn& insn) { out_->insns.push_back(insn); }

  std::uint64_t value() {
    static constexpr std::uint64_t kCorners[] = {0, 1, 2, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff,
                                                 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
                                                 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000};
    if (chance(2)) return kCorners[below(std::size(kCorners))];
    return random_() >> below(64);
  }
  std::int64_t imm32() { return static_cast<std::int32_t>(value()); }

  void constant(Reg dst, std::uint64_t value) {
    push({.op = Op::kLdImm64, .bits = 64, .dst = dst, .imm = static_cast<std::int64_t>(value)});
    push({.op = Op::kLdImm64Hi, .bits = 64, .imm = static_cast<std::int64_t>(value) >> 32});
  }
  void mov(Reg dst, Reg src) { push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = dst, .src = src}); }

  void function(std::uint32_t index) {
    mov(kMemoryReg, 1);
    for (Reg r = 0; r < 9; ++r)
      if (index == 0 || r == 0 || r > 5 || r == 1) constant(r, value());
    for (std::int16_t off = -kStackBytes; off < 0; off = static_cast<std::int16_t>(off + 8))
      push({.op = Op::kStore, .bits = 64, .size = 8, .dst = 10, .off = off, .imm = imm32()});
    const bool loops = chance(2);
    push({.op = Op::kStore, .bits = 64, .size = 8, .dst = 10, .off = kLoopSlot, .imm = 1 + below(4)});
    const std::uint32_t top = size();
    body(index, 4 + below(40));
    if (loops) loop_back(top);
    if (index == 0) dump();
    push({.op = Op::kExit, .bits = 64});
  }

  void loop_back(std::uint32_t top) {
    const Reg r = any_reg();
    push({.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = r, .src = 10, .off = kLoopSlot});
    push({.op = Op::kAdd, .bits = 64, .dst = r, .imm = -1});
    push({.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = 10, .src = r, .off = kLoopSlot});
    push({.op = Op::kJne, .bits = 64, .dst = r, .jump = static_cast<std::int32_t>(top) - static_cast<std::int32_t>(size()) - 1});
  }

  void dump() {
    for (Reg r = 0; r < 9; ++r)
      push({.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = kMemoryReg, .src = r,
            .off = static_cast<std::int16_t>(kDumpOff + 8 * r)});
  }

  void body(std::uint32_t function, std::uint32_t count) {
    std::vector<std::uint32_t> open;  // forward jumps without a target yet
    for (std::uint32_t i = 0; i < count; ++i) {
      while (!open.empty() && chance(3)) {
        land(open.back());
        open.pop_back();
      }
      switch (below(16)) {
        case 0: case 1: case 2: load_or_store(); break;
        case 3: atomic(); break;
        case 4: case 5: open.push_back(branch()); break;
        case 6: if (chance(3)) call(function); break;
        case 7: idiom(); break;
        case 8: chance(2) ? jump_over_one() : indexed(); break;
        case 9:
          if (!chance(4)) break;
          compare(1);  // over a jump
          push({.op = Op::kJa, .bits = 64});
          open.push_back(size() - 1);
          break;
        default: alu(); break;
      }
    }
    for (const std::uint32_t at : open) land(at);
  }

  void land(std::uint32_t jump) { out_->insns[jump].jump = static_cast<std::int32_t>(size() - jump - 1); }

  void alu() {
    static constexpr Op kOps[] = {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kSdiv, Op::kMod, Op::kSmod, Op::kOr,
                                  Op::kAnd, Op::kXor, Op::kLsh, Op::kRsh, Op::kArsh, Op::kMov, Op::kMovsx, Op::kNeg,
                                  Op::kToLe, Op::kToBe, Op::kBswap};
    Insn insn{.op = kOps[below(std::size(kOps))], .bits = static_cast<std::uint8_t>(chance(2) ? 64 : 32),
              .src_is_reg = chance(2), .dst = any_reg(), .src = any_reg(), .imm = imm32()};
    if (insn.op == Op::kLsh || insn.op == Op::kRsh || insn.op == Op::kArsh) insn.imm = below(insn.bits);
    if (insn.op == Op::kMovsx) {
      insn.src_is_reg = true;
      insn.size = static_cast<std::uint8_t>(1u << below(insn.bits == 64 ? 3 : 2));
    }
    if (insn.op == Op::kNeg) insn.src_is_reg = false;
    if (insn.op == Op::kToLe || insn.op == Op::kToBe || insn.op == Op::kBswap) {
      insn.bits = 64;
      insn.src_is_reg = false;
      insn.imm = 16 << below(3);
    }
    if (insn.src_is_reg) insn.imm = 0;
    else insn.src = 0;
    push(insn);
  }

  /// Base and displacement of an access: memory, or the frame below the loop counter.
  std::pair<Reg, std::int16_t> place(std::uint32_t bytes, bool aligned) {
    std::uint32_t off = below(48);
    if (aligned) off = off / bytes * bytes;
    if (chance(2)) return {kMemoryReg, static_cast<std::int16_t>(off)};
    return {Reg{10}, static_cast<std::int16_t>(-kStackBytes + static_cast<std::int32_t>(off))};
  }

  void load_or_store() {
    const auto bytes = static_cast<std::uint8_t>(1u << below(4));
    const auto [base, off] = place(bytes, false);
    if (chance(2)) {
      const bool sx = bytes < 8 && chance(3);
      push({.op = sx ? Op::kLoadSx : Op::kLoad, .bits = 64, .size = bytes, .src_is_reg = true, .dst = any_reg(),
            .src = base, .off = off});
    } else if (chance(2)) {
      push({.op = Op::kStore, .bits = 64, .size = bytes, .dst = base, .off = off, .imm = imm32()});
    } else {
      push({.op = Op::kStore, .bits = 64, .size = bytes, .src_is_reg = true, .dst = base, .src = any_reg(), .off = off});
    }
  }

  void atomic() {
    static constexpr Op kOps[] = {Op::kAtomicAdd, Op::kAtomicOr, Op::kAtomicAnd, Op::kAtomicXor, Op::kAtomicFetchAdd,
                                  Op::kAtomicFetchOr, Op::kAtomicFetchAnd, Op::kAtomicFetchXor, Op::kAtomicXchg,
                                  Op::kAtomicCmpxchg};
    const auto bytes = static_cast<std::uint8_t>(chance(2) ? 4 : 8);
    const auto [base, off] = place(bytes, true);
    push({.op = kOps[below(std::size(kOps))], .bits = 64, .size = bytes, .src_is_reg = true, .dst = base,
          .src = any_reg(), .off = off});
  }

  /// A forward jump; its target comes later.
  std::uint32_t branch() {
    if (chance(8)) {
      push({.op = Op::kMayGoto, .bits = 64});
    } else {
      compare(0);
    }
    return size() - 1;
  }

  void compare(std::int32_t jump) {
    const auto op = static_cast<Op>(static_cast<std::uint32_t>(Op::kJeq) + below(11));
    Insn insn{.op = op, .bits = static_cast<std::uint8_t>(chance(2) ? 64 : 32), .src_is_reg = chance(2), .dst = any_reg(),
              .src = any_reg(), .jump = jump, .imm = chance(3) ? 0 : imm32()};
    if (insn.src_is_reg) insn.imm = 0;
    else insn.src = 0;
    push(insn);
  }

  /// One instruction that may be skipped, by one jump or by two that meet.
  void jump_over_one() {
    if (chance(2)) alu();  // leaves something in the flags
    const bool meets = chance(2);
    compare(meets ? 2 : 1);
    alu();
    if (meets) push({.op = Op::kJa, .bits = 64});
  }

  /// Accesses by a sum of registers. The pointer is overwritten at the end, as programs here compute nothing from it.
  void indexed() {
    const Reg index = any_reg();
    const Reg pointer = static_cast<Reg>((index + 1 + below(8)) % 9);
    push({.op = Op::kAnd, .bits = 64, .dst = index, .imm = 7});
    const bool scaled = chance(2);
    const Reg summand = scaled ? static_cast<Reg>(pointer == (index + 1) % 9 ? (index + 2) % 9 : (index + 1) % 9) : index;
    if (scaled) {
      mov(summand, index);
      push({.op = Op::kLsh, .bits = 64, .dst = summand, .imm = 1 + below(3)});
    }
    mov(pointer, kMemoryReg);
    if (chance(2)) push({.op = Op::kAdd, .bits = 64, .dst = pointer, .imm = below(16)});
    push({.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = pointer, .src = summand});
    for (std::uint32_t n = below(3); n-- > 0;) {
      if (chance(4)) push({.op = Op::kAdd, .bits = 64, .dst = index, .imm = imm32()});
      const Reg other = static_cast<Reg>((pointer + 1 + below(8)) % 9);
      if (chance(2))
        push({.op = Op::kLoad, .bits = 64, .size = 4, .src_is_reg = true, .dst = other, .src = pointer, .off = 8});
      else
        push({.op = Op::kStore, .bits = 64, .size = 2, .src_is_reg = true, .dst = pointer, .src = other, .off = 4});
    }
    if (chance(2)) bytes_to_word({pointer, 3}, static_cast<Reg>((pointer + 1) % 9), static_cast<Reg>((pointer + 2) % 9), true);
    push({.op = Op::kLoad, .bits = 64, .size = 1, .src_is_reg = true, .dst = pointer, .src = pointer, .off = 2});
  }

  /// A helper, or a function with a higher number: calls never recurse.
  void call(std::uint32_t function) {
    if (chance(2) || function + 1 >= functions_) {
      push({.op = Op::kCallHelper, .bits = 64, .imm = 0});
    } else {
      mov(1, kMemoryReg);
      calls_.emplace_back(size(), function + 1 + below(functions_ - function - 1));
      push({.op = Op::kCallSubprog, .bits = 64, .src = 1});
    }
    for (Reg r = 1; r <= 5; ++r) constant(r, value());
  }

  /// Sequences compilers make, which the compiler here may fold.
  void idiom() {
    const Reg a = any_reg();
    const Reg b = any_reg();
    const std::uint8_t bits = chance(2) ? 64 : 32;
    const auto shift = [&](Op op, Reg reg, std::int64_t n) { push({.op = op, .bits = bits, .dst = reg, .imm = n}); };
    switch (below(5)) {
      case 3: bit_test(); break;
      case 0: {  // rotation
        const std::int64_t n = 1 + below(bits - 1u);
        push({.op = Op::kMov, .bits = bits, .src_is_reg = true, .dst = b, .src = a});
        shift(chance(2) ? Op::kRsh : Op::kLsh, b, n);
        shift(out_->insns.back().op == Op::kRsh ? Op::kLsh : Op::kRsh, a, bits - n);
        push({.op = chance(2) ? Op::kOr : Op::kAdd, .bits = bits, .src_is_reg = true, .dst = a, .src = b});
        break;
      }
      case 1: {  // zero or sign extension, of a copy or of what was loaded
        const std::int64_t n = bits - (8 << below(bits == 64 ? 3 : 2));
        if (chance(3)) {
          push({.op = Op::kMov, .bits = static_cast<std::uint8_t>(chance(2) ? 64 : 32), .src_is_reg = true, .dst = a, .src = b});
        } else if (chance(2)) {
          const auto bytes = static_cast<std::uint8_t>(1u << below(4));
          const auto [base, off] = place(bytes, false);
          push({.op = Op::kLoad, .bits = 64, .size = bytes, .src_is_reg = true, .dst = a, .src = base, .off = off});
        }
        shift(Op::kLsh, a, n);
        shift(chance(2) ? Op::kRsh : Op::kArsh, chance(20) ? b : a, chance(20) ? n - 1 : n);
        break;
      }
      case 2: bytes_to_word(); break;
      default:  // three operands
        push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = a, .src = b});
        push({.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = a, .src = any_reg()});
        break;
    }
  }

  /// A jump by one bit, of a number that is masked or copied or neither; any two of the registers may be one.
  void bit_test() {
    const Reg bit = any_reg(), number = any_reg();
    const auto width = [&] { return static_cast<std::uint8_t>(chance(4) ? 32 : 64); };
    const std::uint8_t bits = width();
    const auto disturb = [&] { if (chance(12)) alu(); };
    if (chance(3)) push({.op = Op::kMov, .bits = width(), .src_is_reg = true, .dst = number, .src = any_reg()});
    if (chance(3)) push({.op = Op::kAnd, .bits = width(), .dst = number, .imm = chance(8) ? 7 : chance(2) ? 31 : 63});
    if (chance(2)) push({.op = Op::kMov, .bits = chance(4) ? width() : bits, .src_is_reg = true, .dst = bit, .src = any_reg()});
    disturb();
    const bool by_mask = chance(2);
    const Reg mask = by_mask ? any_reg() : bit;
    if (by_mask) push({.op = Op::kMov, .bits = width(), .dst = mask, .imm = chance(20) ? 2 : 1});
    const Op shift = by_mask ? Op::kLsh : chance(3) ? Op::kArsh : Op::kRsh;
    push({.op = shift, .bits = bits, .src_is_reg = true, .dst = mask, .src = number});
    disturb();
    const std::uint8_t jump_bits = chance(8) ? width() : bits;
    const bool turned = chance(2);
    const Reg to = turned ? mask : bit, with = turned ? bit : mask;
    const auto back_over = static_cast<std::int32_t>(chance(2) ? 1 : 2);
    if (chance(3)) {
      push({.op = Op::kJset, .bits = jump_bits, .src_is_reg = by_mask, .dst = to, .src = by_mask ? with : Reg{0}, .jump = back_over, .imm = by_mask ? 0 : 1});
    } else {
      if (by_mask) push({.op = Op::kAnd, .bits = chance(8) ? width() : bits, .src_is_reg = true, .dst = to, .src = with});
      else push({.op = Op::kAnd, .bits = width(), .dst = to, .imm = chance(20) ? 3 : 1});
      disturb();
      push({.op = chance(2) ? Op::kJeq : Op::kJne, .bits = jump_bits, .dst = to, .jump = back_over});
    }
    if (back_over == 1 && chance(3)) {
      alu();
      return;
    }
    for (std::int32_t n = 0; n < back_over; ++n)
      n == 0 ? push({.op = Op::kStore, .bits = 64, .size = 1, .dst = kMemoryReg, .off = static_cast<std::int16_t>(below(48)), .imm = imm32()}) : alu();
    // What made the test is dead as a rule, so that it may go.
    if (!chance(6)) constant(bit, value());
    if (by_mask && !chance(6)) constant(mask, value());
    if (chance(2)) constant(number, value());
  }

  void bytes_to_word() {
    const Reg acc = any_reg();
    bytes_to_word(place(8, false), acc, static_cast<Reg>((acc + 1 + below(8)) % 9), false);
  }

  /// A word read byte by byte, in either order; the last load may take the place of the pointer.
  void bytes_to_word(std::pair<Reg, std::int16_t> from, Reg acc, Reg part, bool through_pointer) {
    const std::uint32_t count = chance(2) ? 2 : chance(2) ? 4 : 8;
    const bool big = chance(2);
    const std::uint8_t bits = count < 8 && chance(2) ? 32 : 64;
    const auto lane = [&](std::uint32_t i) { return static_cast<std::int64_t>(8 * (big ? count - 1 - i : i)); };
    const auto byte = [&](Reg to, std::uint32_t i) {
      push({.op = Op::kLoad, .bits = 64, .size = 1, .src_is_reg = true, .dst = to, .src = from.first,
            .off = static_cast<std::int16_t>(from.second + static_cast<std::int32_t>(i))});
      if (lane(i) != 0) push({.op = Op::kLsh, .bits = bits, .dst = to, .imm = lane(i)});
    };
    // What the compiler must see: something between that keeps the parts from being one word.
    const auto disturb = [&] {
      if (!chance(40)) return;
      if (through_pointer || chance(2)) push({.op = Op::kStore, .bits = 64, .size = 1, .dst = kMemoryReg, .off = static_cast<std::int16_t>(below(48)), .imm = imm32()});
      else alu();
    };
    byte(acc, 0);
    for (std::uint32_t i = 1; i < count; ++i) {
      disturb();
      const bool last = i + 1 == count && through_pointer;
      byte(last ? from.first : part, i);
      disturb();
      push({.op = Op::kOr, .bits = bits, .src_is_reg = true, .dst = acc, .src = last ? from.first : part});
      if (last) {  // the pointer is gone: a new one, for what follows
        mov(from.first, kMemoryReg);
      }
    }
    if (chance(4)) push({.op = Op::kBswap, .bits = 64, .dst = acc, .imm = 16 << below(3)});
  }

  std::mt19937_64 random_;
  std::shared_ptr<rewrite::XlatedProgram> out_;
  std::uint32_t functions_ = 0;
  std::vector<std::uint32_t> starts_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> calls_;  // instruction, callee
};

}  // namespace ring3::exec::jit
