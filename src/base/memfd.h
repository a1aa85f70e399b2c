// Bytes as a file that nobody else can name.
#pragma once

#include <cstddef>
#include <span>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3 {

/// A memfd that holds `bytes`: close-on-exec, sealable. Errors: kMFile, kNoMem.
Result<OwnedFd> memfd_of(const char* name, std::span<const std::byte> bytes);

}  // namespace ring3
