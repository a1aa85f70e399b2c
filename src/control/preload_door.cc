// libring3_preload.so: sends the bpf(2) calls of a dynamically linked program to a host, where seccomp listeners are forbidden.
// `ring3 run --preload` puts it into LD_PRELOAD and the host's socket into RING3_PRELOAD.
//
// It stands in front of the C library's functions, so programs that make system calls of their own (static ones, Go) are not
// reached. One connection a process, made at the first call; a child opens its own. Thread-safe.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "control/client.h"

#define RING3_INTERPOSED extern "C" __attribute__((visibility("default")))

namespace {

using ring3::control::Client;

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// What this process has of the host. Never destroyed: other threads may call while the process ends.
class Preload {
 public:
  static Preload& instance() {
    static Preload* const one = new Preload;
    return *one;
  }

  /// Null: there is no host (any more).
  std::shared_ptr<Client> client() {
    ring3::MutexLock lock(mutex_);
    if (client_ != nullptr && owner_ == ::getpid()) return client_;
    const char* socket = std::getenv("RING3_PRELOAD");
    std::string why;
    auto connected = socket == nullptr ? ring3::Result<std::unique_ptr<Client>>(ring3::Errno::kNoEnt) : Client::connect(socket, why);
    client_ = connected.ok() ? std::shared_ptr<Client>(std::move(*connected)) : nullptr;
    owner_ = ::getpid();
    wake_files_.clear();
    return client_;
  }

  /// The eventfd of a ring buffer's descriptor; -1: not a ring.
  int wake_file(int fd) {
    struct statfs fs;
    if (::fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC) return -1;
    const std::shared_ptr<Client> host = client();
    if (host == nullptr) return -1;
    {
      ring3::MutexLock lock(mutex_);
      if (const auto known = wake_files_.find(fd); known != wake_files_.end()) return known->second.get();
    }
    ring3::Result<ring3::OwnedFd> made = host->wake_file(fd);
    if (!made.ok()) return -1;
    ring3::MutexLock lock(mutex_);
    return wake_files_.insert_or_assign(fd, std::move(*made)).first->second.get();
  }
  /// The descriptor may mean another file from now on.
  void forget_wake_file(int fd) {
    ring3::MutexLock lock(mutex_);
    wake_files_.erase(fd);
  }

 private:
  ring3::Mutex mutex_;
  std::shared_ptr<Client> client_ RING3_GUARDED_BY(mutex_);
  pid_t owner_ RING3_GUARDED_BY(mutex_) = 0;
  std::map<int, ring3::OwnedFd> wake_files_ RING3_GUARDED_BY(mutex_);
};

bool is_types(const char* path) { return path != nullptr && std::strcmp(path, "/sys/kernel/btf/vmlinux") == 0; }

bool is_pin_path(const char* path) {
  const std::string_view text = path == nullptr ? std::string_view() : path, root = "/sys/fs/bpf";
  return text.starts_with(root) && (text.size() == root.size() || text[root.size()] == '/');
}

/// A descriptor of the host's types; -1 without a host.
int open_types() {
  const std::shared_ptr<Client> host = Preload::instance().client();
  if (host == nullptr) return -1;
  ring3::Result<ring3::OwnedFd> file = host->host_btf();
  if (!file.ok()) return -1;
  (void)::lseek(file->get(), 0, SEEK_SET);  // the host has just written it, through the same open file
  return file->release();
}

int as_bpffs(struct statfs* out) {
  std::memset(out, 0, sizeof *out);
  out->f_type = BPF_FS_MAGIC;
  out->f_bsize = 4096;
  return 0;
}

long bpf(const long* a) {
  const std::shared_ptr<Client> host = Preload::instance().client();
  if (host == nullptr) {
    errno = ECONNREFUSED;
    return -1;
  }
  constexpr long kFiveArguments = 1 << 16;
  const bool five = (a[0] & kFiveArguments) != 0;
  const auto pointer = [](long value) { return reinterpret_cast<void*>(value); };
  const long result = host->bpf(static_cast<int>(a[0]), pointer(a[1]), static_cast<std::uint32_t>(a[2]), five ? pointer(a[3]) : nullptr,
                                five ? static_cast<std::uint32_t>(a[4]) : 0);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

int open_with(const char* name, const char* path, int flags, mode_t mode) {
  if (is_types(path))
    if (const int types = open_types(); types >= 0) return types;
  return next<int(const char*, int, ...)>(name)(path, flags, mode);
}

int raise_memlock(int result) { return result != 0 && errno == EPERM ? 0 : result; }

mode_t mode_of(int flags, va_list& args) {
  return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(args, unsigned)) : 0;
}

}  // namespace

// What stands in the place of the C library's functions.
RING3_INTERPOSED long syscall(long number, ...) {
  va_list args;
  va_start(args, number);
  long a[6];
  for (long& arg : a) arg = va_arg(args, long);
  va_end(args);
  if (number == SYS_bpf) return bpf(a);
  return next<long(long, ...)>("syscall")(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

RING3_INTERPOSED int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_with("open", path, flags, mode);
}

RING3_INTERPOSED int open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_with("open64", path, flags, mode);
}

RING3_INTERPOSED FILE* fopen64(const char* path, const char* mode) {
  if (is_types(path))
    if (const int types = open_types(); types >= 0) return ::fdopen(types, mode);
  return next<FILE*(const char*, const char*)>("fopen64")(path, mode);
}

RING3_INTERPOSED FILE* fopen(const char* path, const char* mode) {
  if (is_types(path))
    if (const int types = open_types(); types >= 0) return ::fdopen(types, mode);
  return next<FILE*(const char*, const char*)>("fopen")(path, mode);
}

RING3_INTERPOSED int statfs(const char* path, struct statfs* out) noexcept {
  if (is_pin_path(path)) return as_bpffs(out);
  return next<int(const char*, struct statfs*)>("statfs")(path, out);
}

RING3_INTERPOSED int statfs64(const char* path, struct statfs64* out) noexcept {
  static_assert(sizeof(struct statfs) == sizeof(struct statfs64));
  return statfs(path, reinterpret_cast<struct statfs*>(out));
}

/// Linux's name of the file that a descriptor stands for; the files here are memfds (supervisor/readlink_calls.cc). "": none of them.
static std::string as_anon_inode(const char* path, std::string_view target) {
  constexpr std::string_view kBefore = "/memfd:", kAfter = " (deleted)";
  if (std::strncmp(path, "/proc/", 6) != 0 || !target.starts_with(kBefore) || !target.ends_with(kAfter)) return {};
  const std::string_view name = target.substr(kBefore.size(), target.size() - kBefore.size() - kAfter.size());
  if (name != "bpf-map" && name != "bpf-prog" && name != "bpf-link" && name != "btf") return {};
  return "anon_inode:" + std::string(name);
}

RING3_INTERPOSED ssize_t readlinkat(int folder, const char* path, char* out, size_t room) noexcept {
  const auto real = next<ssize_t(int, const char*, char*, size_t)>("readlinkat");
  char target[64];
  const ssize_t bytes = real(folder, path, target, sizeof target);
  const std::string shown = bytes <= 0 ? "" : as_anon_inode(path, {target, static_cast<std::size_t>(bytes)});
  if (shown.empty()) return real(folder, path, out, room);
  const std::size_t n = std::min(shown.size(), room);
  std::memcpy(out, shown.data(), n);
  return static_cast<ssize_t>(n);
}

RING3_INTERPOSED ssize_t readlink(const char* path, char* out, size_t room) noexcept { return readlinkat(AT_FDCWD, path, out, room); }

RING3_INTERPOSED int epoll_ctl(int set, int operation, int fd, struct epoll_event* event) noexcept {
  const auto real = next<int(int, int, int, struct epoll_event*)>("epoll_ctl");
  if (operation == EPOLL_CTL_ADD) Preload::instance().forget_wake_file(fd);
  const int wake = Preload::instance().wake_file(fd);
  if (wake < 0) return real(set, operation, fd, event);
  if (operation == EPOLL_CTL_DEL || event == nullptr) return real(set, operation, wake, event);
  struct epoll_event edge = *event;
  edge.events |= EPOLLET;
  if (real(set, operation, wake, &edge) != 0) return -1;
  const std::uint64_t one = 1;  // what stood in the ring before is news to this set
  [[maybe_unused]] const ssize_t n = ::write(wake, &one, sizeof one);
  return 0;
}

RING3_INTERPOSED int setrlimit(__rlimit_resource_t resource, const struct rlimit* limit) noexcept {
  const int result = next<int(__rlimit_resource_t, const struct rlimit*)>("setrlimit")(resource, limit);
  return resource == RLIMIT_MEMLOCK ? raise_memlock(result) : result;
}

RING3_INTERPOSED int setrlimit64(__rlimit_resource_t resource, const struct rlimit64* limit) noexcept {
  const int result = next<int(__rlimit_resource_t, const struct rlimit64*)>("setrlimit64")(resource, limit);
  return resource == RLIMIT_MEMLOCK ? raise_memlock(result) : result;
}
