#pragma once

#include <atomic>
#include <memory>

#include "limiter.h"
#include "ring3/runtime.h"

/// A server whose admission is a struct_ops type of its own.
class Limiter {
 public:
  static ring3::Result<std::unique_ptr<Limiter>> start(ring3::Log* log);

  /// The hot path; any thread.
  bool admit(request& now, request* previous);

  ring3::Runtime& runtime() { return *runtime_; }
  std::atomic<int> retired{0};

 private:
  std::unique_ptr<ring3::Runtime> runtime_;
  ring3::StructOpsPoint<limiter_ops> policy_;
};
