#pragma once

#include <memory>
#include <unordered_map>

#include "ring3/counted.h"
#include "ring3/runtime.h"
#include "sessions.h"

/// Counted by ring3, deleted after readers. Programs know the struct, not the class.
struct Session : session, ring3::Counted<Session> {
  explicit Session(__u64 number) : session{.id = number, .bytes = 0} {}
  ~Session();
};

/// One at a time: kfuncs are functions.
class Sessions {
 public:
  static ring3::Result<std::unique_ptr<Sessions>> start(ring3::Log* log);
  ~Sessions();

  Session* open(__u64 id);
  void close(__u64 id);
  Session* find(__u64 id);
  ring3::Runtime& runtime() { return *runtime_; }

 private:
  ring3::Result<void> offer();

  std::unique_ptr<ring3::Runtime> runtime_;
  std::unordered_map<__u64, Session*> open_;  // with a reference each
};
