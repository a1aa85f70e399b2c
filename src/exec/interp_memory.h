// Memory accesses of interpreted programs: any alignment for plain ones, natural alignment for atomics (the
// verifier sees to it). Programs may race with each other and with the host as compiled ones would; that is
// theirs to avoid, so ThreadSanitizer does not watch.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "isa/semantics.h"

namespace ring3::exec {

template <int kBytes>
using MemoryWord = std::conditional_t<
    kBytes == 1, std::uint8_t,
    std::conditional_t<kBytes == 2, std::uint16_t, std::conditional_t<kBytes == 4, std::uint32_t, std::uint64_t>>>;

/// kLoad: zero extended; kLoadSx: sign extended.
template <isa::Op kOp, int kBytes>
__attribute__((no_sanitize("thread"))) std::uint64_t load(std::uint64_t address) {
  MemoryWord<kBytes> value;
  std::memcpy(&value, reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address)), kBytes);
  if constexpr (kOp == isa::Op::kLoadSx) return static_cast<std::uint64_t>(isa::sign_extend<kBytes * 8>(value));
  else return value;
}

template <int kBytes>
__attribute__((no_sanitize("thread"))) void store(std::uint64_t address, std::uint64_t value) {
  const auto word = static_cast<MemoryWord<kBytes>>(value);
  std::memcpy(reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)), &word, kBytes);
}

/// One kAtomic… instruction. src: operand, and where the old value goes in the fetching forms; r0: of a compare
/// and exchange the expected value and the old one. 32-bit old values are zero extended. The fetching forms
/// are full barriers, the others order nothing.
template <isa::Op kOp, int kBytes>
void atomic(std::uint64_t address, std::uint64_t& src, std::uint64_t& r0) {
  using isa::Op;
  using Word = MemoryWord<kBytes>;
  Word* const at = reinterpret_cast<Word*>(static_cast<std::uintptr_t>(address));
  const Word operand = static_cast<Word>(src);
  if constexpr (kOp == Op::kAtomicAdd) __atomic_fetch_add(at, operand, __ATOMIC_RELAXED);
  else if constexpr (kOp == Op::kAtomicOr) __atomic_fetch_or(at, operand, __ATOMIC_RELAXED);
  else if constexpr (kOp == Op::kAtomicAnd) __atomic_fetch_and(at, operand, __ATOMIC_RELAXED);
  else if constexpr (kOp == Op::kAtomicXor) __atomic_fetch_xor(at, operand, __ATOMIC_RELAXED);
  else if constexpr (kOp == Op::kAtomicFetchAdd) src = __atomic_fetch_add(at, operand, __ATOMIC_SEQ_CST);
  else if constexpr (kOp == Op::kAtomicFetchOr) src = __atomic_fetch_or(at, operand, __ATOMIC_SEQ_CST);
  else if constexpr (kOp == Op::kAtomicFetchAnd) src = __atomic_fetch_and(at, operand, __ATOMIC_SEQ_CST);
  else if constexpr (kOp == Op::kAtomicFetchXor) src = __atomic_fetch_xor(at, operand, __ATOMIC_SEQ_CST);
  else if constexpr (kOp == Op::kAtomicXchg) src = __atomic_exchange_n(at, operand, __ATOMIC_SEQ_CST);
  else {
    static_assert(kOp == Op::kAtomicCmpxchg);
    Word expected = static_cast<Word>(r0);
    __atomic_compare_exchange_n(at, &expected, operand, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    r0 = expected;
  }
}

}  // namespace ring3::exec
