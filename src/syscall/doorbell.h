// The thread that notices closed descriptors while no command comes (descriptors.h), and keeps the files that stand for objects
// (object_files.h). One per runtime that hands descriptors out.
#pragma once

#include <memory>
#include <thread>

#include "base/owned_fd.h"
#include "ring3/result.h"
#include "syscall/descriptors.h"

namespace ring3::syscall {

class Doorbell {
 public:
  /// descriptors: outlives the thread. ahead: how their files are made before they are asked for. Errors: kMFile, kNoMem.
  static Result<std::unique_ptr<Doorbell>> start(Descriptors& descriptors, Ahead ahead = Ahead::kHeld);
  /// Stops and joins.
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

 private:
  Doorbell(Descriptors& descriptors, OwnedFd stop) : descriptors_(descriptors), stop_(std::move(stop)) {}
  void run();
  /// How long nothing may happen before the next look; -1: for good. settling_ms: while something settles.
  int patience_ms(int settling_ms) const;

  Descriptors& descriptors_;
  const OwnedFd stop_;
  std::thread thread_;
};

}  // namespace ring3::syscall
