// statfs and fstatfs: libbpf, bpftool and Go ask whether a directory is a bpffs before they pin there. A file system of pins
// that FUSE serves says FUSE; without one the tree of pins has no directories that the kernel knows, and says nothing at all.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <span>
#include <string>

#include "supervisor/client_path.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

Answer give(const Intercept& call, struct statfs fs) {
  fs.f_type = BPF_FS_MAGIC;
  const bool written = NotifiedMemory(call.listener, call.n).write_value(call.n.args[1], fs).ok();
  return written ? 0 : to_syscall(Errno::kFault);
}

/// By the device alone: a FUSE file system of another user namespace tells this process nothing else of its files, and none is asked. By its
/// path, as in epoll_call.cc.
bool is_pin_file(const Intercept& call, int fd) {
  const std::string path = "/proc/" + std::to_string(call.n.task) + "/fd/" + std::to_string(fd);
  struct statx st;
  if (call.around.pins == nullptr || fd < 0 || ::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, 0, &st) != 0) return false;
  return ::makedev(st.stx_dev_major, st.stx_dev_minor) == call.around.bpffs_device;
}

struct statfs facts() {
  struct statfs fs {};
  fs.f_bsize = fs.f_frsize = 4096;
  fs.f_namelen = 255;
  return fs;
}

}  // namespace

Answer answer_statfs(Intercept& call) {
  const Result<std::string> path = read_path(call, call.n.args[0]);
  if (!path.ok()) return std::nullopt;  // the kernel has the right errno
  const Result<std::string> full = absolute_path(call, AT_FDCWD, *path);
  if (!full.ok() || !is_pin_path(*full)) return std::nullopt;
  std::string_view below = std::string_view(*full).substr(kPinRoot.size());
  below.remove_prefix(std::min(below.find_first_not_of('/'), below.size()));
  // Without a file system the tree has no folders that the kernel knows: it says yes to all.
  if (call.around.pins != nullptr && !call.around.pins->stands(below)) return std::nullopt;
  return give(call, facts());
}

Answer answer_fstatfs(Intercept& call) {
  return is_pin_file(call, call.n.int_arg(0)) ? give(call, facts()) : std::nullopt;
}

}  // namespace ring3::supervisor
