#include "program_generator.h"

#include <array>

#include "host_statements.h"

namespace ring3::native {
namespace {

constexpr std::uint8_t kAluOps[] = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0, 0xb0, 0xc0};
constexpr std::uint8_t kJumpOps[] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0};

class Generator final : public HostStatements {
 public:
  explicit Generator(std::uint64_t seed) : HostStatements(seed) { host_functions_ = asks_the_host(seed); }

  RandomProgram make() {
    prologue();
    const int statements = pick(4, 28);
    for (int i = 0; i < statements; ++i) statement(0);
    finish();
    return std::move(out_);
  }

 private:
  void prologue() {
    copy(6, 1);
    emit(0x62, 10, 0, -4, 0);  // *(u32 *)(r10 -4) = 0
    copy(2, 10);
    emit(0x07, 2, 0, 0, -4);
    map(1, kValueMap);
    call_helper(1);          // bpf_map_lookup_elem
    emit(0x55, 0, 0, 2, 0);  // if r0 != 0 goto +2; always: since 6.14 Linux knows that key 0 is there
    mov(0, 0);
    emit(0x95, 0);
    copy(7, 0);
    if (chance(75))
      for (int at = -8; at >= -48; at -= 8) emit(0x7a, 10, 0, at, one_of(kImmediates));
    emit(0x79, 8, 7, 0);   // r8, r9: unknown to a verifier
    emit(0x61, 9, 7, 8);
    for (int reg : {0, 1, 2, 3, 4, 5})
      if (reg == 0 || chance(98)) mov(reg, one_of(kImmediates));
  }

  int slot() { return -8 * pick(1, 6); }

  void alu() {
    const bool wide = chance(60);
    const std::uint8_t op = one_of(kAluOps);
    if ((op == 0x30 || op == 0x90) && !beyond_linux_) return negate();
    const bool is_shift = op == 0x60 || op == 0x70 || op == 0xc0;
    const auto base = static_cast<std::uint8_t>((wide ? kAlu64 : kAlu32) | op);
    if (chance(50) && (beyond_linux_ || !is_shift)) return emit(base | kByReg, number(), number());
    std::int32_t imm = one_of(kImmediates);
    if (is_shift) imm = pick(0, wide ? 63 : 31);
    if ((op == 0x30 || op == 0x90) && imm == 0) imm = 3;
    emit(base, number(), 0, (op == 0x30 || op == 0x90) && chance(40) ? 1 : 0, imm);  // off 1: signed
  }
  void sign_extend() {
    if (!beyond_linux_) return swap();
    if (chance(70)) return emit(0xbf, number(), number(), one_of({8, 16, 32}));
    emit(0xbc, number(), number(), one_of({8, 16}));
  }
  /// Of what swaps and negations give we know a little more than Linux.
  void swap() {
    const int reg = number();
    emit(chance(50) ? 0xd7 : one_of<std::uint8_t>({0xd4, 0xdc}), reg, 0, 0, one_of({16, 32, 64}));
    hide_bounds(reg);
  }
  void negate() {
    const int reg = number();
    emit(chance(50) ? 0x87 : 0x84, reg);
    hide_bounds(reg);
  }
  void hide_bounds(int reg) {
    if (!beyond_linux_) emit(0x57, reg, 0, 0, one_of({7, 255, 0x7fff}));
  }

  /// Over the statements that follow, or into their middle.
  void branch(int depth) {
    const std::size_t at = here();
    const auto base = static_cast<std::uint8_t>((chance(65) ? kJmp : kJmp32) | one_of(kJumpOps));
    if (chance(60)) emit(base, number(), 0, 0, one_of(kImmediates));
    else emit(base | kByReg, number(), number());
    const int body = pick(1, 3);
    for (int i = 0; i < body; ++i) statement(depth + 1);
    if (!chance(25)) return land(at);
    const std::size_t other = here();  // else part
    const bool is_far = chance(30);
    emit(is_far ? kJmp32 : kJmp, 0);
    land(at);
    statement(depth + 1);
    if (is_far) out_.insns[other].imm = static_cast<std::int32_t>(here() - other - 1);
    else land(other);
  }

  void spill() {
    const int size = chance(70) ? 3 : pick(0, 3);
    const int at = slot() + (size == 3 || chance(60) ? 0 : kBytes[size] * pick(0, 8 / kBytes[size] - 1));
    const int reg = chance(92) ? number() : one_of({6, 7, 10});
    if (chance(80)) emit(static_cast<std::uint8_t>(kStx | kSizes[size]), 10, reg, at);
    else emit(static_cast<std::uint8_t>(kSt | kSizes[size]), 10, 0, at, one_of(kImmediates));
    if (chance(20)) atomic_on_stack(at & ~7);
    if (chance(75)) fill(at, size);
  }
  void atomic_on_stack(int at) {
    if (chance(70)) emit(0x7a, 10, 0, at, one_of(kImmediates));
    const bool wide = chance(50);
    emit(static_cast<std::uint8_t>(kAtomic | (wide ? 0x18 : 0)), 10, number(), at + (wide ? 0 : one_of({0, 4})), one_of(kAtomics));
  }
  void fill(int at, int size) {
    const int read = chance(80) ? size : pick(0, 3);
    emit(load_code(read), chance(97) ? number() : 7, 10, at);
  }

  /// r1 = r7 + an index made small enough, most of the time; then one access.
  void indexed() {
    const int index = one_of({2, 3, 8, 9});
    const int size = pick(0, 3);
    switch (pick(0, 4)) {
      case 0: emit(0x57, index, 0, 0, one_of({7, 15, 31, 32, 40, 47})); break;
      case 1: emit(0x54, index, 0, 0, one_of({7, 15, 31, 40})); break;
      case 2: emit(0x77, index, 0, 0, pick(56, 63)); break;
      case 3:
        if (beyond_linux_) emit(0x97, index, 0, 0, pick(1, 48));
        else emit(0xbc, index, index), emit(0x77, index, 0, 0, pick(26, 32));
        break;
      default:
        if (chance(80)) emit(0x57, index, 0, 0, pick(1, 60));
        break;  // else whatever is known of it so far
    }
    const bool checked = chance(45);
    const std::size_t at = here();
    if (checked) emit(static_cast<std::uint8_t>((chance(80) ? kJmp : kJmp32) | one_of<std::uint8_t>({0x20, 0x30, 0x60, 0x70})), index, 0, 0, pick(30, 49));
    copy(1, 7);
    if (chance(10)) emit(0x07, 1, 0, 0, pick(-4, 20));
    emit(chance(93) ? 0x0f : 0x1f, 1, index);
    const int off = chance(85) ? 0 : pick(-8, 40);
    if (chance(50)) emit(load_code(size), number(), 1, off);
    else if (chance(70)) emit(static_cast<std::uint8_t>(kStx | kSizes[size]), 1, number(), off);
    else emit(static_cast<std::uint8_t>(kAtomic | (chance(50) ? 0x18 : 0)), 1, number(), off, one_of(kAtomics));
    if (checked) land(at);
    if (chance(98)) mov(1, 0);
  }

  void stack_at_index() {
    const int index = one_of({2, 3, 8, 9});
    emit(0x57, index, 0, 0, one_of({3, 7, 8, 15, 24}));
    copy(4, 10);
    emit(0x07, 4, 0, 0, one_of({-40, -48, -32, -16}));
    emit(0x0f, 4, index);
    if (chance(50)) emit(static_cast<std::uint8_t>(kLdx | kSizes[pick(0, 3)]), number(), 4, 0);
    else emit(static_cast<std::uint8_t>(kStx | kSizes[pick(0, 3)]), 4, number(), 0);
    if (chance(97)) mov(4, 1);
  }

  void loop(int depth) {
    const int counter = one_of({5, 9});
    mov(counter, 0);
    const std::size_t top = here();
    const bool may_go = chance(20);
    if (may_go) emit(0xe5, 0);
    const int body = pick(1, 2);
    for (int i = 0; i < body; ++i) statement(depth + 2);
    emit(0x07, counter, 0, 0, pick(1, 3));
    const int back = static_cast<int>(here() - top) + 1;
    emit(one_of<std::uint8_t>({0xa5, 0xc5, 0xb5, 0xa6}), counter, 0, -back, pick(1, 12));
    if (may_go) land(top);
  }

  /// r0 = f(numbers); the callee stands behind the main function.
  void call() {
    const bool tail_calls = chance(25);
    copy(1, tail_calls ? 6 : kept_number());
    copy(2, tail_calls ? one_of({8, 9}) : one_of({8, 9, 7, 3}));
    call_function(tail_calls ? Callee::kTailCaller : Callee::kNumbers);
    lose_arguments();
  }

  void callback() { chance(60) ? loop_over_callback() : for_each_element(); }

  void packet_load() {
    if (chance(40)) return skb_load();
    copy(1, 6);
    mov(2, pick(0, 70));
    stack_address(3, kBufferAt);
    mov(4, chance(90) ? 8 : pick(1, 9));
    call_helper(26);  // bpf_skb_load_bytes
    emit(0x79, one_of({2, 8, 9}), 10, kBufferAt);
    lose_arguments();
  }
  /// Behind the packet's end the program ends.
  void skb_load() {
    const std::uint8_t size = one_of<std::uint8_t>({0x00, 0x08, 0x10});
    if (chance(60)) {
      emit(static_cast<std::uint8_t>(0x20 | size), 0, 0, 0, chance(90) ? pick(0, 60) : pick(60, 80));
    } else {
      const int index = one_of({8, 9});
      emit(0x57, index, 0, 0, 31);
      emit(static_cast<std::uint8_t>(0x40 | size), 0, index, 0, pick(0, 30));
    }
    lose_arguments();
  }

  /// What a program has to do with the world around it.
  void outside(int depth) {
    const int kind = pick(0, 99);
    if (kind < 35) return untrusted_loads(in_main_ ? Place::kMain : Place::kFunction);
    if (host_functions_ && kind < 55) return host_function();
    if (kind < 60 && !in_callback_) return throw_sometimes();
    if (!in_main_ || depth > 2) return alu();
    if (kind < 80) return dynptr();
    if (kind < 87) return own_object();
    if (kind < 94 && !iterating_) {
      iterating_ = true;
      const std::size_t top = begin_iteration();
      for (int body = pick(1, 3); body > 0; --body) statement(depth + 2);
      end_iteration(top);
      iterating_ = false;
      return;
    }
    const bool rcu = chance(50);
    begin_locked(rcu);
    for (int body = pick(1, 2); body > 0; --body) chance(60) ? alu() : spill();
    end_locked(rcu);
  }

  void statement(int depth) {
    const int kind = pick(0, 124);
    if (kind >= 110) return outside(depth);
    if (kind < 34) alu();
    else if (kind < 39) sign_extend();
    else if (kind < 42) swap();
    else if (kind < 44) negate();
    else if (kind < 58) depth < 3 ? branch(depth) : alu();
    else if (kind < 70) spill();
    else if (kind < 85) indexed();
    else if (kind < 90) stack_at_index();
    else if (kind < 94) depth < 2 ? loop(depth) : alu();
    else if (kind < 97) in_main_ && depth < 2 ? call() : alu();
    else if (kind < 99) emit(0xbf, number(), number());
    else if (kind < 107) in_main_ ? map_statement() : alu();
    else if (kind < 108) in_main_ ? packet_load() : alu();
    else if (kind < 109) in_main_ && depth < 3 ? callback() : alu();
    else in_main_ && depth < 2 && chance(50) ? tail_call() : alu();
  }

  void finish() {
    if (chance(95)) copy(0, number());
    emit(0x95, 0);
    in_main_ = false;
    // A function that is called for the first time while another is written comes behind it.
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const auto [at, callee] = calls_[i];
      std::size_t& start = starts_[static_cast<std::size_t>(callee)];
      if (start == 0) {
        start = here();
        write(callee);
      }
      out_.insns[at].imm = static_cast<std::int32_t>(start - at - 1);
    }
  }

  void write(Callee callee) {
    in_callback_ = callee == Callee::kLoopBody || callee == Callee::kElementBody;  // an exception must not leave one
    switch (callee) {
      case Callee::kNumbers: case Callee::kLeaf:
        copy(8, 1), copy(9, 1), copy(7, 2);
        for (int reg : {0, 2, 3, 4, 5}) mov(reg, one_of(kImmediates));
        callee_statements();
        if (callee == Callee::kNumbers && chance(40)) {
          copy(1, 8), copy(2, 9);
          call_function(Callee::kLeaf);
          lose_arguments();
          callee_statements();
        }
        break;
      case Callee::kTailCaller: tail_call_of_arguments(); break;
      case Callee::kLoopBody:
        copy(8, 1), copy(9, 1), copy(7, 2);
        for (int reg : {0, 2, 3, 4, 5}) mov(reg, one_of(kImmediates));
        callee_statements();
        return leave_loop_body();
      case Callee::kElementBody:
        emit(0x61, 8, 2), emit(0x79, 9, 3), copy(6, 3), copy(7, 4);
        for (int reg : {0, 1, 2, 3, 4, 5}) mov(reg, one_of(kImmediates));
        callee_statements();
        return leave_element_body();
    }
    if (callee != Callee::kTailCaller) copy(0, number());
    else if (chance(70)) mov(0, one_of(kImmediates));
    emit(0x95, 0);
  }
  void callee_statements() {
    const int statements = pick(1, 5);
    for (int i = 0; i < statements; ++i) callee_statement();
  }
  /// r7 may be anything there.
  void callee_statement() { chance(60) ? alu() : chance(50) ? spill() : chance(70) ? branch(2) : outside(2); }

  std::array<std::size_t, kCallees> starts_{};  // 0: not written yet
  bool in_main_ = true;
  bool iterating_ = false;
  bool in_callback_ = false;
};

}  // namespace

bool needs_our_host(const RandomProgram& program) {
  for (const isa::RawInsn& insn : program.insns)
    if (insn.code == 0x85 && insn.src == kNamesKfunc && insn.imm >= static_cast<std::int32_t>(kFirstOfHost)) return true;
  return false;
}

RandomProgram random_program(std::uint64_t seed) { return Generator(seed).make(); }

}  // namespace ring3::native
