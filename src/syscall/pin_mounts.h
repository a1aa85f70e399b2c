// The trees of pins of one runtime: its own, which is there as long as the runtime, and those that mounts made for
// themselves (bpffs/file_system.h). A path belongs to the newest mount that contains it.
//
// Paths are those clients spell; where mount namespaces differ, the same path can mean two things to two clients and
// the newest mount wins.
//
// Lock: mutex_ before the trees' own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "syscall/delegation.h"
#include "syscall/pin_tree.h"

namespace ring3::syscall {

struct PinInstance {
  PinInstance(std::vector<std::string> roots, uid_t uid, gid_t gid, mode_t mode)
      : tree(std::move(roots), uid, gid, mode) {}
  PinTree tree;
  Delegation delegation;
  bool foreign = false;  // mounted in a user namespace that is not the host's
  Mutex mounted_mutex;   // before the tree's own
  std::uint32_t mounted RING3_GUARDED_BY(mounted_mutex) = 0;  // so many file systems show it: they bring names of their own (bpffs/preload.h)
};

class PinMounts {
 public:
  PinMounts(std::vector<std::string> roots, uid_t uid, gid_t gid)
      : main_(std::make_shared<PinInstance>(std::move(roots), uid, gid, mode_t{01777})) {}

  PinInstance& main() { return *main_; }

  /// The runtime's own tree, at one more place.
  std::shared_ptr<PinInstance> mount_main(const std::string& where);
  /// A new, empty tree.
  std::shared_ptr<PinInstance> mount_new(const std::string& where, uid_t uid, gid_t gid, mode_t mode,
                                         const Delegation& delegation, bool foreign);
  /// A tree of its own loses all its pins; objects pinned or held elsewhere go on.
  void unmount(const std::shared_ptr<PinInstance>& instance, const std::string& where);

  /// Whose an absolute path is, by its spelling; null: none's.
  std::shared_ptr<PinInstance> find(std::string_view path) const;
  /// Everywhere an object is pinned.
  std::vector<std::string> paths_of(const Object& object) const;
  /// Drops every pin (end of the runtime).
  void clear();

 private:
  const std::shared_ptr<PinInstance> main_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<PinInstance>> others_ RING3_GUARDED_BY(mutex_);  // newest last
};

}  // namespace ring3::syscall
