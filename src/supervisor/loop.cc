#include "supervisor/loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace ring3::supervisor {
namespace {

constexpr int kPatienceMs = 1000;

}  // namespace

Loop::Loop(const Listener& listener, Door& door, TaskTable& tasks, const Surroundings& around, Report& report, int command,
           int signals)
    : listener_(listener),
      door_(door),
      tasks_(tasks),
      around_(around),
      report_(report),
      command_(command),
      signals_(signals),
      over_event_(::eventfd(0, EFD_CLOEXEC)) {}

Loop::~Loop() { (void)finish(); }

Result<void> Loop::start() {
  ensure_follower();
  MutexLock lock(threads_mutex_);
  return threads_.empty() ? Result<void>(Errno::kAgain) : Result<void>();
}

void Loop::wait_for_end() {
  pollfd on{over_event_.get(), POLLIN, 0};
  while (::poll(&on, 1, -1) < 0 && errno == EINTR) {
  }
}

bool Loop::finish() {
  over_.store(true);
  for (const auto& [id, entry] : tasks_.all()) door_.interrupt(*entry);
  pollfd nothing{-1, 0, 0};
  for (int waited = 0; busy_.load() != 0 && waited < kPatienceMs; waited += 10) ::poll(&nothing, 1, 10);
  const bool idle = busy_.load() == 0;
  MutexLock lock(threads_mutex_);
  for (std::thread& thread : threads_) {
    if (idle) thread.join();
    else thread.detach();
  }
  threads_.clear();
  return idle;
}

void Loop::ensure_follower() {
  if (waiting_.load() != 0) return;
  MutexLock lock(threads_mutex_);
  if (threads_.size() >= kMaxThreads || over_.load()) return;
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // One thread fewer: calls wait for those that are there.
  }
}

void Loop::work() {
  while (!over_.load()) {
    Notification n;
    waiting_.fetch_add(1);
    {
      MutexLock lock(leader_);
      waiting_.fetch_sub(1);
      if (over_.load() || lead(n) == Event::kEnd) return;
      busy_.fetch_add(1);
      ensure_follower();
    }
    answer(n);
    busy_.fetch_sub(1);
  }
}

/// Until a call comes that takes long, or the end.
Loop::Event Loop::lead(Notification& n) {
  for (;;) {
    pollfd on[] = {{listener_.fd(), POLLIN, 0}, {command_, POLLIN, 0}, {tasks_.fd(), POLLIN, 0}, {signals_, POLLIN, 0}};
    if (::poll(on, std::size(on), -1) < 0) continue;  // interrupted
    if ((on[3].revents & POLLIN) != 0) pass_signal_on();
    if ((on[2].revents & POLLIN) != 0) tasks_.drop_ended();
    if ((on[0].revents & POLLIN) != 0) {
      const Result<Notification> received = listener_.receive();
      if (!received.ok()) continue;  // its caller was killed
      n = *received;
      if (!is_quick(n, door_)) return Event::kCall;
      answer(n);
      continue;
    }
    if (on[1].revents != 0 || (on[0].revents & POLLHUP) != 0) {
      over_.store(true);
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(over_event_.get(), &one, sizeof one);
      return Event::kEnd;
    }
  }
}

void Loop::answer(const Notification& n) {
  const CallRow* row = find_call(n.number);
  if (row == nullptr) return listener_.let_through(n);
  long result;
  try {
    const Result<std::shared_ptr<TaskEntry>> caller = tasks_.find(n.task);
    if (!caller.ok()) return listener_.answer(n, to_syscall(caller.error()));  // gone, or it must do without
    Intercept call{listener_, n, **caller, door_, around_, report_, wake_files_};
    const Answer given = row->handler(call);
    if (!given.has_value()) return listener_.let_through(n);
    result = *given;
  } catch (const std::bad_alloc&) {
    result = to_syscall(Errno::kNoMem);
  }
  listener_.answer(n, result);
}

void Loop::pass_signal_on() {
  signalfd_siginfo signal;
  if (::read(signals_, &signal, sizeof signal) != sizeof signal) return;
  (void)::syscall(SYS_pidfd_send_signal, command_, static_cast<int>(signal.ssi_signo), nullptr, 0);
}

}  // namespace ring3::supervisor
