#include "supervisor/task.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/try.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

namespace ring3::supervisor {
namespace {

constexpr mode_t kUsualUmask = 022;

/// What PIDFD_GET_INFO tells (Linux 6.13; older headers do not have it). Its first form; the kernel fills in no more than was asked for.
struct PidfdInfo {
  std::uint64_t mask;  // in: what is wanted; out: what there is
  std::uint64_t cgroup;
  std::uint32_t pid, tgid, ppid;
  std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::uint32_t spare;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kInfoPid = 1, kInfoCreds = 2;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xff, 11, PidfdInfo);

int pidfd_open(pid_t pid, unsigned flags) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags)); }

std::string read_all(const std::string& path) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file) return text;
  char chunk[4096];
  for (ssize_t n; (n = ::read(file.get(), chunk, sizeof chunk)) > 0;) text.append(chunk, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Result<Task> Task::open(pid_t task) {
  int fd = pidfd_open(task, 0);  // of a process's first thread this always works
  if (fd < 0) fd = pidfd_open(task, PIDFD_THREAD);
  const bool of_thread = fd >= 0;
  if (!of_thread && errno == EINVAL) {  // before Linux 6.9 a thread is reached through its process
    const std::string group = status_line(read_all("/proc/" + std::to_string(task) + "/status"), "Tgid:");
    fd = group.empty() ? -1 : pidfd_open(static_cast<pid_t>(std::strtol(group.c_str(), nullptr, 10)), 0);
  }
  if (fd < 0) return Errno::kSrch;
  return Task(task, OwnedFd(fd), of_thread);
}

bool Task::alive() const {
  return of_thread_ && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), 0, nullptr, 0) == 0;
}

Result<OwnedFd> Task::file(int fd) const {
  if (fd == AT_FDCWD) {
    OwnedFd directory(::open(proc("cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return Errno::kBadF;
    return directory;
  }
  if (fd < 0) return Errno::kBadF;
  OwnedFd file(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), fd, 0)));
  if (!file) {
    seen_gone_ = seen_gone_ || errno == ESRCH;
    return Errno::kBadF;
  }
  return file;
}

Result<OwnedFd> Task::open_memory() const {
  OwnedFd mem(::open(proc("mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!mem) return errno == ENOENT || errno == ESRCH ? Errno::kSrch : Errno::kAcces;
  return mem;
}

std::string Task::status() const { return read_all(proc("status")); }

std::string Task::status_line(const std::string& status, std::string_view key) {
  const std::size_t at = status.find("\n" + std::string(key));
  if (at == std::string::npos) return {};
  const std::size_t begin = at + 1 + key.size();
  return status.substr(begin, status.find('\n', begin) - begin);
}

pid_t Task::process() const { return static_cast<pid_t>(std::strtol(status_line(status(), "Tgid:").c_str(), nullptr, 10)); }

mode_t Task::umask() const {
  const std::string mask = status_line(status(), "Umask:");
  return mask.empty() ? kUsualUmask : static_cast<mode_t>(std::strtoul(mask.c_str(), nullptr, 8));
}

bool Task::has_signal() const {
  const std::string text = status();
  const auto set = [&](std::string_view key) { return std::strtoull(status_line(text, key).c_str(), nullptr, 16); };
  return ((set("SigPnd:") | set("ShdPnd:")) & ~set("SigBlk:")) != 0;
}

Result<syscall::Credentials> Task::credentials() const {
  const std::string text = status();
  if (text.empty()) return Errno::kSrch;
  syscall::Credentials who;
  // Real, effective, saved, file system: the last is whom files belong to.
  const auto last_of_four = [&](std::string_view key) {
    std::istringstream words(status_line(text, key));
    std::uint32_t id = 0;
    for (int i = 0; i < 4; ++i) words >> id;
    return id;
  };
  who.uid = last_of_four("Uid:");
  who.gid = last_of_four("Gid:");
  std::istringstream groups(status_line(text, "Groups:"));
  for (gid_t group; groups >> group;) who.groups.push_back(group);
  who.pid = static_cast<pid_t>(std::strtol(status_line(text, "Tgid:").c_str(), nullptr, 10));
  return who;
}

/// By the thread's own pidfd: one of its process would tell the first thread's.
Result<syscall::Credentials> Task::identity() const {
  PidfdInfo info{};
  info.mask = kInfoPid | kInfoCreds;
  if (!of_thread_ || ::ioctl(pidfd_.get(), kPidfdGetInfo, &info) != 0) {
    if (of_thread_ && errno == ESRCH) {
      seen_gone_ = true;
      return Errno::kSrch;
    }
    return credentials();
  }
  if ((info.mask & (kInfoPid | kInfoCreds)) != (kInfoPid | kInfoCreds)) return credentials();
  return syscall::Credentials{info.fsuid, info.fsgid, {}, static_cast<pid_t>(info.tgid)};
}

}  // namespace ring3::supervisor
