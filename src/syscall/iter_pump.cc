#include "syscall/iter_pump.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/try.h"

namespace ring3::syscall {
namespace {

constexpr std::size_t kPortion = 4096;

}  // namespace

/// Gathers and writes until there is no room. fresh: nothing has been given out yet, so an error is the caller's.
Result<IterPump::Progress> IterPump::advance(Flow& flow, bool fresh) {
  for (;;) {
    if (flow.rest.empty()) {
      flow.rest.resize(kPortion);
      const Result<std::size_t> got = flow.session->read(flow.rest);
      flow.rest.resize(got.ok() ? *got : 0);
      if (!got.ok()) return fresh ? Result<Progress>(got.error()) : Result<Progress>(Progress::kEnded);
      if (*got == 0) return Progress::kEnded;
    }
    const ssize_t n = ::send(flow.out.get(), flow.rest.data(), flow.rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Progress::kWaits;
    if (n < 0) return Progress::kEnded;  // the reader has gone
    flow.rest.erase(flow.rest.begin(), flow.rest.begin() + n);
    fresh = false;
  }
}

Result<OwnedFd> IterPump::open(std::unique_ptr<iter::Session> session) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return errno == ENFILE ? Errno::kNFile : Errno::kMFile;
  OwnedFd reader(ends[0]);
  Flow flow{std::move(session), OwnedFd(ends[1]), {}};
  ::shutdown(reader.get(), SHUT_WR);  // nothing is written to an iterator
  if (RING3_TRY(advance(flow, true)) == Progress::kEnded) return reader;
  MutexLock lock(mutex_);
  RING3_TRY(start());
  arrivals_.push_back(std::move(flow));
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
  return reader;
}

std::size_t IterPump::waiting() const {
  MutexLock lock(mutex_);
  return served_ + arrivals_.size();
}

Result<void> IterPump::start() {
  if (thread_.joinable()) return {};
  wake_ = OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return Errno::kMFile;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    return Errno::kAgain;
  }
  return {};
}

/// Serves readers that have room and drops those whose output or reader has ended.
bool IterPump::wait_for_room(std::vector<Flow>& flows, int wake) const {
  std::vector<pollfd> fds(flows.size() + 1);
  fds[0] = {wake, POLLIN, 0};
  for (std::size_t i = 0; i < flows.size(); ++i) fds[i + 1] = {flows[i].out.get(), POLLOUT, 0};
  if (::poll(fds.data(), fds.size(), -1) < 0) return errno == EINTR;
  for (std::size_t i = flows.size(); i-- != 0;) {
    const short seen = fds[i + 1].revents;
    if (seen == 0) continue;
    const bool gone = (seen & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    if (gone || *advance(flows[i], false) == Progress::kEnded) flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::uint64_t rung;
  [[maybe_unused]] const ssize_t n = ::read(wake, &rung, sizeof rung);
  return true;
}

void IterPump::run() {
  sigset_t all;  // signals are the host's
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::vector<Flow> flows;
  for (bool works = true; works;) {
    {
      MutexLock lock(mutex_);
      if (stop_) return;
      for (Flow& flow : arrivals_) flows.push_back(std::move(flow));
      arrivals_.clear();
      served_ = flows.size();
    }
    works = wait_for_room(flows, wake_.get());
  }
}

IterPump::~IterPump() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

}  // namespace ring3::syscall
