// What a command finds in the place of the kernel's files: a user and a mount namespace of its own, where files stand over
// others. Everything here runs in the child between fork and exec.
//
// An unprivileged user becomes root of a user namespace (it may mount, and tools that ask for root are content); root keeps
// its user and gets a mount namespace only. Where namespaces are forbidden the command runs without them.
#pragma once

#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::supervisor {

/// A directory of the machine that is replaced by one with the given files.
struct Overlay {
  std::string directory;
  struct File {
    std::string name;
    int content;  // a file of this process; copied
  };
  std::vector<File> files;
  bool optional = false;  // nothing is amiss where the machine has no such directory
};

/// A file of the machine that another stands over.
struct FileOverlay {
  std::string path;
  std::string content;
};

/// Enters new namespaces. Errors, with words in why: kPerm, kNoSpc (limits of namespaces), …; then nothing has changed.
Result<void> enter_namespaces(std::string& why);
/// Needs enter_namespaces(). Errors, with words in why: kNoEnt the machine has no such directory; those of mount(2).
Result<void> lay_over(const Overlay& overlay, std::string& why);

/// Needs enter_namespaces(). Files the machine does not have are left out. Errors, with words in why: those of mount(2).
Result<void> lay_over_files(const std::vector<FileOverlay>& files, std::string& why);

/// Needs enter_namespaces(). New files can be made in a directory where the machine lets nobody but root: they are the command's alone. What
/// stands there is the machine's as before; what comes later is not seen. Nothing changes where they can be made anyway.
/// Errors, with words in why: kNoEnt, kAcces no such directory; those of mount(2).
Result<void> make_writable(const std::string& directory, std::string& why);

/// A table of mounts in which the FUSE file system at `directory` is a bpffs: tools look for that type by name.
std::string mounts_with_bpffs(const std::string& mounts, const std::string& directory);
/// Needs enter_namespaces(), and what is to be seen must be mounted. /proc/mounts becomes a file of mounts_with_bpffs(), as things are at this
/// moment; /proc/PID/mounts and mountinfo stay the kernel's. Errors, with words in why: those of mount(2) and move_mount(2).
Result<void> show_bpffs_in_mounts(const std::string& directory, std::string& why);

/// A FUSE connection whose file system is mounted over `directory`; whoever serves it reads from the descriptor.
/// Errors, with words in why: kNoEnt, kAcces no /dev/fuse or no directory; those of mount(2).
Result<OwnedFd> mount_fuse(const std::string& directory, const char* subtype, std::string& why);

}  // namespace ring3::supervisor
