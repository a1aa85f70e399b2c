#include "syscall/doorbell.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <system_error>

namespace ring3::syscall {
namespace {
// Between questions to an entry that was busy when its doorbell rang.
constexpr int kFirstWaitMs = 2;
constexpr int kLastWaitMs = 256;
// After a look at the doorbells: who closes many, one after the other, is not made to wake this thread every time, nor his commands, which look
// themselves, to wait for it.
constexpr int kRestMs = 1;
// What is made ahead stays so long without a close.
constexpr int kIdleMs = 1000;
}

Result<std::unique_ptr<Doorbell>> Doorbell::start(Descriptors& descriptors, Ahead ahead) {
  OwnedFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return Errno::kMFile;
  std::unique_ptr<Doorbell> bell(new Doorbell(descriptors, std::move(stop)));
  descriptors.files().attend(ahead);
  // The host's signals are the host's: none is delivered here.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    bell->thread_ = std::thread([b = bell.get()] { b->run(); });
  } catch (const std::system_error&) {
    started = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return Errno::kNoMem;
  return bell;
}

Doorbell::~Doorbell() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
  descriptors_.files().attend(Ahead::kNothing);
}

int Doorbell::patience_ms(int settling_ms) const {
  if (descriptors_.settling()) return settling_ms;
  if (descriptors_.files().busy()) return kRestMs;
  return descriptors_.files().stock() != 0 ? kIdleMs : -1;
}

void Doorbell::run() {
  ::pthread_setname_np(::pthread_self(), "ring3-doorbell");
  int settling_ms = kFirstWaitMs;
  for (;;) {
    pollfd waits[3] = {{descriptors_.doorbell_fd(), POLLIN, 0},
                       {descriptors_.attention_fd(), POLLIN, 0},
                       {stop_.get(), POLLIN, 0}};
    const int patience_ms = this->patience_ms(settling_ms);
    const int rang = ::poll(waits, 3, patience_ms);
    if (waits[2].revents != 0) return;
    settling_ms = rang > 0 ? kFirstWaitMs : std::min(2 * settling_ms, kLastWaitMs);
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(descriptors_.attention_fd(), &count, sizeof count);
    descriptors_.drain();
    if (rang == 0 && patience_ms == kIdleMs) descriptors_.files().shrink();
    descriptors_.files().keep_house();
    if (::poll(&waits[1], 2, kRestMs) > 0 && waits[2].revents != 0) return;  // what was made ahead may all be gone before the rest is over
  }
}

}  // namespace ring3::syscall
