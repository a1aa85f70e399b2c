// The runtime's own tree of names for maps, programs and links: what a bpffs mount is to the kernel. Pins
// keep objects alive after their loader has gone. A FUSE view, when there is one, only serves this tree.
//
// Paths are absolute. A path means the tree when it lies under one of the roots ("/sys/fs/bpf" and the
// runtime's own directory; all roots show the same tree); everything else is "outside". Symbolic links
// are followed inside the tree and out of it.
//
// Invariants
//  * A file node holds exactly one user reference; hard links share the node, so they share it.
//  * A name other than "." and ".." never contains a dot, and looking one up is kPerm.
//  * Directories have one parent; the root is its own.
// Lock: mutex_ is a leaf; user references dropped by an operation are dropped after it is released.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "object/object.h"
#include "ring3/result.h"

namespace ring3::syscall {

/// Who acts on the tree.
struct PinIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool override_modes = false;  // may do what modes and owners forbid
};

enum class PinKind : std::uint8_t { kDirectory, kObject, kSymlink };

/// What stat(2) would say.
struct PinStat {
  PinKind kind = PinKind::kDirectory;
  std::uint64_t inode = 0;
  mode_t mode = 0;  // permission bits
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t links = 1;
  std::int64_t accessed_ns = 0, modified_ns = 0, changed_ns = 0;  // since the epoch
  Ref<Object> object;                                             // kObject
  std::string target;                                             // kSymlink
};

struct PinEntry {
  std::string name;
  PinStat stat;
};

class PinTree {
 public:
  struct Node;

  /// roots: absolute, without a trailing slash. owner: of the root directory, whose mode is 01777.
  PinTree(std::vector<std::string> roots, uid_t owner_uid, gid_t owner_gid);
  ~PinTree();
  PinTree(const PinTree&) = delete;
  PinTree& operator=(const PinTree&) = delete;

  const std::vector<std::string>& roots() const { return roots_; }
  /// Whether an absolute path is, by its spelling, under a root.
  bool contains(std::string_view path) const;

  // Errors of every operation: kNoEnt a component is missing; kNotDir; kAcces a directory may not be searched
  // or written; kPerm a name contains a dot; kLoop; kNameTooLong; kXDev the path leads out of the tree (the
  // caller looks there then). More at each one.

  /// kExist the name is taken; kPerm; kNoEnt also for a trailing slash. Mode 0600 & ~umask.
  Result<void> pin(const std::string& path, const PinIdentity& who, Ref<Object> object, mode_t umask);
  /// All checks of pin(), without an effect.
  Result<void> check_pin(const std::string& path, const PinIdentity& who) const;
  /// kAcces not an object, or the mode forbids what is wanted. Follows symbolic links; touches the access time.
  Result<Ref<Object>> get(const std::string& path, const PinIdentity& who, bool read, bool write);

  /// kExist.
  Result<void> make_directory(const std::string& path, const PinIdentity& who, mode_t mode, mode_t umask);
  /// kNotEmpty; kNotDir; kBusy the root.
  Result<void> remove_directory(const std::string& path, const PinIdentity& who);
  /// kIsDir.
  Result<void> unlink(const std::string& path, const PinIdentity& who);
  /// kExist; kPerm a directory.
  Result<void> link(const std::string& from, const std::string& to, const PinIdentity& who);
  /// kExist. The target is not looked at.
  Result<void> symlink(const std::string& target, const std::string& path, const PinIdentity& who);
  /// flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE, else kInval. kExist, kNotEmpty, kIsDir, kNotDir; kInval a directory
  /// into itself.
  Result<void> rename(const std::string& from, const std::string& to, const PinIdentity& who, std::uint32_t flags);
  /// kPerm neither owner nor overriding.
  Result<void> change_mode(const std::string& path, const PinIdentity& who, mode_t mode);
  /// uid, gid: -1 leaves it. kPerm.
  Result<void> change_owner(const std::string& path, const PinIdentity& who, uid_t uid, gid_t gid);

  Result<PinStat> stat(const std::string& path, const PinIdentity& who, bool follow) const;
  Result<std::vector<PinEntry>> list(const std::string& path, const PinIdentity& who) const;
  /// Paths (under the first root) at which an object is pinned, for listings.
  std::vector<std::string> paths_of(const Object& object) const;
  /// Drops every pin (end of the runtime).
  void clear();

 private:
  /// A directory and the last component below it; `node` is null when the name is free.
  struct Spot {
    std::shared_ptr<Node> directory;
    std::string name;
    std::shared_ptr<Node> node;
    bool trailing_slash = false;
  };
  class Walk;

  Result<Spot> find_spot(const std::string& path, const PinIdentity& who, bool follow_last) const RING3_REQUIRES(mutex_);
  Result<std::shared_ptr<Node>> find_node(const std::string& path, const PinIdentity& who, bool follow_last) const
      RING3_REQUIRES(mutex_);
  Result<Spot> free_spot(const std::string& path, const PinIdentity& who) const RING3_REQUIRES(mutex_);
  std::shared_ptr<Node> make_node(PinKind kind, const Spot& spot, const PinIdentity& who, mode_t mode)
      RING3_REQUIRES(mutex_);
  void remove_entry(const Spot& spot, std::vector<UserRef<Object>>& released) RING3_REQUIRES(mutex_);

  const std::vector<std::string> roots_;
  mutable Mutex mutex_;
  std::shared_ptr<Node> root_ RING3_GUARDED_BY(mutex_);
  std::uint64_t last_inode_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::syscall
