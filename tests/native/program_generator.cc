#include "program_generator.h"

#include <random>

namespace ring3::native {
namespace {

// Classes and modes of the ABI, as far as they are put together here.
enum : std::uint8_t { kLdx = 0x61, kStx = 0x63, kSt = 0x62, kAtomic = 0xc3, kAlu64 = 0x07, kAlu32 = 0x04, kJmp = 0x05, kJmp32 = 0x06 };
enum : std::uint8_t { kByReg = 0x08 };
constexpr std::uint8_t kSizes[] = {0x00 /* 4 */, 0x08 /* 2 */, 0x10 /* 1 */, 0x18 /* 8 */};
constexpr int kBytes[] = {4, 2, 1, 8};
constexpr std::uint8_t kAluOps[] = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0, 0xb0, 0xc0};
constexpr std::uint8_t kJumpOps[] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0};
constexpr std::int32_t kImmediates[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 40, 47, 48, 63, 64, 255, 256, 65535, 0x7fffffff,
                                        -1, -2, -8, -48, -256, INT32_MIN, INT32_MIN + 1};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed), beyond_linux_(beyond_linux(seed)) {}

  RandomProgram make() {
    prologue();
    const int statements = pick(4, 28);
    for (int i = 0; i < statements; ++i) statement(0);
    finish();
    return std::move(out_);
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  template <typename T, std::size_t N>
  T one_of(const T (&from)[N]) { return from[pick(0, static_cast<int>(N) - 1)]; }

  void emit(std::uint8_t code, int dst, int src = 0, int off = 0, std::int32_t imm = 0) {
    out_.insns.push_back({code, static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15),
                          static_cast<std::int16_t>(off), imm});
  }
  void mov(int dst, std::int32_t imm) { emit(0xb7, dst, 0, 0, imm); }
  void copy(int dst, int src) { emit(0xbf, dst, src); }
  std::size_t here() const { return out_.insns.size(); }

  void prologue() {
    copy(6, 1);
    emit(0x62, 10, 0, -4, 0);  // *(u32 *)(r10 -4) = 0
    copy(2, 10);
    emit(0x07, 2, 0, 0, -4);
    out_.map_at.push_back(here());
    emit(0x18, 1, 1);
    emit(0x00, 0);
    emit(0x85, 0, 0, 0, 1);  // bpf_map_lookup_elem
    emit(0x55, 0, 0, 2, 0);  // if r0 != 0 goto +2; always: since 6.14 Linux knows that key 0 is there
    mov(0, 0);
    emit(0x95, 0);
    copy(7, 0);
    emit(0x79, 8, 7, 0);   // r8, r9: unknown to a verifier
    emit(0x61, 9, 7, 8);
    for (int reg : {0, 1, 2, 3, 4, 5})
      if (reg == 0 || chance(98)) mov(reg, one_of(kImmediates));
  }

  /// A register that usually holds a number.
  int number() { return chance(99) ? one_of({0, 2, 3, 4, 5, 8, 9}) : pick(0, 10); }
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
  void swap() { emit(chance(50) ? 0xd7 : one_of<std::uint8_t>({0xd4, 0xdc}), number(), 0, 0, one_of({16, 32, 64})); }
  void negate() { emit(chance(50) ? 0x87 : 0x84, number()); }

  /// Over the statements that follow, or into their middle.
  void branch(int depth) {
    const std::size_t at = here();
    const auto base = static_cast<std::uint8_t>((chance(65) ? kJmp : kJmp32) | one_of(kJumpOps));
    if (chance(60)) emit(base, number(), 0, 0, one_of(kImmediates));
    else emit(base | kByReg, number(), number());
    const int body = pick(1, 3);
    for (int i = 0; i < body; ++i) statement(depth + 1);
    int over = static_cast<int>(here() - at) - 1;
    if (chance(25) && !out_.map_at.empty()) {
      const std::size_t other = here();
      emit(kJmp, 0);  // else part
      ++over;
      statement(depth + 1);
      out_.insns[other].off = static_cast<std::int16_t>(here() - other - 1);
    }
    out_.insns[at].off = static_cast<std::int16_t>(over);
  }

  void spill() {
    const int size = chance(70) ? 3 : pick(0, 3);
    const int at = slot() + (size == 3 || chance(60) ? 0 : kBytes[size] * pick(0, 8 / kBytes[size] - 1));
    const int reg = chance(92) ? number() : one_of({6, 7, 10});
    if (chance(80)) emit(static_cast<std::uint8_t>(kStx | kSizes[size]), 10, reg, at);
    else emit(static_cast<std::uint8_t>(kSt | kSizes[size]), 10, 0, at, one_of(kImmediates));
    if (chance(75)) fill(at, size);
  }
  void fill(int at, int size) {
    const int read = chance(80) ? size : pick(0, 3);
    const auto code = static_cast<std::uint8_t>((chance(85) || read == 3 ? kLdx : 0x81) | kSizes[read]);
    emit(code, chance(97) ? number() : 7, 10, at);
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
    if (chance(50)) emit(static_cast<std::uint8_t>(kLdx | kSizes[size]), number(), 1, off);
    else if (chance(70)) emit(static_cast<std::uint8_t>(kStx | kSizes[size]), 1, number(), off);
    else emit(static_cast<std::uint8_t>(kAtomic | (chance(50) ? 0x18 : 0)), 1, number(), off, one_of({0x00, 0x01, 0x40, 0x41, 0x51, 0xa1, 0xe1, 0xf1}));
    if (checked) out_.insns[at].off = static_cast<std::int16_t>(here() - at - 1);
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
    const int body = pick(1, 2);
    for (int i = 0; i < body; ++i) statement(depth + 2);
    emit(0x07, counter, 0, 0, pick(1, 3));
    const int back = static_cast<int>(here() - top) + 1;
    emit(one_of<std::uint8_t>({0xa5, 0xc5, 0xb5, 0xa6}), counter, 0, -back, pick(1, 12));
  }

  /// r0 = f(numbers); the callee stands behind the main function.
  void call() {
    copy(1, one_of({2, 3, 8, 9}));
    copy(2, one_of({8, 9, 7, 3}));
    calls_.push_back(here());
    emit(0x85, 0, 1);
    for (int reg : {1, 2, 3, 4, 5})
      if (chance(97)) mov(reg, one_of(kImmediates));
  }

  void wide_hash(int dst) {
    out_.hash_at.push_back(here());
    emit(0x18, dst, 1);
    emit(0x00, 0);
  }
  void stack_address(int dst, int off) {
    copy(dst, 10);
    emit(0x07, dst, 0, 0, off);
  }

  /// Below the slots of spill(): the key, and the value or what a helper writes.
  static constexpr int kKeyAt = -56, kBufferAt = -64;

  void hash_operation() {
    const int key = one_of({2, 3, 8, 9});
    emit(0x57, key, 0, 0, kHashEntries - 1);
    emit(0x7b, 10, key, kKeyAt);
    emit(0x7b, 10, one_of({8, 9, 3}), kBufferAt);
    wide_hash(1);
    stack_address(2, kKeyAt);
    switch (pick(0, 3)) {
      case 0:
        stack_address(3, kBufferAt);
        mov(4, pick(0, 2));  // any, only new ones, only old ones
        emit(0x85, 0, 0, 0, 2);
        break;
      case 1: emit(0x85, 0, 0, 0, 3); break;
      default: {
        emit(0x85, 0, 0, 0, 1);
        const std::size_t at = here();
        emit(0x15, 0);  // if r0 == 0 goto behind
        if (chance(50)) emit(0x79, 9, 0, 0);
        if (chance(50)) emit(0x7b, 0, one_of({8, 9}), 0);
        if (chance(40)) emit(0xdb, 0, one_of({8, 9}), 0, one_of({0x00, 0x01, 0x40, 0x50, 0xa1, 0xe1}));
        emit(0x07, 8, 0, 0, 1);
        out_.insns[at].off = static_cast<std::int16_t>(here() - at - 1);
        if (chance(98)) mov(0, one_of(kImmediates));
      }
    }
    lose_arguments();
  }

  void packet_load() {
    copy(1, 6);
    mov(2, pick(0, 70));
    stack_address(3, kBufferAt);
    mov(4, chance(90) ? 8 : pick(1, 9));
    emit(0x85, 0, 0, 0, 26);  // bpf_skb_load_bytes
    emit(0x79, one_of({2, 8, 9}), 10, kBufferAt);
    lose_arguments();
  }

  /// What a call leaves unreadable gets a number again, as a rule.
  void lose_arguments() {
    for (int reg : {1, 2, 3, 4, 5})
      if (chance(98)) mov(reg, one_of(kImmediates));
  }

  void statement(int depth) {
    const int kind = pick(0, 109);
    if (kind < 34) alu();
    else if (kind < 39) sign_extend();
    else if (kind < 42) swap();
    else if (kind < 44) negate();
    else if (kind < 58) depth < 3 ? branch(depth) : alu();
    else if (kind < 70) spill();
    else if (kind < 85) indexed();
    else if (kind < 90) stack_at_index();
    else if (kind < 94) depth < 2 ? loop(depth) : alu();
    else if (kind < 97) !in_callee_ && depth < 2 ? call() : alu();
    else if (kind < 100) emit(0xbf, number(), number());
    else if (kind < 108) in_callee_ ? alu() : hash_operation();
    else in_callee_ ? alu() : packet_load();
  }

  void finish() {
    if (chance(95)) { copy(0, number()); }
    emit(0x95, 0);
    if (calls_.empty()) return;
    in_callee_ = true;
    const std::size_t callee = here();
    copy(8, 1);
    copy(9, 1);
    copy(7, 2);
    for (int reg : {0, 2, 3, 4, 5}) mov(reg, one_of(kImmediates));
    const int statements = pick(1, 5);
    for (int i = 0; i < statements; ++i) callee_statement();
    copy(0, number());
    emit(0x95, 0);
    for (std::size_t at : calls_) out_.insns[at].imm = static_cast<std::int32_t>(callee - at - 1);
  }
  /// r7 may be anything there.
  void callee_statement() { chance(60) ? alu() : chance(50) ? spill() : branch(2); }

  std::mt19937_64 random_;
  const bool beyond_linux_;
  RandomProgram out_;
  std::vector<std::size_t> calls_;
  bool in_callee_ = false;
};

}  // namespace

RandomProgram random_program(std::uint64_t seed) { return Generator(seed).make(); }

}  // namespace ring3::native
