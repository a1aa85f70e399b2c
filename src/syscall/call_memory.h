// A caller's memory as running programs reach it.
#pragma once

#include <span>

#include "exec/client_memory.h"
#include "syscall/user_memory.h"

namespace ring3::syscall {

class CallMemory final : public exec::ClientMemory {
 public:
  explicit CallMemory(UserMemory& memory) : memory_(memory) {}

  bool read(std::uint64_t address, void* into, std::size_t bytes) noexcept override {
    return memory_.read(address, {static_cast<std::byte*>(into), bytes}).ok();
  }
  bool write(std::uint64_t address, const void* from, std::size_t bytes) noexcept override {
    return memory_.write(address, {static_cast<const std::byte*>(from), bytes}).ok();
  }

 private:
  UserMemory& memory_;
};

}  // namespace ring3::syscall
