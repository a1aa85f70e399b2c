// The stack of the thread that runs the program. "The kernel's" is that of the host with its programs, "the user's" the host's
// functions alone, which alone have build ids.
#include <algorithm>
#include <cstring>

#include "exec/helpers/rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"
#include "exec/stack_walk.h"
#include "maps/stack_trace.h"

namespace ring3::exec {
namespace {

constexpr std::size_t kDeepest = 127;  // Linux: perf_event_max_stack as it comes
constexpr std::size_t kEntryWords = sizeof(BuildIdEntry) / sizeof(std::uint64_t);

StackPart part_of(std::uint64_t flags) { return (flags & maps::kStackUser) != 0 ? StackPart::kNative : StackPart::kAll; }

/// Of programs and of "the kernel" Linux gives the address alone.
BuildIdEntry entry_of(std::uint64_t address, StackPart part) {
  if (part == StackPart::kNative) return build_id_entry(address);
  return {.status = BuildIdEntry::kIp, .build_id = {}, .offset = address};
}

std::uint64_t get_stackid(std::uint64_t, std::uint64_t traces, std::uint64_t flags, std::uint64_t, std::uint64_t, RunContext& run) {
  maps::Map& map = *pointer_register<maps::Map>(traces);
  std::uint64_t addresses[kDeepest];
  const std::size_t count = walk_stack(run, __builtin_frame_address(0), part_of(flags), addresses);
  if ((map.spec().flags & uapi::BPF_F_STACK_BUILD_ID) == 0)
    return to_register(maps::stack_trace_store(map, {addresses, count}, flags));
  std::uint64_t words[kDeepest * kEntryWords];
  for (std::size_t i = 0; i < count; ++i) {
    const BuildIdEntry entry = entry_of(addresses[i], part_of(flags));
    std::memcpy(words + i * kEntryWords, &entry, sizeof entry);
  }
  return to_register(maps::stack_trace_store(map, {words, count * kEntryWords}, flags));
}

/// Bytes written, or an errno with the buffer cleared.
long copy_stack(const RunContext& run, const void* frame, std::span<std::byte> out, std::uint64_t flags) {
  const bool build_ids = (flags & maps::kStackUserBuildId) != 0;
  const std::size_t entry_bytes = build_ids ? sizeof(BuildIdEntry) : sizeof(std::uint64_t);
  std::memset(out.data(), 0, out.size());
  if ((flags & ~(maps::kStackSkipMask | maps::kStackUser | maps::kStackUserBuildId)) != 0) return to_syscall(Errno::kInval);
  if ((build_ids && (flags & maps::kStackUser) == 0) || out.size() % entry_bytes != 0) return to_syscall(Errno::kInval);
  std::uint64_t addresses[kDeepest];
  const std::size_t skip = flags & maps::kStackSkipMask;
  const std::size_t count = walk_stack(run, frame, part_of(flags), addresses);
  if (count < skip) return to_syscall(Errno::kFault);
  const std::size_t kept = std::min(count - skip, out.size() / entry_bytes);
  for (std::size_t i = 0; i < kept; ++i) {
    const std::uint64_t address = addresses[skip + i];
    const BuildIdEntry entry = build_ids ? build_id_entry(address) : BuildIdEntry{};
    std::memcpy(out.data() + i * entry_bytes, build_ids ? static_cast<const void*>(&entry) : &address, entry_bytes);
  }
  return static_cast<long>(kept * entry_bytes);
}

/// The helper's own frame, where the walk begins, has to stand until the walk is over: no jump takes the place of the call.
std::uint64_t keeping_frame(long result) {
  asm volatile("" : "+r"(result) : : "memory");
  return to_register(result);
}

std::uint64_t get_stack(std::uint64_t, std::uint64_t buffer, std::uint64_t size, std::uint64_t flags, std::uint64_t, RunContext& run) {
  const std::span out(pointer_register<std::byte>(buffer), static_cast<std::uint32_t>(size));
  return keeping_frame(copy_stack(run, __builtin_frame_address(0), out, flags));
}

/// Of the task that runs the program: another's stack changes while it is looked at.
std::uint64_t get_task_stack(std::uint64_t task, std::uint64_t buffer, std::uint64_t size, std::uint64_t flags, std::uint64_t,
                             RunContext& run) {
  const std::span out(pointer_register<std::byte>(buffer), static_cast<std::uint32_t>(size));
  if (pointer_register<void>(task) == run.machine->tasks.current())
    return keeping_frame(copy_stack(run, __builtin_frame_address(0), out, flags));
  std::memset(out.data(), 0, out.size());
  return error_register(Errno::kOpNotSupp);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_stackid, get_stackid),
    RING3_HELPER(get_stack, get_stack),
    RING3_HELPER(get_task_stack, get_task_stack),
};

}  // namespace

HelperRows stack_helpers() { return kRows; }

}  // namespace ring3::exec
