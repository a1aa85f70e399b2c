// The machine words of a width: the smallest unsigned and signed type that hold Bits bits, and the
// conversions between them. Values of a narrow width are kept truncated (unsigned) or sign extended
// (signed), so that the proofs at 4 to 6 bits run the very code that the verifier runs at 64.
#pragma once

#include <cstdint>
#include <type_traits>

namespace ring3::verifier {

template <int Bits>
struct Width {
  static_assert(Bits >= 1 && Bits <= 64);
  using U = std::conditional_t<(Bits > 32), std::uint64_t, std::uint32_t>;
  using S = std::make_signed_t<U>;

  static constexpr int kStorageBits = Bits > 32 ? 64 : 32;
  static constexpr U kMask = static_cast<U>(~U{0}) >> (kStorageBits - Bits);
  static constexpr U kSign = U{1} << (Bits - 1);
  static constexpr S kSmax = static_cast<S>(kSign - 1);
  static constexpr S kSmin = static_cast<S>(-kSmax - 1);

  static constexpr U trunc(U x) { return x & kMask; }
  /// The low Bits of x read as two's complement.
  static constexpr S as_signed(U x) { return static_cast<S>((trunc(x) ^ kSign) - kSign); }
  static constexpr U as_unsigned(S x) { return trunc(static_cast<U>(x)); }
};

}  // namespace ring3::verifier
