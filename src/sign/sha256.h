// SHA-256 over bytes that lie in several places.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ring3/result.h"

namespace ring3::sign {

using Sha256 = std::array<std::uint8_t, 32>;
using Bytes = std::span<const std::byte>;

/// Of the spans, one behind the other. Errors: kNoMem.
Result<Sha256> sha256(std::span<const Bytes> parts);
Result<Sha256> sha256(Bytes bytes);

/// Two lower-case digits a byte.
std::string hex(std::span<const std::uint8_t> bytes);

}  // namespace ring3::sign
