// Reading memory that may not be there. Loads through untrusted pointers, and the probe_read helpers, go
// through routines whose faulting instructions are in an exception table; a chained SIGSEGV/SIGBUS handler
// sends a fault at one of them to its fix-up, so that it reads as zero (or fails) instead of killing the host.
//
// The handler looks at the instruction pointer, in these routines and in the code of the thread's innermost run (Code::faults()):
// nothing is shared and nothing is locked. A fault anywhere else is passed to the handler the host
// had installed before. Works on any thread that does not block SIGSEGV and SIGBUS. A host that installs
// its own handler after the first Runtime must pass on faults it does not know, as any library expects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ring3::exec {

/// Keeps the handler installed; counted over the process. A runtime holds one for its life.
class FaultGuard {
 public:
  FaultGuard();
  ~FaultGuard();
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;
};

/// A fault of the instruction at `insn` continues at `fixup`.
struct FaultEntry {
  const void* insn;
  const void* fixup;
};

// All of these need a live FaultGuard; all are safe for any address, including non-canonical ones.

/// Copies from untrusted memory; false when a byte could not be read. What was copied before the fault stays.
[[nodiscard]] bool copy_untrusted(void* to, std::uint64_t from, std::size_t bytes) noexcept;
/// Copies into untrusted memory, as above.
[[nodiscard]] bool copy_to_untrusted(std::uint64_t to, const void* from, std::size_t bytes) noexcept;

/// Copies a string of at most room - 1 bytes and ends it with NUL. Returns its length with the NUL, or a
/// negative value when a byte before the NUL could not be read. room 0: returns 0.
long copy_untrusted_string(char* to, std::uint64_t from, std::size_t room) noexcept;

/// *(uN*)from for size 1, 2, 4 or 8, zero extended; 0 when it cannot be read as a whole.
std::uint64_t load_or_zero(std::uint64_t from, std::uint8_t size) noexcept;

}  // namespace ring3::exec
