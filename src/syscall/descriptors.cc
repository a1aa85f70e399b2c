#include "syscall/descriptors.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "base/fault_point.h"
#include "base/try.h"

namespace ring3::syscall {
namespace {

std::uint64_t monotonic_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

int open_flags(Access access) {
  switch (access) {
    case Access::kReadOnly: return O_RDONLY;
    case Access::kWriteOnly: return O_WRONLY;
    case Access::kReadWrite: break;
  }
  return O_RDWR;
}

Access access_of(int flags) {
  switch (flags & O_ACCMODE) {
    case O_RDONLY: return Access::kReadOnly;
    case O_WRONLY: return Access::kWriteOnly;
    default: return Access::kReadWrite;
  }
}

}  // namespace

const char* descriptor_name(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kMap: return "bpf-map";
    case ObjectKind::kProg: return "bpf-prog";
    case ObjectKind::kLink: return "bpf-link";
    case ObjectKind::kBtf: return "btf";
    case ObjectKind::kToken: return "bpf-token";
    case ObjectKind::kEvents: return "perf_event";
    case ObjectKind::kStats: return "bpf-stats";
  }
  return "bpf";
}

Result<std::unique_ptr<Descriptors>> Descriptors::create() {
  if (fault_point()) return Errno::kNoMem;
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return errno_of_making(errno);
  OwnedFd inotify(fd);
  OwnedFd settling(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!settling) return errno_of_making(errno);
  return std::unique_ptr<Descriptors>(new Descriptors(std::move(inotify), std::move(settling)));
}

Descriptors::Descriptors(OwnedFd inotify, OwnedFd attention)
    : inotify_(std::move(inotify)), attention_(std::move(attention)), files_(inotify_.get(), attention_.get()) {}

Descriptors::~Descriptors() {
  std::map<FileKey, Entry> released;  // dropped after the lock
  MutexLock lock(mutex_);
  released.swap(by_file_);
}

Result<Descriptors::Entry*> Descriptors::entry_for(const char* name, Ref<Object> object, int memory) {
  if (const auto known = by_object_.find(object.get()); known != by_object_.end())
    return &by_file_.at(known->second);

  Entry entry;
  entry.file = RING3_TRY(file_for(name, memory));
  entry.made_here = memory < 0;
  const FileKey key = entry.file.key;
  const int watch = entry.file.watch;
  const Object* identity = object.get();
  entry.object = UserRef<Object>(std::move(object));
  // All or none: an entry that no doorbell leads to would never go.
  if (settling_.capacity() <= by_file_.size()) settling_.reserve(2 * by_file_.size() + 16);
  std::map<FileKey, Entry> file;
  std::map<const Object*, FileKey> by_object;
  std::map<int, FileKey> by_watch;
  file.emplace(key, std::move(entry));
  by_object.emplace(identity, key);
  by_watch.emplace(watch, key);
  by_object_.merge(by_object);
  by_watch_.merge(by_watch);
  return &by_file_.insert(file.extract(key)).position->second;
}

/// What was made ahead goes before somebody is refused.
Result<ObjectFile> Descriptors::file_for(const char* name, int memory) {
  const auto get = [&] { return memory < 0 ? files_.make(name) : files_.watch(memory); };
  Result<ObjectFile> file = get();
  if (file.ok() || files_.stock() == 0) return file;
  files_.shrink();
  return get();
}

Result<OwnedFd> Descriptors::open(Ref<Object> object, Access access, int memory) {
  const char* name = descriptor_name(object->kind());
  return open_as(name, std::move(object), access, memory);
}

Result<OwnedFd> Descriptors::open_as(const char* name, Ref<Object> object, Access access, int memory) {
  if (fault_point()) return Errno::kMFile;
  std::map<FileKey, Entry> released;  // dropped after the lock
  MutexLock lock(mutex_);
  Entry* entry = RING3_TRY(entry_for(name, std::move(object), memory));
  Result<OwnedFd> fd = entry->file.open(open_flags(access));
  if (!fd.ok() && files_.stock() != 0) {
    files_.shrink();
    fd = entry->file.open(open_flags(access));
  }
  if (!fd.ok() && unused(*entry)) remove(by_file_.find(by_object_.at(entry->object.get())), released);
  return fd;
}

Result<OpenObject> Descriptors::find(const FileIdentity& file) const {
  MutexLock lock(mutex_);
  const auto it = by_file_.find({file.device, file.inode});
  if (it == by_file_.end()) return Errno::kInval;
  return OpenObject{it->second.object.ref(), access_of(file.open_flags)};
}

Result<OwnedFd> Descriptors::wake_file(const FileIdentity& file) {
  MutexLock lock(mutex_);
  const auto it = by_file_.find({file.device, file.inode});
  if (it == by_file_.end()) return Errno::kInval;
  Entry& entry = it->second;
  if (!entry.wake) entry.wake = RING3_TRY(WakeFile::attach(*entry.object.get()));
  return entry.wake.open();
}

bool Descriptors::unused(const Entry& entry) const { return ::fcntl(entry.file.own.get(), F_SETLEASE, F_WRLCK) == 0; }

void Descriptors::remove(std::map<FileKey, Entry>::iterator it, std::map<FileKey, Entry>& removed) {
  Entry& entry = it->second;
  by_watch_.erase(entry.file.watch);
  by_object_.erase(entry.object.get());
  if (entry.rung_ns != 0) settling_.erase(std::find(settling_.begin(), settling_.end(), it->first));
  if (entry.made_here) {
    files_.end_later(std::move(entry.file));
  } else {
    // A map's memory may be opened again: a child that this process forked, which has the description too, must not keep the lease. And it
    // may be watched anew at once, by the same number: that watch ends now.
    ::fcntl(entry.file.own.get(), F_SETLEASE, F_UNLCK);
    files_.end(std::move(entry.file));
  }
  removed.insert(by_file_.extract(it));
}

void Descriptors::rung(const FileKey& key, Entry& entry, std::uint64_t now_ns) {
  if (entry.rung_ns == 0) settling_.push_back(key);
  entry.rung_ns = now_ns;
  entry.ask_at_ns = now_ns;
}

std::size_t Descriptors::drain() noexcept {
  thread_local const Descriptors* draining = nullptr;  // by this thread, further out
  if (draining == this) return 0;
  MutexLock in_turn(drain_mutex_);
  const Descriptors* const outer = std::exchange(draining, this);
  const std::size_t dropped = drain_alone();
  draining = outer;
  return dropped;
}

std::size_t Descriptors::drain_alone() noexcept {
  std::map<FileKey, Entry> released;  // declared first: dropped after the lock
  MutexLock lock(mutex_);
  alignas(inotify_event) char events[4096];
  std::uint64_t now_ns = 0;
  for (ssize_t n; (n = ::read(inotify_.get(), events, sizeof events)) > 0;) {
    now_ns = monotonic_ns();
    for (const char* at = events; at < events + n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0)  // events were lost: ask about every entry
        for (auto& [key, entry] : by_file_) rung(key, entry, now_ns);
      else if (const auto watched = by_watch_.find(event->wd); watched != by_watch_.end())
        rung(watched->second, by_file_.at(watched->second), now_ns);
    }
    // More than one event would have fitted in: there was none.
    if (static_cast<std::size_t>(n) + sizeof(inotify_event) <= sizeof events) break;
  }
  if (settling_.empty()) return 0;
  bool fresh = false;
  if (now_ns == 0) now_ns = monotonic_ns();
  for (std::size_t i = settling_.size(); i-- != 0;) {
    const auto here = by_file_.find(settling_[i]);
    Entry& entry = here->second;
    if (now_ns < entry.ask_at_ns) continue;
    const bool gone = unused(entry);
    const std::uint64_t age_ns = now_ns - entry.rung_ns;
    if (!gone && age_ns < kForgetNs) {
      fresh |= age_ns == 0;
      if (age_ns >= kSettleNs) entry.ask_at_ns = now_ns + age_ns / 2;
      continue;
    }
    settling_[i] = settling_.back();
    settling_.pop_back();
    entry.rung_ns = 0;
    if (gone) remove(here, released);
  }
  if (fresh) {  // the doorbell may be asleep
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(attention_.get(), &one, sizeof one);
  }
  return released.size();
}

bool Descriptors::settling() const {
  MutexLock lock(mutex_);
  return !settling_.empty();
}

std::size_t Descriptors::size() const {
  MutexLock lock(mutex_);
  return by_file_.size();
}

}  // namespace ring3::syscall
