// Where a program's last redirect on this thread leads. Whoever runs frames (prog/test_run_live.cc) asks after a run that answered
// XDP_REDIRECT; nobody else needs to know.
#pragma once

#include <cstdint>

namespace ring3::maps {
class Map;
}

namespace ring3::exec {

struct Redirect {
  std::uint32_t device = 0;         // interface number; 0: every one in `map`
  const maps::Map* map = nullptr;   // of a redirect to all that it names; valid as long as the program
  bool spares_ingress = false;      // … but the one the frame came in by
};

Redirect& last_redirect() noexcept;

}  // namespace ring3::exec
