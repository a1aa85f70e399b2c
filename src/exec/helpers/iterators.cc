// Open coded iterators over numbers and bits. Their state lives in the program's stack, which the verifier guards; an
// iterator that could not be made is all zeros, and ends at once.
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "exec/fault.h"
#include "exec/helpers/kfunc_rows.h"

namespace ring3::exec {
namespace {

constexpr std::int64_t kMaxNumbers = 8 * 1024 * 1024;  // as many as bpf_loop

/// struct bpf_iter_num.
struct NumIter {
  std::int32_t current;
  std::int32_t end;
};
static_assert(sizeof(NumIter) == 8);

std::uint64_t num_new(std::uint64_t it, std::uint64_t from, std::uint64_t to, std::uint64_t, std::uint64_t, RunContext&) {
  NumIter& iter = *pointer_register<NumIter>(it);
  const auto start = static_cast<std::int32_t>(from), end = static_cast<std::int32_t>(to);
  iter = {};
  if (start > end) return error_register(Errno::kInval);
  if (std::int64_t{end} - start > kMaxNumbers) return error_register(Errno::kTooBig);
  // One before the first; unsigned, because the first may be the least number there is.
  iter.current = static_cast<std::int32_t>(static_cast<std::uint32_t>(start) - 1);
  iter.end = end;
  return 0;
}

std::uint64_t num_next(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  NumIter& iter = *pointer_register<NumIter>(it);
  const auto next = static_cast<std::int32_t>(static_cast<std::uint32_t>(iter.current) + 1);
  if (next >= iter.end) {
    iter = {};
    return 0;
  }
  iter.current = next;
  return address_register(&iter.current);
}

std::uint64_t num_destroy(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  *pointer_register<NumIter>(it) = {};
  return 0;
}

constexpr std::uint32_t kMaxBitWords = 511;

/// struct bpf_iter_bits: one word stands inside, more are copied elsewhere.
struct BitsIter {
  union {
    std::uint64_t word;
    std::uint64_t* words;
  };
  std::int32_t count;  // bits
  std::int32_t at;     // the bit last given; -1 before the first
};
static_assert(sizeof(BitsIter) == 16);

std::uint64_t bits_new(std::uint64_t it, std::uint64_t from, std::uint64_t word_count, std::uint64_t, std::uint64_t,
                       RunContext&) {
  BitsIter& iter = *pointer_register<BitsIter>(it);
  const auto words = static_cast<std::uint32_t>(word_count);
  std::memset(&iter, 0, sizeof iter);
  if (from == 0 || words == 0) return error_register(Errno::kInval);
  if (words > kMaxBitWords) return error_register(Errno::kTooBig);
  const std::size_t bytes = words * sizeof(std::uint64_t);
  std::uint64_t* copy = words == 1 ? &iter.word : static_cast<std::uint64_t*>(std::malloc(bytes));
  if (copy == nullptr) return error_register(Errno::kNoMem);
  if (!copy_untrusted(copy, from, bytes)) {
    if (words != 1) std::free(copy);
    std::memset(&iter, 0, sizeof iter);
    return error_register(Errno::kFault);
  }
  if (words != 1) iter.words = copy;
  iter.count = static_cast<std::int32_t>(words * 64);
  iter.at = -1;
  return 0;
}

std::uint64_t bits_next(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  BitsIter& iter = *pointer_register<BitsIter>(it);
  const std::uint64_t* words = iter.count > 64 ? iter.words : &iter.word;
  for (std::int32_t bit = iter.at + 1; bit < iter.count; bit = (bit | 63) + 1) {
    const std::uint64_t rest = words[bit / 64] >> (bit % 64);
    if (rest == 0) continue;
    iter.at = bit + std::countr_zero(rest);
    return address_register(&iter.at);
  }
  iter.at = iter.count;
  return 0;
}

std::uint64_t bits_destroy(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  BitsIter& iter = *pointer_register<BitsIter>(it);
  if (iter.count > 64) std::free(iter.words);
  std::memset(&iter, 0, sizeof iter);
  return 0;
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_iter_num_new", num_new},   {"bpf_iter_num_next", num_next},   {"bpf_iter_num_destroy", num_destroy},
    {"bpf_iter_bits_new", bits_new}, {"bpf_iter_bits_next", bits_next}, {"bpf_iter_bits_destroy", bits_destroy},
};

}  // namespace

KfuncRows iterator_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
