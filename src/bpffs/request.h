// The words between a mount and the host whose pins it shows: one request, one reply, plain values that can cross a
// process. A mount (src/fuse) asks; FileSystem answers, in the same process or behind the control socket.
//
// Nodes are numbers: the root is 1, pins have their inode number, what the host makes up (views.h) has kMadeUp set.
// A node that is gone answers kStale.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ring3/result.h"

namespace ring3::bpffs {

constexpr std::uint64_t kRoot = 1;
constexpr std::uint64_t kMadeUp = std::uint64_t{1} << 63;

enum class Op : std::uint32_t {
  kMount = 1,    // text: options (mount_options.h); name: where, as clients spell it; flags: kMount…
  kLookUp,       // node, name → attr
  kGetAttr,      // node → attr
  kSetAttr,      // node, flags: kSet…, mode, uid, gid → attr
  kReadLink,     // node → text
  kMakeDirectory,  // node, name, mode → attr
  kMakeNode,     // node, name, mode: refused, with the errno of the kind
  kSymlink,      // node, name, text: target → attr
  kLink,         // node: of the file; node2, name: where → attr
  kUnlink,       // node, name
  kRemoveDirectory,  // node, name
  kRename,       // node, name, node2, name2, flags: RENAME_…
  kOpen,         // node, flags: O_… → handle; a folder's with O_DIRECTORY
  kRead,         // handle, size → text; empty at the end. In order only
  kRelease,      // handle
  kList,         // handle, offset: entries to skip, size: how many at most → entries (an even number is best)
  kSetXattr,     // node, name, text, flags: XATTR_…
  kGetXattr,     // node, name → text
  kListXattr,    // node → text: names, each with its NUL
  kRemoveXattr,  // node, name
  kDescribe,     // → text: the options as the mount table prints them
};

constexpr std::uint32_t kMountNew = 1;       // an empty tree of its own instead of the host's
constexpr std::uint32_t kMountForeign = 2;   // made in a user namespace that is not the host's

constexpr std::uint32_t kSetMode = 1, kSetUid = 2, kSetGid = 4, kSetSize = 8, kSetTimes = 16;

/// Who asks, in the host's ids.
struct Who {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  mode_t umask = 0;
  bool admin = false;  // may do what modes and owners forbid; never taken from the wire
};

struct Request {
  Op op = Op::kGetAttr;
  Who who;
  std::uint64_t node = 0, node2 = 0;
  std::uint64_t handle = 0;
  std::uint64_t offset = 0;
  std::uint32_t mode = 0, flags = 0, size = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::int64_t accessed_ns = 0, modified_ns = 0;
  std::string name, name2, text;
};

struct Attr {
  std::uint64_t node = 0;
  std::uint32_t mode = 0;  // with the file type
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t links = 1;
  std::int64_t accessed_ns = 0, modified_ns = 0, changed_ns = 0;  // since the epoch
};

struct Entry {
  std::string name;
  std::uint64_t node = 0;
  std::uint32_t mode = 0;  // the file type
};

struct Reply {
  Attr attr;
  std::uint64_t handle = 0;
  std::string text;
  std::vector<Entry> entries;
};

/// Who answers. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// Blocking: a read may run a program. Errors: those of the file system call; kConnRefused the host is gone.
  virtual Result<Reply> call(const Request& request) = 0;
};

}  // namespace ring3::bpffs
