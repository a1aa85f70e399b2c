// Where control sockets stand: one folder per user, one NAME.sock per host.
//   root                 /run/ring3
//   others               $XDG_RUNTIME_DIR/ring3, or /tmp/ring3-UID where that is not set
// The folder is made with mode 0700 and refused when somebody else owns it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text_sink.h"
#include "ring3/result.h"

namespace ring3::control {

/// This user's folder, made or not.
std::string socket_folder();
/// Makes it. Errors: kPerm it belongs to somebody else or others may write to it; kAcces, kNoEnt, ….
Result<void> make_socket_folder(const std::string& folder, TextSink& why);
/// Of a host's name; text with a slash is a path already.
std::string socket_path(std::string_view host);

/// Names that have a socket in this user's folder; root also sees those under /run/user/*/ring3 as paths.
/// Whether somebody listens there is not looked at. Sorted.
std::vector<std::string> known_hosts();

}  // namespace ring3::control
