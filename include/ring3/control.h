#pragma once

#include <sys/types.h>

#include <string>

#include "ring3/result.h"
#include "ring3/rights.h"

namespace ring3 {

/// Who stands at the other end of the control socket, as the machine's kernel says (SO_PEERCRED).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

/// Decides who may use the control socket. Called from the runtime's threads.
class ControlPolicy {
 public:
  virtual ~ControlPolicy() = default;
  /// What the peer may do; an error (kPerm, kAcces) turns it away. Asked once a connection.
  virtual Result<Capabilities> admit(const Peer& peer) = 0;
};

struct ListenOptions {
  /// "": the standard place, /run/ring3/NAME.sock for root, else $XDG_RUNTIME_DIR/ring3/NAME.sock.
  std::string path = {};
  /// Null: root and the host's own user may do everything, nobody else anything. Outlives the runtime.
  ControlPolicy* policy = nullptr;
};

}  // namespace ring3
