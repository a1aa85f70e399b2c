// Seeds of hash functions: unpredictable, so that clients cannot aim keys at one chain or bit.
#pragma once

#include <cstdint>

namespace ring3::maps {

std::uint64_t random_seed();

}  // namespace ring3::maps
