// OBJ_PIN and OBJ_GET (behaviour.md B.1, B.2): which path is meant, and what paths outside the tree answer.
//
// A path is the text the caller gave, made absolute by its working directory or its directory descriptor. When it
// lies under a root of the tree of pins (kernel.h: "/sys/fs/bpf" and the runtime's own directory), the tree
// answers. Otherwise the path is one of the machine's file system as this process sees it, which holds no
// pins: the errors are those Linux gives for a directory that is not a bpffs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

constexpr std::size_t kMaxPathBytes = 4096;

PinIdentity identity(Call& call) {
  const Credentials& who = call.caller().credentials();
  return PinIdentity{who.uid, who.gid, who.groups, who.uid == 0 || call.rights().sys_admin};
}

/// Errors: kFault, kNameTooLong, kNoEnt an empty path; kBadF, kNotDir the directory descriptor.
Result<std::string> absolute_path(Call& call, const uapi::bpf_attr& attr) {
  Result<std::string> path = call.memory().read_string(attr.pathname, kMaxPathBytes);
  if (!path.ok()) return path;
  if (path->empty()) return Errno::kNoEnt;
  if ((*path)[0] == '/') return path;
  const int directory = (attr.file_flags & uapi::BPF_F_PATH_FD) != 0 ? attr.path_fd : AT_FDCWD;
  std::string base = RING3_TRY(call.caller().files().directory_path(directory));
  if (base.empty() || base.back() != '/') base.push_back('/');
  return base + *path;
}

/// The machine's files are looked at with this process's rights, and a file system may take its time: that is for its own user and for root,
/// who could look themselves. Others learn nothing.
bool may_look_outside(Call& call) {
  const uid_t who = call.caller().credentials().uid;
  return who == 0 || who == ::geteuid();
}

/// A pin in a directory that is not part of the tree.
Errno outside_pin_error(Call& call, const std::string& path) {
  if (!may_look_outside(call)) return Errno::kPerm;
  struct stat st;
  if (::lstat(path.c_str(), &st) == 0) return Errno::kExist;
  if (errno != ENOENT) return errno == ENOTDIR ? Errno::kNotDir : Errno::kAcces;
  if (path.back() == '/') return Errno::kNoEnt;
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  return ::stat(parent.c_str(), &st) == 0 ? Errno::kPerm : Errno::kNoEnt;
}

Errno outside_get_error(Call& call, const std::string& path) {
  if (!may_look_outside(call)) return Errno::kNoEnt;
  struct stat st;
  if (::stat(path.c_str(), &st) == 0) return Errno::kAcces;  // a file, but not a pinned object
  switch (errno) {
    case ENOENT: return Errno::kNoEnt;
    case ENOTDIR: return Errno::kNotDir;
    case ELOOP: return Errno::kLoop;
    case ENAMETOOLONG: return Errno::kNameTooLong;
    default: return Errno::kAcces;
  }
}

Result<void> check_path_fd(const uapi::bpf_attr& attr) {
  if (attr.path_fd != 0 && (attr.file_flags & uapi::BPF_F_PATH_FD) == 0) return Errno::kInval;
  return {};
}

bool pinnable(ObjectKind kind) {
  return kind == ObjectKind::kMap || kind == ObjectKind::kProg || kind == ObjectKind::kLink;
}

}  // namespace

Result<long> obj_pin(Call& call, uapi::bpf_attr& attr) {
  if ((attr.file_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_PATH_FD)) != 0) return Errno::kInval;
  RING3_TRY(check_path_fd(attr));
  Result<OpenObject> open = call.object(static_cast<int>(attr.bpf_fd));
  if (!open.ok() || !pinnable(open->object->kind())) return Errno::kInval;  // a closed descriptor too
  // Getting the pin again would give full access, so a restricted descriptor must not become one (B.11).
  const std::string path = RING3_TRY(absolute_path(call, attr));
  const std::shared_ptr<PinInstance> mount = call.kernel().mounts().find(path);
  if (!mount) return outside_pin_error(call, path);
  if (open->object->kind() == ObjectKind::kMap && open->access != Access::kReadWrite) {
    call.explain("a map descriptor with restricted access cannot be pinned: the pin would restore full access");
    return Errno::kPerm;
  }
  const PinIdentity who = identity(call);
  const mode_t umask = call.caller().umask();
  Result<void> pinned;
  if (LoadSession* session = call.caller().session(); session != nullptr && session->open())
    pinned = session->add_pin(path, who, std::move(open->object), umask);
  else
    pinned = mount->tree.pin(path, who, std::move(open->object), umask);
  if (!pinned.ok()) return pinned.error() == Errno::kXDev ? outside_pin_error(call, path) : pinned.error();
  return 0L;
}

Result<long> obj_get(Call& call, uapi::bpf_attr& attr) {
  constexpr std::uint32_t kKnown = uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY | uapi::BPF_F_PATH_FD;
  if (attr.bpf_fd != 0 || (attr.file_flags & ~kKnown) != 0) return Errno::kInval;
  RING3_TRY(check_path_fd(attr));
  const Access access = RING3_TRY(access_of_flags(attr.file_flags));
  const std::string path = RING3_TRY(absolute_path(call, attr));
  const std::shared_ptr<PinInstance> mount = call.kernel().mounts().find(path);
  if (!mount) return outside_get_error(call, path);
  Result<Ref<Object>> found =
      mount->tree.get(path, identity(call), access != Access::kWriteOnly, access != Access::kReadOnly);
  if (!found.ok()) return found.error() == Errno::kXDev ? outside_get_error(call, path) : found.error();
  Ref<Object> object = std::move(found).value();
  if (object->kind() == ObjectKind::kLink && access != Access::kReadWrite) return Errno::kInval;
  const Access given = object->kind() == ObjectKind::kMap ? access : Access::kReadWrite;
  return call.give(std::move(object), given);
}

}  // namespace ring3::syscall
