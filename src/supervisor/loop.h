// Answers the calls of everything under a listener until the command ends.
//
// Threads take turns at leading: the leader waits for a call; a quick one (calls.h) it answers itself, for any other it lets the
// next thread lead first. So a call that takes long, or a host that hangs, holds up nobody else, and a quick one costs no switch.
// There are as many threads as calls were slow at the same time, at most kMaxThreads. The leader waits in the listener alone
// (one system call less for each of the client's); the rest of what happens is wait_for_end()'s, and a signal gets the leader out.
// A quick call can take long all the same, when the memory of its caller blocks whoever reads it (userfaultfd, FUSE). wait_for_end()
// looks every now and then whether the leader is still at the same call; it is deposed then: another leads, and it goes on as a follower.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "supervisor/calls.h"

namespace ring3::supervisor {

class Loop {
 public:
  static constexpr std::size_t kMaxThreads = 64;

  /// All outlive the loop. signals: a signalfd; what it delivers is sent on to the command. stop when `command` (a pidfd) ends.
  Loop(const Listener& listener, Door& door, TaskTable& tasks, const Surroundings& around, Report& report, int command,
       int signals);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The first thread. Takes SIGRTMIN + 7 of this process. Errors: kAgain no thread to be had.
  Result<void> start();
  /// Passes signals on and forgets threads of the command that have ended; returns when the command has.
  void wait_for_end();
  /// Ends the threads; false: one is inside a call that does not come back, and stays.
  bool finish();

 private:
  enum class Event { kCall, kDeposed, kEnd };
  void work();
  Event lead(Notification& n);
  /// If the leader has been at one quick call since the last time this was asked.
  void depose_who_hangs();
  /// Adds a thread if nobody waits to lead.
  void ensure_follower();
  void answer(const Notification& n, bool quick);
  /// None: the caller's thread had another thread's number, and that one was meant; nothing has happened.
  std::optional<Answer> try_answer(const CallRow& row, const Notification& n, bool quick);
  void pass_signal_on();

  const Listener& listener_;
  Door& door_;
  TaskTable& tasks_;
  const Surroundings& around_;
  Report& report_;
  WakeFiles wake_files_;
  RouteSockets route_sockets_;
  LongCalls long_calls_;
  const int command_;
  const int signals_;
  std::binary_semaphore throne_{1};           // taken by who leads; given back by who leads, or for it by who deposes it
  std::atomic<std::uint64_t> quick_call_{0};  // the number of the one the leader is at; 0: none. Set to 0 by the leader, or by who deposes it
  std::uint64_t quick_calls_ = 0;             // the leader's
  std::uint64_t seen_quick_call_ = 0;         // wait_for_end()'s
  std::atomic<bool> over_{false};
  std::atomic<std::size_t> waiting_{0};  // to lead
  std::atomic<std::size_t> busy_{0};     // inside a call
  std::atomic<std::size_t> running_{0};  // threads that have not returned
  Mutex threads_mutex_;
  std::vector<std::thread> threads_ RING3_GUARDED_BY(threads_mutex_);
};

}  // namespace ring3::supervisor
