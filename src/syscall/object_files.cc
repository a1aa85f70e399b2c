#include "syscall/object_files.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace ring3::syscall {
namespace {

constexpr std::uint32_t kClosed = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE;

/// "/proc/self/fd/N" without memory of the heap.
struct SelfPath {
  explicit SelfPath(int fd) { std::snprintf(text, sizeof text, "/proc/self/fd/%d", fd); }
  const char* c_str() const { return text; }
  char text[32];
};

Result<OwnedFd> open_again(int fd, int flags) {
  OwnedFd again(::open(SelfPath(fd).c_str(), flags | O_CLOEXEC));
  if (!again) return errno_of_making(errno);
  return again;
}

Result<OwnedFd> empty_file(const char* name) {
  int fd = ::memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return errno_of_making(errno);
  OwnedFd file(fd);
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) return errno_of_making(errno);
  return file;
}

/// A small part of the descriptors that this process may have.
std::size_t most_ready() {
  constexpr rlim_t kPart = 16;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur / kPart, ObjectFiles::kMost));
}

/// A description of a file of this process's, not watched yet.
Result<ObjectFile> hold(int fd) {
  ObjectFile file;
  // For writing, so that nobody else gets a lease: not for reading while there is a writer, not for writing beside another. A client's
  // lease would stop this process when it opens the file for somebody else.
  file.own = RING3_TRY(open_again(fd, O_RDWR));
  struct stat st;
  if (::fstat(file.own.get(), &st) != 0) return errno_of_making(errno);
  file.key = {st.st_dev, st.st_ino};
  // A client that kept an O_PATH handle can open the file while the lease is held for an instant; the kernel then
  // signals the lease's owner. SIGURG is ignored by default, the signal it would use (SIGIO) kills.
  ::fcntl(file.own.get(), F_SETSIG, SIGURG);
  return file;
}

Result<ObjectFile> watched(int inotify, ObjectFile file) {
  file.watch = ::inotify_add_watch(inotify, SelfPath(file.own.get()).c_str(), kClosed);
  if (file.watch < 0) return errno_of_making(errno);
  return file;
}

Result<ObjectFile> make_file(int inotify, const char* name, Ahead ahead = Ahead::kNothing) {
  OwnedFd first = RING3_TRY(empty_file(name));
  ObjectFile file = RING3_TRY(hold(first.get()));
  if (ahead == Ahead::kOpen) file.ahead = RING3_TRY(open_again(first.get(), O_RDWR));
  first.reset();  // before the watch, or it would ring for our own close; no lease tells of what memfd_create() opened, so it is nobody else's
  return watched(inotify, std::move(file));
}

}  // namespace

Errno errno_of_making(int error) {
  switch (error) {
    case EMFILE: return Errno::kMFile;
    case ENFILE: return Errno::kNFile;
    case ENOSPC: return Errno::kNoSpc;
    default: return Errno::kNoMem;
  }
}

Result<OwnedFd> ObjectFile::open(int flags) {
  OwnedFd open = std::move(ahead);
  if (open && flags == O_RDWR) return open;
  return open_again(own.get(), flags);
}

ObjectFiles::ObjectFiles(int inotify, int attention) : inotify_(inotify), attention_(attention), most_(most_ready()) {
  ready_.reserve(kMost);
  ended_.reserve(kMost);
}

ObjectFiles::~ObjectFiles() { attend(Ahead::kNothing); }

Result<ObjectFile> ObjectFiles::make(const char* name) {
  if (fault_point()) return Errno::kNoMem;
  {
    MutexLock lock(mutex_);
    if (ahead_ != Ahead::kNothing)
      if (std::optional<ObjectFile> file = take(name); file.has_value()) return std::move(*file);
  }
  return make_file(inotify_, name);
}

Result<ObjectFile> ObjectFiles::watch(int memory) const { return watched(inotify_, RING3_TRY(hold(memory))); }

std::optional<ObjectFile> ObjectFiles::take(const char* name) {
  if (ready_.empty()) name_ = name;
  std::optional<ObjectFile> file;
  if (std::strcmp(name_, name) != 0) return file;  // of what is made less often
  if (!ready_.empty()) {
    file = std::move(ready_.back());
    ready_.pop_back();
  } else {
    missed_ = true;
  }
  if (ready_.size() <= wanted_ / 2) call_for_attention();
  return file;
}

void ObjectFiles::call_for_attention() {
  if (std::exchange(called_, true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(attention_, &one, sizeof one);
}

void ObjectFiles::end(ObjectFile file) const noexcept {
  if (file.watch >= 0) ::inotify_rm_watch(inotify_, file.watch);
}

void ObjectFiles::end_later(ObjectFile file) noexcept {
  {
    MutexLock lock(mutex_);
    if (ahead_ != Ahead::kNothing && ended_.size() < kMost) {
      ended_.push_back(std::move(file));
      if (ended_.size() == kMost) call_for_attention();
      return;
    }
  }
  end(std::move(file));
}

void ObjectFiles::attend(Ahead ahead) noexcept {
  {
    MutexLock lock(mutex_);
    ahead_ = ahead;
  }
  if (ahead != Ahead::kNothing) return;
  shrink();
  while (std::optional<ObjectFile> file = next_ended()) end(std::move(*file));
}

std::optional<ObjectFile> ObjectFiles::next_ended() {
  std::optional<ObjectFile> file;
  MutexLock lock(mutex_);
  if (ended_.empty()) return file;
  file = std::move(ended_.back());
  ended_.pop_back();
  return file;
}

/// The name of what is to be made ahead next; null: there is enough.
const char* ObjectFiles::wanted(Ahead& ahead) {
  MutexLock lock(mutex_);
  if (std::exchange(missed_, false)) wanted_ = std::min(wanted_ == 0 ? kFirst : 2 * wanted_, most_);
  ahead = ahead_;
  // Whoever takes one meanwhile need not call.
  called_ = ahead_ != Ahead::kNothing && ready_.size() < wanted_;
  return called_ ? name_ : nullptr;
}

void ObjectFiles::keep_house() noexcept {
  while (std::optional<ObjectFile> file = next_ended()) end(std::move(*file));
  Ahead ahead;
  for (const char* name; (name = wanted(ahead)) != nullptr;) {
    Result<ObjectFile> file = make_file(inotify_, name, ahead);
    MutexLock lock(mutex_);
    if (!file.ok()) {
      wanted_ = 0;  // who asks next finds the reason
      called_ = false;
      return;
    }
    if (std::strcmp(name, name_) == 0 && ready_.size() < kMost) ready_.push_back(std::move(*file));
  }
}

void ObjectFiles::shrink() noexcept {
  for (;;) {
    ObjectFile file;  // ends after the lock
    MutexLock lock(mutex_);
    wanted_ = 0;
    if (ready_.empty()) return;
    file = std::move(ready_.back());
    ready_.pop_back();
  }
}

bool ObjectFiles::busy() const noexcept {
  MutexLock lock(mutex_);
  return !ended_.empty() || called_ || ready_.size() < wanted_;
}

std::size_t ObjectFiles::stock() const noexcept {
  MutexLock lock(mutex_);
  return ready_.size();
}

}  // namespace ring3::syscall
