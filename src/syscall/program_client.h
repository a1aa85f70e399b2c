// A caller as the syscall program it runs sees it (behaviour.md E.1.3).
#pragma once

#include "exec/client.h"
#include "syscall/caller.h"
#include "syscall/kernel.h"

namespace ring3::syscall {

class ProgramClient final : public exec::Client {
 public:
  /// program: of the one that runs.
  ProgramClient(Kernel& kernel, Caller& caller, const Provenance& program) : kernel_(kernel), caller_(caller), program_(program) {}

  bool read(std::uint64_t address, void* into, std::size_t bytes) noexcept override;
  bool write(std::uint64_t address, const void* from, std::size_t bytes) noexcept override;
  long command(int command, void* attr, std::uint32_t bytes) noexcept override;
  long close(int fd) noexcept override;
  long symbol(std::string_view name, std::uint64_t* address) noexcept override;

 private:
  Kernel& kernel_;
  Caller& caller_;
  const Provenance& program_;
};

}  // namespace ring3::syscall
