// Waiting for a ring: an eventfd that is written whenever a program has put a record into a ring buffer or an event buffer, or
// has taken records out of a user ring buffer.
//
// The files that clients hold are memfds, which epoll refuses, so whoever answers epoll_ctl(2) in the kernel's place puts this
// eventfd into the client's set, edge triggered: nobody ever reads it, each write is an edge.
//
// Soundness: programs reach the wake-up inside read sections, so it is freed after the readers that may still see it.
#pragma once

#include <utility>

#include "base/owned_fd.h"
#include "object/object.h"
#include "ring3/result.h"

namespace ring3::syscall {

class WakeFile {
 public:
  /// object: outlives it. One at a time for each object. Errors: kInval nothing one waits for; kMFile, kNoMem.
  static Result<WakeFile> attach(Object& object);
  WakeFile() = default;
  WakeFile(WakeFile&& o) noexcept : waker_(std::exchange(o.waker_, nullptr)) {}
  WakeFile& operator=(WakeFile&& o) noexcept {
    std::swap(waker_, o.waker_);
    return *this;
  }
  ~WakeFile();

  explicit operator bool() const { return waker_ != nullptr; }
  /// Another descriptor of the eventfd. Errors: kMFile.
  Result<OwnedFd> open() const;

 private:
  struct Waker;
  explicit WakeFile(Waker* waker) : waker_(waker) {}
  Waker* waker_ = nullptr;
};

}  // namespace ring3::syscall
