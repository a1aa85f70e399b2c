#include "supervisor/client_path.h"

#include <climits>

#include "base/try.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {

Result<std::string> read_path(const Intercept& call, std::uint64_t address) {
  return NotifiedMemory(call.listener, call.n).read_string(address, PATH_MAX);
}

Result<std::string> absolute_path(const Intercept& call, int directory, std::string path) {
  if (path.starts_with('/')) return path;
  const OwnedFd file = RING3_TRY(call.caller.task.file(directory));
  std::string base = RING3_TRY(syscall::own_directory_path(file.get()));
  if (!base.ends_with('/')) base.push_back('/');
  return base + path;
}

bool is_pin_path(std::string_view path) {
  return path.starts_with(kPinRoot) && (path.size() == kPinRoot.size() || path[kPinRoot.size()] == '/');
}

}  // namespace ring3::supervisor
