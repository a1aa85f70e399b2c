// Blobs that break one rule each, with the errno and the words the log must hold: read by the unit test
// and, where the machine lets us, compared with its kernel.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ring3/errno.h"

namespace ring3::btf {

struct BrokenBlob {
  std::string what;
  std::vector<std::byte> blob;
  Errno error;
  std::string words;
};

std::vector<BrokenBlob> broken_blobs();
/// Valid blobs of every kind, as seeds for mutation.
std::vector<std::vector<std::byte>> valid_blobs();

}  // namespace ring3::btf
