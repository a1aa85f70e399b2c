// statfs and fstatfs: libbpf, bpftool and Go ask whether a directory is a bpffs before they pin there. A file system of pins
// that FUSE serves says FUSE; without one the tree of pins has no directories that the kernel knows, and says nothing at all.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstring>
#include <span>

#include "supervisor/client_path.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

Answer give(const Intercept& call, struct statfs fs) {
  fs.f_type = BPF_FS_MAGIC;
  const bool written = NotifiedMemory(call.listener, call.n).write_value(call.n.args[1], fs).ok();
  return written ? 0 : to_syscall(Errno::kFault);
}

/// A file that is opened: what its file system says, if it is the one of pins.
Answer of_file(const Intercept& call, int file) {
  struct statfs fs;
  struct stat st;
  if (!call.around.bpffs || ::fstat(file, &st) != 0 || st.st_dev != call.around.bpffs_device) return std::nullopt;
  if (::fstatfs(file, &fs) != 0) return std::nullopt;
  return give(call, fs);
}

}  // namespace

Answer answer_statfs(Intercept& call) {
  const Result<std::string> path = read_path(call, call.n.args[0]);
  if (!path.ok()) return std::nullopt;  // the kernel has the right errno
  const Result<std::string> full = absolute_path(call, AT_FDCWD, *path);
  if (!full.ok() || !is_pin_path(*full)) return std::nullopt;
  struct statfs fs{};
  if (!call.around.bpffs) {
    fs.f_bsize = 4096;
    fs.f_namelen = 255;
    return give(call, fs);
  }
  // As the caller sees it: its mount namespace is behind its root.
  const std::string seen = "/proc/" + std::to_string(call.n.task) + "/root" + *full;
  const OwnedFd file(::open(seen.c_str(), O_PATH | O_CLOEXEC));
  return file ? of_file(call, file.get()) : std::nullopt;
}

Answer answer_fstatfs(Intercept& call) {
  const Result<OwnedFd> file = call.caller.task.file(call.n.int_arg(0));
  return file.ok() ? of_file(call, file->get()) : std::nullopt;
}

}  // namespace ring3::supervisor
