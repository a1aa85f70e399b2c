#include "supervisor/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/try.h"

namespace ring3::supervisor {
namespace {

Errno fail(std::string& why, const std::string& what) {
  const int error = errno;
  why = what + ": " + std::strerror(error);
  return static_cast<Errno>(error);
}

bool write_file(const char* path, const std::string& text) {
  const OwnedFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// This user is root inside, and nobody else is mapped.
Result<void> map_user(uid_t uid, gid_t gid, std::string& why) {
  const std::string user = "0 " + std::to_string(uid) + " 1\n", group = "0 " + std::to_string(gid) + " 1\n";
  (void)write_file("/proc/self/setgroups", "deny");  // kernels before 3.19 have no such file, and do not ask for it
  if (!write_file("/proc/self/uid_map", user) || !write_file("/proc/self/gid_map", group))
    return fail(why, "the user namespace's maps");
  return {};
}

Result<void> copy_file(int from, const std::string& path, std::string& why) {
  const OwnedFd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  struct stat st;
  if (!to || ::fstat(from, &st) != 0) return fail(why, path);
  off_t at = 0;
  while (at < st.st_size)
    if (::sendfile(to.get(), from, &at, static_cast<std::size_t>(st.st_size - at)) <= 0) return fail(why, path);
  return {};
}

}  // namespace

Result<void> enter_namespaces(std::string& why) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const bool own_mounts = uid == 0 && ::unshare(CLONE_NEWNS) == 0;
  if (!own_mounts) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return fail(why, "user and mount namespaces");
    RING3_TRY(map_user(uid, gid, why));
  }
  // What happens here stays here; what the machine mounts later is still seen.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return fail(why, "the mount namespace");
  return {};
}

Result<void> lay_over(const Overlay& overlay, std::string& why) {
  if (::mount("ring3", overlay.directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") != 0)
    return fail(why, overlay.directory);
  for (const Overlay::File& file : overlay.files) RING3_TRY(copy_file(file.content, overlay.directory + "/" + file.name, why));
  (void)::mount(nullptr, overlay.directory.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                nullptr);
  return {};
}

namespace {

/// A file system that nobody sees: it is mounted somewhere for the moment in which its files are put in other places.
class Workshop {
 public:
  Workshop() : stands_(::mount("ring3", kPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") == 0) {}
  /// It is seen there from now on.
  bool move_to(const std::string& directory) {
    if (::mount(kPlace, directory.c_str(), nullptr, MS_MOVE, nullptr) != 0) return false;
    stands_ = false;
    return true;
  }
  ~Workshop() {
    if (stands_) (void)::umount2(kPlace, MNT_DETACH);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  bool stands() const { return stands_; }
  /// The path of a new file; "" when it cannot be.
  std::string make(const std::string& name, const std::string& text) const {
    std::string path = std::string(kPlace) + "/" + name;
    const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};
    return path;
  }
  static constexpr const char* kPlace = "/tmp";

 private:
  bool stands_;
};

/// Like a bind mount, but a symbolic link is mounted over itself, not what it leads to.
bool move_over(const std::string& from, const char* to) {
  constexpr unsigned kClone = 1, kEmptyPath = 4;  // OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH
  const OwnedFd tree(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, from.c_str(), kClone | O_CLOEXEC)));
  return tree && ::syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, to, kEmptyPath) == 0;
}

std::string read_all(const char* path) {
  const OwnedFd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char chunk[4096];
  for (ssize_t n; file && (n = ::read(file.get(), chunk, sizeof chunk)) > 0;) text.append(chunk, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Result<void> make_writable(const std::string& directory, std::string& why) {
  if (::access(directory.c_str(), W_OK) == 0) return {};
  std::error_code error;
  const std::filesystem::directory_iterator entries(directory, error);
  if (error) {
    errno = error.value();
    return fail(why, directory);
  }
  Workshop place;
  if (!place.stands()) return fail(why, Workshop::kPlace);
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::string there = entry.path(), here = std::string(Workshop::kPlace) + "/" + entry.path().filename().string();
    if (entry.is_symlink(error)) {
      std::filesystem::copy_symlink(entry.path(), here, error);
      continue;
    }
    const bool stands = entry.is_directory(error) ? ::mkdir(here.c_str(), 0755) == 0 : ::mknod(here.c_str(), S_IFREG | 0444, 0) == 0;
    if (stands) (void)::mount(there.c_str(), here.c_str(), nullptr, MS_BIND | MS_REC, nullptr);
  }
  if (!place.move_to(directory)) return fail(why, directory);
  return {};
}

Result<void> lay_over_files(const std::vector<FileOverlay>& files, std::string& why) {
  const Workshop place;
  if (!place.stands()) return fail(why, Workshop::kPlace);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (::access(files[i].path.c_str(), F_OK) != 0) continue;
    const std::string from = place.make(std::to_string(i), files[i].content);
    if (from.empty() || ::mount(from.c_str(), files[i].path.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail(why, files[i].path);
  }
  return {};
}

std::string mounts_with_bpffs(const std::string& mounts, const std::string& directory) {
  std::string out;
  std::istringstream lines(mounts);
  for (std::string line; std::getline(lines, line); out += '\n') {
    std::istringstream words(line);
    std::string device, point, type, options, rest;
    words >> device >> point >> type >> options;
    // The command's own tree, and what `ring3 mount` has mounted.
    const bool pins = (point == directory && type.starts_with("fuse")) || (device == "bpf" && type == "fuse.bpf");
    if (!pins) {
      out += line;
      continue;
    }
    // What FUSE says of itself is nobody's business; a bpffs shows what differs from its defaults, and nothing does.
    if (const std::size_t fuse = options.find(",user_id="); fuse != std::string::npos) options.erase(fuse);
    out += "bpf " + point + " bpf " + options + " 0 0";
  }
  return out;
}

// The link cannot be followed: what it leads to is another file for each process.
Result<void> show_bpffs_in_mounts(const std::string& directory, std::string& why) {
  constexpr const char* kMounts = "/proc/mounts";
  const std::string text = mounts_with_bpffs(read_all(kMounts), directory);
  const Workshop place;
  if (!place.stands()) return fail(why, Workshop::kPlace);
  const std::string from = place.make("mounts", text);
  if (from.empty() || !move_over(from, kMounts)) return fail(why, kMounts);
  return {};
}

Result<OwnedFd> mount_fuse(const std::string& directory, const char* subtype, std::string& why) {
  OwnedFd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!fuse) return fail(why, "/dev/fuse");
  const std::string options = "fd=" + std::to_string(fuse.get()) + ",rootmode=40000,user_id=" + std::to_string(::getuid()) +
                              ",group_id=" + std::to_string(::getgid()) + ",allow_other,default_permissions";
  const std::string type = std::string("fuse.") + subtype;
  if (::mount("ring3", directory.c_str(), type.c_str(), MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) != 0)
    return fail(why, directory);
  return fuse;
}

}  // namespace ring3::supervisor
