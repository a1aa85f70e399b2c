// A node of the tree of pins, and the permission rules on it. Private to pin_tree*.cc; everything here is
// guarded by PinTree::mutex_.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "syscall/pin_tree.h"

namespace ring3::syscall {

struct PinTree::Node {
  PinKind kind = PinKind::kDirectory;
  std::uint64_t inode = 0;
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t links = 1;
  std::int64_t accessed_ns = 0, modified_ns = 0, changed_ns = 0;
  UserRef<Object> object;                                  // kObject
  std::string target;                                      // kSymlink
  std::map<std::string, std::shared_ptr<Node>> entries;    // kDirectory
  std::weak_ptr<Node> parent;                              // kDirectory; the root: itself
  std::map<std::string, std::string> xattrs;
  std::string own_name;                                    // of place_own(); "": a client's
};

namespace pin_rules {

/// Shorter than this is every path, as Linux has it.
inline constexpr std::size_t kMaxPath = 4096;

inline constexpr mode_t kRead = 4, kWrite = 2, kSearch = 1;

/// Whether `who` has all of `wanted` (kRead | kWrite | kSearch) on a node.
bool may(const PinTree::Node& node, const PinIdentity& who, mode_t wanted);
/// Whether `who` may do what is for a group's members.
bool in_group(gid_t group, const PinIdentity& who);
/// Whether `who` may make one more name of a file: what is somebody else's only who could write it, as with fs.protected_hardlinks.
bool may_link(const PinTree::Node& node, const PinIdentity& who);
/// The restricted deletion of a sticky directory.
bool may_remove(const PinTree::Node& directory, const PinTree::Node& node, const PinIdentity& who);
/// kPerm a dot, kNameTooLong.
Result<void> check_name(const std::string& name);
std::int64_t now_ns();

}  // namespace pin_rules
}  // namespace ring3::syscall
