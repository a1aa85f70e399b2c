#include "maps/random_seed.h"

#include <random>

namespace ring3::maps {

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace ring3::maps
