// Descriptors handed to clients, and the objects they stand for: one registry per runtime.
//
// An object a client holds is a memfd named "bpf-map", "bpf-prog", "bpf-link", "btf" or "bpf-token". Each open()
// opens it again through /proc/self/fd, so every client has an open description of its own (close-on-exec, its
// own access mode); a mappable map's memfd is the map's memory. All opens of one object share one file, hence
// one registry entry with one user reference.
//
// When the last client open is gone (close, exit, exec, SIGKILL, unmap, an unread SCM_RIGHTS message), the
// entry's user reference is dropped:
//   doorbell  one inotify instance; IN_CLOSE on the file says that something was closed. Events merge and
//             are never counted.
//   truth     a write lease on the registry's own descriptor: granted only when nobody else has the file open or mapped. Clients get
//             no leases on it, because that descriptor counts as a writer's.
// drain() reads the doorbells; every command calls it first, so close(link) followed by a command never
// meets a ghost: drains take turns, and one that comes while another drops what it found waits for it.
// Doorbell (doorbell.h) is a thread that drains while no commands come.
// The kernel rings before it stops counting the closed file, and whoever closes may be stopped in between: an entry
// that was busy when its doorbell rang is asked again, every time for kSettleNs and then ever more rarely.
//
// Soundness of the release: the lease is asked for under the registry's mutex, and open() makes a client's
// descriptor under the same mutex, so "nobody has it" cannot change between the answer and the removal.
// A client without any descriptor cannot get one but through open(): the file has no name, and
// /proc/PID/fd of this process is open only to those who may debug it.
//
// Lock: drain_mutex_ before mutex_ before that of the files (object_files.h), a leaf; user references are dropped after it is released and, by drain(),
// under drain_mutex_. A drop may run a host's callback, so a host must not issue a command while it holds a
// lock that its callbacks take (the command could run them itself).
// Cost: one descriptor and one watch of this process per object that clients hold.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "object/object.h"
#include "ring3/result.h"
#include "syscall/client_files.h"
#include "syscall/object_files.h"
#include "syscall/wake_file.h"

namespace ring3::syscall {

enum class Access : std::uint8_t { kReadWrite, kReadOnly, kWriteOnly };

/// What a caller's descriptor turned out to be.
struct OpenObject {
  Ref<Object> object;
  Access access = Access::kReadWrite;
  bool may_read() const { return access != Access::kWriteOnly; }
  bool may_write() const { return access != Access::kReadOnly; }
};

class Descriptors {
 public:
  /// Errors: kMFile, kNoMem (no inotify instance to be had).
  static Result<std::unique_ptr<Descriptors>> create();
  /// Drops every entry; descriptors that clients still hold lead nowhere afterwards.
  ~Descriptors();
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  /// A new descriptor of this process that stands for `object`, ready to be passed on.
  /// memory: the map's memory file (Map::memory_fd()), or -1 for a file of its own, size 0 and sealed.
  /// Errors: kMFile, kNFile, kNoMem, kNoSpc (inotify watches).
  Result<OwnedFd> open(Ref<Object> object, Access access, int memory = -1);
  /// The same with a name of its own instead of the kind's.
  Result<OwnedFd> open_as(const char* name, Ref<Object> object, Access access, int memory = -1);

  /// The object behind a file. Errors: kInval not a file of this registry.
  Result<OpenObject> find(const FileIdentity& file) const;

  /// An eventfd for waiting on an object (wake_file.h), made when it is first asked for; every call gives a descriptor of the same
  /// one. Errors: kInval not a file of this registry, or nothing one waits for; kMFile, kNoMem.
  Result<OwnedFd> wake_file(const FileIdentity& file);

  /// Reads the doorbells and drops what no client holds any more. Returns entries dropped; when it returns, what
  /// other threads' drains had found is dropped too. Does nothing inside a callback that a drop runs.
  std::size_t drain() noexcept;
  /// Readable when drain() may have something to do. Owned by the registry.
  int doorbell_fd() const { return inotify_.get(); }
  /// Some entry was busy when its doorbell rang: drain() again soon, without waiting for a doorbell.
  bool settling() const;
  /// An eventfd, written when settling() becomes true or files().keep_house() ought to come. Owned by the registry.
  int attention_fd() const { return attention_.get(); }
  /// For the thread that attends.
  ObjectFiles& files() { return files_; }

  /// Objects that clients hold at this moment.
  std::size_t size() const;

 private:
  struct Entry {
    UserRef<Object> object;
    WakeFile wake;     // ends before the object
    ObjectFile file;
    bool made_here = true;        // else it is a map's memory
    std::uint64_t rung_ns = 0;    // 0: not in settling_
    std::uint64_t ask_at_ns = 0;  // in settling_: not before
  };
  static constexpr std::uint64_t kSettleNs = 100'000'000;
  static constexpr std::uint64_t kForgetNs = 100 * kSettleNs;

  Descriptors(OwnedFd inotify, OwnedFd attention);
  Result<ObjectFile> file_for(const char* name, int memory);
  Result<Entry*> entry_for(const char* name, Ref<Object> object, int memory) RING3_REQUIRES(mutex_);
  /// Then nobody opens it any more: the lease stays until the file ends, and the entry must be removed.
  bool unused(const Entry& entry) const RING3_REQUIRES(mutex_);
  void rung(const FileKey& key, Entry& entry, std::uint64_t now_ns) RING3_REQUIRES(mutex_);
  /// The entry leaves every table; its node goes to `removed`, so that nothing here needs memory.
  void remove(std::map<FileKey, Entry>::iterator it, std::map<FileKey, Entry>& removed) RING3_REQUIRES(mutex_);

  std::size_t drain_alone() noexcept RING3_REQUIRES(drain_mutex_);

  const OwnedFd inotify_;
  const OwnedFd attention_;
  ObjectFiles files_;
  Mutex drain_mutex_;
  mutable Mutex mutex_;
  std::map<FileKey, Entry> by_file_ RING3_GUARDED_BY(mutex_);
  std::map<const Object*, FileKey> by_object_ RING3_GUARDED_BY(mutex_);
  std::map<int, FileKey> by_watch_ RING3_GUARDED_BY(mutex_);
  std::vector<FileKey> settling_ RING3_GUARDED_BY(mutex_);  // has room for every entry
};

/// "bpf-map", "bpf-prog", "bpf-link", "btf", "bpf-token", "bpf-stats": what bpftool looks for in /proc/self/fd.
const char* descriptor_name(ObjectKind kind);

}  // namespace ring3::syscall
