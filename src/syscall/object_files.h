// The files that stand for objects (descriptors.h), made one by one or ahead, and given back one by one or later.
//
// A file that is ready for its object costs seven system calls to make and two to give back, more than all the rest of making a small
// map. So some are made ahead by the thread that attends (doorbell.h), as many as were asked for lately, and what objects leave behind is
// given back by it. A file stands for one object in its life: it is never used again, because who has a handle of its path
// (O_PATH), which no lease tells of, may open it whenever he likes.
//
// What is made ahead is only held, not open as clients have it: a child that this process forks and that runs no other program would keep
// it open for good. A process without such children may have it open too (Ahead::kOpen). Without a thread that attends nothing is made
// ahead, and everything is given back at once.
//
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::syscall {

/// Why no descriptor or watch could be made, by errno: kMFile, kNFile, kNoSpc, else kNoMem.
Errno errno_of_making(int error);

/// A file, whatever descriptors lead to it: device, inode.
using FileKey = std::pair<dev_t, ino_t>;

/// A file of this process's that clients' descriptors are made of.
struct ObjectFile {
  OwnedFd own;      // for good: lease, and opening it for clients
  OwnedFd ahead;    // for reading and writing, till open(); or none
  int watch = -1;   // inotify watch descriptor
  FileKey key{};

  /// An open description of its own, close-on-exec, that the lease tells of. Errors: kMFile, kNFile, kNoMem.
  Result<OwnedFd> open(int flags);
};

/// What is made before it is asked for.
enum class Ahead : std::uint8_t {
  kNothing,
  kHeld,
  kOpen,  // as clients have it
};

class ObjectFiles {
 public:
  /// At most so many are kept, of those made ahead and of those that are to end.
  static constexpr std::size_t kMost = 64;

  /// inotify: where closes of the files are told. attention: an eventfd, written when keep_house() ought to come. Both outlive this.
  ObjectFiles(int inotify, int attention);
  ~ObjectFiles();
  ObjectFiles(const ObjectFiles&) = delete;
  ObjectFiles& operator=(const ObjectFiles&) = delete;

  /// An empty file that cannot grow, so that a client that writes to its descriptor gets an error; made ahead, if there is one.
  /// name: a literal. Errors: kMFile, kNFile, kNoMem, kNoSpc (inotify watches).
  Result<ObjectFile> make(const char* name);
  /// The same for a file that is there, a map's memory. Errors: as make().
  Result<ObjectFile> watch(int memory) const;
  /// The file is held and watched no more.
  void end(ObjectFile file) const noexcept;
  /// The same, sooner or later, for a file that make() gave. Without memory of the heap.
  void end_later(ObjectFile file) noexcept;

  /// A thread attends from now on; kNothing: it does no more, and nothing is kept.
  void attend(Ahead ahead) noexcept;
  /// For that thread: gives back what is to end, and makes ahead what will be wanted.
  void keep_house() noexcept;
  /// What was made ahead is given back: nobody has asked for a while, or there is want of descriptors.
  void shrink() noexcept;
  /// keep_house() has something to do.
  bool busy() const noexcept;
  /// How many are ready.
  std::size_t stock() const noexcept;

 private:
  static constexpr std::size_t kFirst = 16;

  std::optional<ObjectFile> take(const char* name) RING3_REQUIRES(mutex_);
  void call_for_attention() RING3_REQUIRES(mutex_);
  std::optional<ObjectFile> next_ended();
  const char* wanted(Ahead& ahead);

  const int inotify_;
  const int attention_;
  const std::size_t most_;
  mutable Mutex mutex_;  // a leaf; files are made and closed without it
  Ahead ahead_ RING3_GUARDED_BY(mutex_) = Ahead::kNothing;
  bool called_ RING3_GUARDED_BY(mutex_) = false;         // for attention, since keep_house()
  bool missed_ RING3_GUARDED_BY(mutex_) = false;         // there was none ready, since keep_house()
  const char* name_ RING3_GUARDED_BY(mutex_) = "";       // of those that are ready
  std::size_t wanted_ RING3_GUARDED_BY(mutex_) = 0;
  std::vector<ObjectFile> ready_ RING3_GUARDED_BY(mutex_);  // room for kMost each
  std::vector<ObjectFile> ended_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::syscall
