#include "base/memfd.h"

#include <sys/mman.h>
#include <unistd.h>

namespace ring3 {

Result<OwnedFd> memfd_of(const char* name, std::span<const std::byte> bytes) {
  OwnedFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return Errno::kMFile;
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n <= 0) return Errno::kNoMem;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return file;
}

}  // namespace ring3
