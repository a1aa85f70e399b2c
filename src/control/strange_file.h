// Files of clients that may block whoever closes them. Closing a file of FUSE asks its server, and waits. What a request may
// carry is a file of this library's, of procfs, a directory, a socket and the like; another regular file is no use to any request.
// Closing a socket waits as long as it lingers (SO_LINGER), and closing one of AF_UNIX as long as what nobody has received from it.
#pragma once

#include "base/owned_fd.h"

namespace ring3::control {

/// The file, or something of the wrong kind in its place; the file itself is closed by a thread that may wait.
OwnedFd harmless(OwnedFd file);
/// Closes a socket without waiting for what it has to send: a thread that ends takes it along. Does not change the socket, of which the client
/// may have another descriptor.
void close_socket(OwnedFd socket);
/// The same for the end of a connection that is shut down: packets may lie in it that nobody has received, with files.
void close_connection(OwnedFd socket);
/// The file; a socket of the host's own, good for telling that it is one, in place of a client's, which is closed as above.
OwnedFd own_socket(OwnedFd file);
/// So many are being closed, for so long, that no more files are taken for now.
bool too_many_strange_files();

}  // namespace ring3::control
