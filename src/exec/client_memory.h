// Memory of the client a syscall program runs for, as its helpers may reach it. The syscall layer
// implements it over the descriptor of the client's memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ring3::exec {

class ClientMemory {
 public:
  /// Copies `bytes` bytes in or out; false when any of them is unreachable.
  virtual bool read(std::uint64_t address, void* into, std::size_t bytes) noexcept = 0;
  virtual bool write(std::uint64_t address, const void* from, std::size_t bytes) noexcept = 0;

 protected:
  ~ClientMemory() = default;
};

}  // namespace ring3::exec
