// The tree of pins at /sys/fs/bpf of a command under `ring3 run`, served by FUSE: of its own runtime, or of the host.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "supervisor/host_door.h"
#include "supervisor/run.h"
#include "supervisor/runtime_door.h"

namespace ring3::cli {

/// Either outlives the server. Neither touches its runtime or host before the command looks below /sys/fs/bpf.
std::unique_ptr<supervisor::PinServer> serve_pins_of(supervisor::RuntimeDoor& door);
/// host: a name or the path of a socket.
std::unique_ptr<supervisor::PinServer> serve_pins_of(std::string host);

}  // namespace ring3::cli
