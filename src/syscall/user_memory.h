// The caller's memory. Handlers reach it only through this interface, never through a pointer: a bad
// address is kFault, and the memory may be that of another process.
//
// Implementations
//   OwnMemory      this process (C++ API, in-process libbpf): copies by the kernel, so a bad pointer is
//                  an errno and not a crash
//   TracedMemory   a process that this one may trace (supervisor)
//   ForeignMemory  an open /proc/PID/mem that a client handed over: its own, or that of a process it speaks for.
//                  Needs no right over that process, and dies with its address space (exec)
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "base/try.h"
#include "ring3/result.h"

namespace ring3::syscall {

class UserMemory {
 public:
  virtual ~UserMemory() = default;
  /// All of `out`, or kFault. An empty span succeeds whatever the address.
  virtual Result<void> read(std::uint64_t address, std::span<std::byte> out) = 0;
  /// All of `in`, or kFault (some bytes may have been written then).
  virtual Result<void> write(std::uint64_t address, std::span<const std::byte> in) = 0;

  /// Up to the NUL. Errors: kFault; kNameTooLong no NUL within max_bytes (NUL included).
  Result<std::string> read_string(std::uint64_t address, std::size_t max_bytes);
  /// `count` elements. Errors: kFault; kNoMem.
  template <typename T>
  Result<std::vector<T>> read_array(std::uint64_t address, std::size_t count) {
    std::vector<T> out(count);
    RING3_TRY(read(address, std::as_writable_bytes(std::span(out))));
    return out;
  }
  template <typename T>
  Result<T> read_value(std::uint64_t address) {
    T out{};
    RING3_TRY(read(address, std::as_writable_bytes(std::span(&out, 1))));
    return out;
  }
  template <typename T>
  Result<void> write_value(std::uint64_t address, const T& value) {
    return write(address, std::as_bytes(std::span(&value, 1)));
  }
  /// Whether every byte from `from` to `to` is zero. Errors: kFault.
  Result<bool> is_zero(std::uint64_t from, std::uint64_t to);
};

/// This process. Stateless, thread-safe.
class OwnMemory final : public UserMemory {
 public:
  Result<void> read(std::uint64_t address, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override;
};

/// Another process, by its number: for who may trace it and knows that the number still means it. Thread-safe.
class TracedMemory final : public UserMemory {
 public:
  explicit TracedMemory(pid_t pid) : pid_(pid) {}
  Result<void> read(std::uint64_t address, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override;

 private:
  pid_t pid_;
};

/// Another process, by the descriptor it gave. Thread-safe.
class ForeignMemory final : public UserMemory {
 public:
  /// mem: an open /proc/PID/mem of any process that this process's /proc shows. Whoever could open it may do with that
  /// memory all that is done here, so it need not be the giver's own. Writes go through process_vm_writev, which
  /// respects page protection, wherever that is permitted, else through mem (which does not).
  /// Errors: kInval not such a file, or of a /proc that is not ours; kAcces not opened for reading and writing.
  static Result<ForeignMemory> adopt(OwnedFd mem);

  pid_t pid() const { return pid_; }

  Result<void> read(std::uint64_t address, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override;

 private:
  ForeignMemory(OwnedFd mem, pid_t pid) : mem_(std::move(mem)), pid_(pid) {}
  OwnedFd mem_;
  pid_t pid_;
};

}  // namespace ring3::syscall
