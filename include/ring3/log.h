#pragma once

#include <string_view>

namespace ring3 {

enum class Severity { kError, kWarning, kInfo, kDebug };

/// Receives ring3's own log lines and what programs print. Implemented by the host; called from any
/// thread, possibly inside a program's run: must not block and must not call back into the runtime.
/// ring3 never prints, exits or kills by itself.
class Log {
 public:
  virtual ~Log() = default;
  /// One line without newline. module: "" for the runtime itself, else the module whose program printed.
  virtual void line(Severity severity, std::string_view module, std::string_view text) = 0;
};

}  // namespace ring3
