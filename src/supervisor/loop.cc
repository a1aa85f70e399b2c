#include "supervisor/loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <utility>

namespace ring3::supervisor {
namespace {

constexpr int kPatienceMs = 1000;
constexpr int kLookMs = 100;
/// A signal that nobody else in this process uses (SIGURG is what leases would send: syscall/descriptors.cc).
int kick_signal() { return SIGRTMIN + 7; }

}  // namespace

Loop::Loop(const Listener& listener, Door& door, TaskTable& tasks, const Surroundings& around, Report& report, int command,
           int signals)
    : listener_(listener),
      door_(door),
      tasks_(tasks),
      around_(around),
      report_(report),
      command_(command),
      signals_(signals) {}

Loop::~Loop() { (void)finish(); }

Result<void> Loop::start() {
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};  // without SA_RESTART: it ends a wait
  ::sigaction(kick_signal(), &nothing, nullptr);
  ensure_follower();
  MutexLock lock(threads_mutex_);
  return threads_.empty() ? Result<void>(Errno::kAgain) : Result<void>();
}

void Loop::wait_for_end() {
  for (;;) {
    pollfd on[] = {{command_, POLLIN, 0}, {tasks_.fd(), POLLIN, 0}, {signals_, POLLIN, 0}};
    if (::poll(on, std::size(on), kLookMs) < 0) continue;  // interrupted
    depose_who_hangs();
    long_calls_.look(listener_, door_);
    door_.rest();
    wake_files_.drop_ended();
    route_sockets_.drop_ended();
    if ((on[2].revents & POLLIN) != 0) pass_signal_on();
    if ((on[1].revents & POLLIN) != 0) tasks_.drop_ended();
    if (on[0].revents != 0) return;
  }
}

bool Loop::finish() {
  over_.store(true);
  long_calls_.end();
  for (const auto& [id, entry] : tasks_.all()) door_.interrupt(*entry);
  MutexLock lock(threads_mutex_);
  // A kick that comes just before a wait is lost, so there are more.
  for (int waited = 0; running_.load() != 0 && waited < kPatienceMs; ++waited) {
    if (running_.load() > busy_.load())
      for (std::thread& thread : threads_) ::pthread_kill(thread.native_handle(), kick_signal());
    ::poll(nullptr, 0, 1);
  }
  const bool idle = running_.load() == 0;
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
    running_.fetch_add(1);
    threads_.emplace_back([this] {
      work();
      running_.fetch_sub(1);
    });
  } catch (const std::system_error&) {
    running_.fetch_sub(1);  // one thread fewer: calls wait for those that are there
  }
}

void Loop::depose_who_hangs() {
  std::uint64_t at = quick_call_.load();
  if (at == 0 || at != std::exchange(seen_quick_call_, at)) return;
  if (!quick_call_.compare_exchange_strong(at, 0)) return;  // it has just come back
  busy_.fetch_add(1);
  ensure_follower();
  throne_.release();
}

void Loop::work() {
  while (!over_.load()) {
    Notification n;
    waiting_.fetch_add(1);
    throne_.acquire();
    waiting_.fetch_sub(1);
    const Event what = over_.load() ? Event::kEnd : lead(n);
    if (what == Event::kDeposed) {
      busy_.fetch_sub(1);
      continue;
    }
    if (what == Event::kEnd) return throne_.release();
    busy_.fetch_add(1);
    ensure_follower();
    throne_.release();
    answer(n, false);
    busy_.fetch_sub(1);
  }
}

/// Until a call comes that takes long, or the end; kDeposed: one took long that should not, and another leads now.
Loop::Event Loop::lead(Notification& n) {
  while (!over_.load(std::memory_order_relaxed)) {
    const Result<Notification> received = listener_.receive();
    if (!received.ok()) {
      // Its caller was killed; or nobody is left under the filter, and the end is near.
      if (received.error() != Errno::kIntr) ::poll(nullptr, 0, 1);
      continue;
    }
    n = *received;
    if (!is_quick(n, door_)) return Event::kCall;
    std::uint64_t call = ++quick_calls_;
    quick_call_.store(call, std::memory_order_release);  // who deposes sees it, and passes on with it what only leaders touch
    answer(n, true);
    if (!quick_call_.compare_exchange_strong(call, 0)) return Event::kDeposed;
  }
  return Event::kEnd;
}

void Loop::answer(const Notification& n, bool quick) {
  const CallRow* row = find_call(n.number);
  if (row == nullptr) return listener_.let_through(n);
  std::optional<Answer> given = try_answer(*row, n, quick);
  if (!given.has_value()) given = try_answer(*row, n, false);
  if (given->has_value()) listener_.answer(n, **given);
  else listener_.let_through(n);
}

std::optional<Answer> Loop::try_answer(const CallRow& row, const Notification& n, bool quick) {
  try {
    const Result<std::shared_ptr<TaskEntry>> caller = quick ? tasks_.find_known(n.task) : tasks_.find(n.task);
    if (!caller.ok()) return Answer(to_syscall(caller.error()));  // gone, or it must do without
    Intercept call{listener_, n, **caller, door_, around_, report_, wake_files_, route_sockets_, long_calls_};
    const Answer answer = row.handler(call);
    if (quick && (*caller)->task.seen_gone()) return std::nullopt;
    return answer;
  } catch (const std::bad_alloc&) {
    return Answer(to_syscall(Errno::kNoMem));
  }
}

void Loop::pass_signal_on() {
  signalfd_siginfo signal;
  if (::read(signals_, &signal, sizeof signal) != sizeof signal) return;
  (void)::syscall(SYS_pidfd_send_signal, command_, static_cast<int>(signal.ssi_signo), nullptr, 0);
}

}  // namespace ring3::supervisor
