#include "base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace ring3 {
namespace {

std::atomic<CheckHandler> current_handler{nullptr};

}  // namespace

void set_check_handler(CheckHandler handler) noexcept { current_handler.store(handler); }

void check_failed(const char* condition, const char* what, const char* file, int line) noexcept {
  if (CheckHandler handler = current_handler.load()) handler(condition, what, file, line);
  std::fprintf(stderr, "ring3: check failed: %s (%s) at %s:%d\n", condition, what, file, line);
  std::abort();
}

}  // namespace ring3
