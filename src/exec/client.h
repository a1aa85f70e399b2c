// The client a syscall program runs for, as its helpers reach it: its memory, its descriptors, and bpf(2) in its name. The
// syscall layer implements it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ring3::exec {

class Client {
 public:
  /// Copies `bytes` bytes of its memory in or out; false when any of them is unreachable.
  virtual bool read(std::uint64_t address, void* into, std::size_t bytes) noexcept = 0;
  virtual bool write(std::uint64_t address, const void* from, std::size_t bytes) noexcept = 0;

  /// bpf(2) with the client's rights and descriptors, for the commands that programs may issue. The attribute and what it
  /// points to are this process's memory, but for logs, which are the client's. A result, or a negated errno.
  virtual long command(int command, void* attr, std::uint32_t bytes) noexcept = 0;
  /// Closes a descriptor of the client's. 0, or a negated errno.
  virtual long close(int fd) noexcept = 0;
  /// The address of a function or variable that the host has registered, in *address; it is 0 on failure.
  /// 0, or a negated errno: EPERM the client may not know addresses; ENOENT.
  virtual long symbol(std::string_view name, std::uint64_t* address) noexcept = 0;

 protected:
  ~Client() = default;
};

}  // namespace ring3::exec
