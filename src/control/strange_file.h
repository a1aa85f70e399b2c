// Files of clients that may block whoever closes them: closing a file of FUSE asks its server, and waits. What a request may
// carry is a file of this library's, of procfs, a directory, a socket and the like; another regular file is no use to any request.
#pragma once

#include "base/owned_fd.h"

namespace ring3::control {

/// The file, or something of the wrong kind in its place; the file itself is closed by a thread that may wait.
OwnedFd harmless(OwnedFd file);
/// So many are being closed, for so long, that no more files are taken for now.
bool too_many_strange_files();

}  // namespace ring3::control
