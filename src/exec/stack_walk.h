// The return addresses on the calling thread's stack, by frame pointers.
//
// Compiled programs and the thunks in front of them keep frame pointers; native code does where it was compiled with
// -fno-omit-frame-pointer, as for Linux's walker. Where a function does not, its caller may be missing, or the walk ends.
//
// Nothing but the thread's own stack is read, from the frame that is given up to the stack's end, and only upwards: a
// frame pointer that is none ends the walk, and never faults. Addresses that lie in no program of the thread's runs and in no
// loaded object are left out. Of a thread that runs on a stack of its host's making (a coroutine's, a signal's) nothing is said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ring3::exec {

struct RunContext;

enum class StackPart {
  kAll,     // programs and the host's functions: what Linux calls the kernel's stack
  kNative,  // the host's functions alone: the user's
};

/// Fills `out`, innermost first, beginning with who called the function whose frame (__builtin_frame_address(0)) is given, and
/// returns how many there are. A thread's first walk allocates.
std::size_t walk_stack(const RunContext& run, const void* frame, StackPart part, std::span<std::uint64_t> out) noexcept;

/// Where an address is in its file: struct bpf_stack_build_id of the ABI.
struct BuildIdEntry {
  enum : std::int32_t { kEmpty, kValid, kIp };
  std::int32_t status = kEmpty;
  std::array<std::uint8_t, 20> build_id{};
  std::uint64_t offset = 0;  // in the file; kIp: the address itself
};
static_assert(sizeof(BuildIdEntry) == 32);

/// kIp: it lies in no object with a build id.
BuildIdEntry build_id_entry(std::uint64_t address) noexcept;

}  // namespace ring3::exec
