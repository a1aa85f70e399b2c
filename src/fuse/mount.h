// A bpffs in the machine's file system: FUSE (libfuse's low-level API) in front of a bpffs::Backend.
//
//   bpffs::FileSystem local(runtime.impl());                 // a runtime in this process, or
//   control::RemoteFiles remote(client);                     // one behind the control socket
//   std::string why;
//   auto mounted = fuse::Mounted::mount(remote, {.directory = "/sys/fs/bpf"}, why);
//   std::thread server([&] { (*mounted)->serve(); });        // until it is unmounted, or stop()
//
// Mounting needs CAP_SYS_ADMIN in the mount namespace (a user namespace of one's own is enough) or fusermount3. The
// serving process must never look at what is below the directory itself: it would wait for its own answer.
// statfs(2) says FUSE_SUPER_MAGIC, whatever a FUSE server answers; kBpffsMagic is for who can answer in its place.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/owned_fd.h"
#include "bpffs/request.h"
#include "ring3/result.h"

namespace ring3::fuse {

constexpr long kBpffsMagic = 0xcafe4a11;

struct MountPlan {
  std::string directory;        ///< exists
  std::string options = {};     ///< bpffs options (bpffs/mount_options.h)
  std::string seen_as = {};     ///< how clients spell the directory, absolute; "": its own path
  bool own_tree = false;        ///< an empty tree that goes with the mount, instead of the host's
  bool foreign = false;         ///< mounted in a user namespace that is not the host's
  bool allow_other = false;     ///< other users may look; needs root or user_allow_other in /etc/fuse.conf
  bool handle_signals = false;  ///< SIGINT, SIGTERM and SIGHUP end serve()
  OwnedFd device = {};          ///< a FUSE connection that somebody has mounted already; `directory` is a name only
  pid_t mounted_by = 0;         ///< with `device`: a process of the user namespace that mounted it; 0: this one's
};

class Mounted {
 public:
  /// backend: outlives it; not mounted yet. why: one line for people. Errors: kNoDev no /dev/fuse; kPerm neither the right
  /// to mount nor fusermount3; kInval options; those of the backend.
  static Result<std::unique_ptr<Mounted>> mount(bpffs::Backend& backend, MountPlan plan, std::string& why);
  /// Unmounts what mount() mounted; a connection of somebody else's is closed. serve() has returned.
  ~Mounted();
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  /// Blocking: answers until somebody unmounts the directory, stop(), or a signal.
  void serve();
  /// serve() returns soon. Thread-safe; also from a signal handler.
  void stop();
  /// The options as the mount table should print them (behaviour.md B.6.4): ",uid=1000,delegate_cmds=map_create".
  const std::string& options_text() const { return options_text_; }

 private:
  struct Session;
  explicit Mounted(std::unique_ptr<Session> session);

  std::unique_ptr<Session> session_;
  std::string options_text_;
};

}  // namespace ring3::fuse
