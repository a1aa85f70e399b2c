// RING3_CHECK(condition, what): guards memory safety of the host; stays on in every build.
// A failed check is a bug in ring3 and ends the process with one line on the failure handler;
// bad input from a client is never a check, it is an errno.
#pragma once

namespace ring3 {

/// Called with the failed condition; must not return. Default: writes one line to stderr and aborts.
using CheckHandler = void (*)(const char* condition, const char* what, const char* file, int line);
void set_check_handler(CheckHandler handler) noexcept;
[[noreturn]] void check_failed(const char* condition, const char* what, const char* file, int line) noexcept;

}  // namespace ring3

#define RING3_CHECK(condition, what)                                       \
  do {                                                                     \
    if (__builtin_expect(!(condition), 0))                                 \
      ::ring3::check_failed(#condition, what, __FILE__, __LINE__);         \
  } while (false)
