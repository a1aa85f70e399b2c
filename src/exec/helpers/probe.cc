// Reads through addresses nobody vouches for. A read that fails leaves the destination zeroed and answers
// -EFAULT. Host memory is one address space, so the "user" forms read it as well, except in a
// syscall program, where user memory is that of the client it runs for.
#include <cstring>

#include "exec/client.h"
#include "exec/fault.h"
#include "exec/helpers/rows.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

std::uint64_t read(std::uint64_t to, std::uint64_t size, std::uint64_t from, std::uint64_t, std::uint64_t, RunContext&) {
  const std::size_t bytes = static_cast<std::uint32_t>(size);
  if (copy_untrusted(pointer_register<void>(to), from, bytes)) return 0;
  std::memset(pointer_register<void>(to), 0, bytes);
  return error_register(Errno::kFault);
}

/// Returns the length with the NUL. The rest of the buffer is left as it was.
std::uint64_t read_string(std::uint64_t to, std::uint64_t size, std::uint64_t from, std::uint64_t, std::uint64_t,
                          RunContext&) {
  const std::size_t room = static_cast<std::uint32_t>(size);
  const long length = copy_untrusted_string(pointer_register<char>(to), from, room);
  if (length >= 0) return to_register(length);
  std::memset(pointer_register<void>(to), 0, room);
  return error_register(Errno::kFault);
}

std::uint64_t read_user(std::uint64_t to, std::uint64_t size, std::uint64_t from, std::uint64_t r4, std::uint64_t r5,
                        RunContext& run) {
  if (run.client == nullptr) return read(to, size, from, r4, r5, run);
  const std::size_t bytes = static_cast<std::uint32_t>(size);
  if (bytes == 0 || run.client->read(from, pointer_register<void>(to), bytes)) return 0;
  std::memset(pointer_register<void>(to), 0, bytes);
  return error_register(Errno::kFault);
}

std::uint64_t read_user_string(std::uint64_t to, std::uint64_t size, std::uint64_t from, std::uint64_t r4,
                               std::uint64_t r5, RunContext& run) {
  if (run.client == nullptr) return read_string(to, size, from, r4, r5, run);
  const std::size_t room = static_cast<std::uint32_t>(size);
  char* const text = pointer_register<char>(to);
  for (std::size_t i = 0; i < room; ++i) {
    if (!run.client->read(from + i, text + i, 1)) {
      std::memset(text, 0, room);
      return error_register(Errno::kFault);
    }
    if (text[i] == '\0') return i + 1;
  }
  if (room != 0) text[room - 1] = '\0';
  return room;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(probe_read, read),
    RING3_HELPER(probe_read_str, read_string),
    RING3_HELPER(probe_read_kernel, read),
    RING3_HELPER(probe_read_kernel_str, read_string),
    RING3_HELPER(probe_read_user, read_user),
    RING3_HELPER(probe_read_user_str, read_user_string),
    RING3_HELPER(copy_from_user, read_user),
};

}  // namespace

HelperRows probe_helpers() { return kRows; }

}  // namespace ring3::exec
