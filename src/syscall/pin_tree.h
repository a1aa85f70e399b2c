// The runtime's own tree of names for maps, programs and links: what a bpffs mount is to the kernel. Pins
// keep objects alive after their loader has gone. A FUSE view, when there is one, only serves this tree.
//
// Paths are absolute. A path means the tree when it lies under one of the roots ("/sys/fs/bpf" and the
// runtime's own directory; all roots show the same tree); everything else is "outside". Symbolic links
// are followed inside the tree and out of it.
//
// Invariants
//  * A file node holds exactly one user reference; hard links share the node, so they share it.
//  * No client makes a name with a dot, and looking one up that is not there is kPerm: dots are for the runtime's own (place_own()).
//  * Directories have one parent; the root is its own.
// Lock: mutex_ is a leaf; user references dropped by an operation are dropped after it is released.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
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

/// Where in a tree: an absolute path, or a path below a node that is known by its inode number (1: the root), which
/// need not be searched for again. An empty text: that node itself.
struct PinPath {
  PinPath(const char* absolute) : text(absolute) {}                    // NOLINT: paths are what everybody passes
  PinPath(std::string absolute) : text(std::move(absolute)) {}         // NOLINT
  PinPath(std::uint64_t inode, std::string below) : from(inode), text(std::move(below)) {}
  std::uint64_t from = 0;
  std::string text;
};

class PinTree {
 public:
  struct Node;

  /// roots: absolute, without a trailing slash. owner, mode: of the root directory.
  PinTree(std::vector<std::string> roots, uid_t owner_uid, gid_t owner_gid, mode_t mode = 01777);
  ~PinTree();
  PinTree(const PinTree&) = delete;
  PinTree& operator=(const PinTree&) = delete;

  /// One more place where the tree is seen, and one less. The same place may be added twice.
  void add_root(std::string root);
  void remove_root(const std::string& root);
  /// Whether an absolute path is a root, after its "." and "//" are folded.
  bool is_root(std::string_view path) const;
  bool may_search_root(const PinIdentity& who) const;
  /// Whether an absolute path is, by its spelling, under a root.
  bool contains(std::string_view path) const;

  // Errors of every operation: kNoEnt a component is missing; kNotDir; kAcces a directory may not be searched
  // or written; kPerm a name contains a dot; kLoop; kNameTooLong; kXDev the path leads out of the tree (the
  // caller looks there then); kStale the inode of a PinPath is gone. More at each one.

  /// kExist the name is taken; kPerm; kNoEnt also for a trailing slash. Mode 0600 & ~umask. inode: where its number goes, for take_back().
  Result<void> pin(const PinPath& path, const PinIdentity& who, Ref<Object> object, mode_t umask, std::uint64_t* inode = nullptr);
  /// Undoes pin(): all names of what it made, wherever they are by now, and nothing of anybody else's. Looks at the whole tree.
  void take_back(std::uint64_t inode) noexcept;
  /// All checks of pin(), without an effect.
  Result<void> check_pin(const PinPath& path, const PinIdentity& who) const;
  /// A name of the runtime's own in the root, which may have dots: clients may look it up, and remove it. Nothing happens when it is taken.
  void place_own(const std::string& name, const PinIdentity& owner, Ref<Object> object, mode_t mode);
  bool has_own(const std::string& name) const;
  /// Removes what place_own() has placed in the root and nobody has moved.
  void remove_own();
  /// kAcces not an object, or the mode forbids what is wanted. Follows symbolic links; touches the access time.
  Result<Ref<Object>> get(const PinPath& path, const PinIdentity& who, bool read, bool write);

  /// kExist.
  Result<void> make_directory(const PinPath& path, const PinIdentity& who, mode_t mode, mode_t umask);
  /// kNotEmpty; kNotDir; kBusy the root.
  Result<void> remove_directory(const PinPath& path, const PinIdentity& who);
  /// kIsDir.
  Result<void> unlink(const PinPath& path, const PinIdentity& who);
  /// kExist; kPerm a directory, or a file of somebody else's that one may not read and write.
  Result<void> link(const PinPath& from, const PinPath& to, const PinIdentity& who);
  /// kExist. The target is not looked at.
  Result<void> symlink(const std::string& target, const PinPath& path, const PinIdentity& who);
  /// flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE, else kInval. kExist, kNotEmpty, kIsDir, kNotDir; kInval a directory
  /// into itself; kAcces also a directory that one may not write, to another parent.
  Result<void> rename(const PinPath& from, const PinPath& to, const PinIdentity& who, std::uint32_t flags);
  /// kPerm neither owner nor overriding. Who is not in the node's group leaves no set-gid bit.
  Result<void> change_mode(const PinPath& path, const PinIdentity& who, mode_t mode);
  /// uid, gid: -1 leaves it. kPerm; owners give to groups that they are in.
  Result<void> change_owner(const PinPath& path, const PinIdentity& who, uid_t uid, gid_t gid);
  /// Nanoseconds since the epoch; -1 leaves one. kPerm.
  Result<void> change_times(const PinPath& path, const PinIdentity& who, std::int64_t accessed_ns, std::int64_t modified_ns);

  // Extended attributes trusted.* and security.*, of directories, pins and links themselves; only an overriding identity
  // sets them, and sees trusted.* (pin_tree_xattr.cc). Errors: kOpNotSupp another namespace; kPerm.

  /// flags: 0, XATTR_CREATE (kExist), XATTR_REPLACE (kNoData), else kInval. kNoSpc more than 64 KiB on one node.
  Result<void> set_xattr(const PinPath& path, const PinIdentity& who, const std::string& name, std::string value, std::uint32_t flags);
  /// kNoData.
  Result<std::string> get_xattr(const PinPath& path, const PinIdentity& who, const std::string& name) const;
  /// Names, each followed by a NUL.
  Result<std::string> list_xattr(const PinPath& path, const PinIdentity& who) const;
  /// kNoData.
  Result<void> remove_xattr(const PinPath& path, const PinIdentity& who, const std::string& name);

  /// Whether something has this inode number. Numbers are not used again.
  bool knows(std::uint64_t inode) const;
  Result<PinStat> stat(const PinPath& path, const PinIdentity& who, bool follow) const;
  Result<std::vector<PinEntry>> list(const PinPath& path, const PinIdentity& who) const;
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

  Result<Spot> find_spot(const PinPath& path, const PinIdentity& who, bool follow_last) const RING3_REQUIRES(mutex_);
  Result<std::shared_ptr<Node>> find_node(const PinPath& path, const PinIdentity& who, bool follow_last) const
      RING3_REQUIRES(mutex_);
  Result<Spot> free_spot(const PinPath& path, const PinIdentity& who) const RING3_REQUIRES(mutex_);
  std::shared_ptr<Node> make_node(PinKind kind, const Spot& spot, const PinIdentity& who, mode_t mode)
      RING3_REQUIRES(mutex_);
  Result<std::shared_ptr<Node>> node_of_inode(std::uint64_t inode) const RING3_REQUIRES(mutex_);
  void remove_entry(const Spot& spot, std::vector<UserRef<Object>>& released) RING3_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<std::string> roots_ RING3_GUARDED_BY(mutex_);
  std::shared_ptr<Node> root_ RING3_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::weak_ptr<Node>> inodes_ RING3_GUARDED_BY(mutex_);  // every node that has a name
  std::uint64_t last_inode_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::syscall
