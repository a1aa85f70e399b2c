#include "control/strange_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>

namespace ring3::control {
namespace {

constexpr int kMostClosing = 64;
constexpr int kMostLooks = 10'000;
constexpr unsigned kLookMicroseconds = 50;
std::atomic<int> closing{0};

dev_t device_of(int fd, mode_t& type) {
  struct statx st;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0) return 0;
  type = st.stx_mode & S_IFMT;
  return ::makedev(st.stx_dev_major, st.stx_dev_minor);
}

/// The kernel's own, where closing waits for nobody.
struct KnownDevices {
  KnownDevices() {
    mode_t type = 0;
    const OwnedFd memory(::memfd_create("known", MFD_CLOEXEC));
    const OwnedFd event(::eventfd(0, EFD_CLOEXEC));
    const OwnedFd proc(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
    memfd = device_of(memory.get(), type);
    procfs = device_of(proc.get(), type);
    anonymous = device_of(event.get(), type);
  }
  dev_t memfd, procfs, anonymous;
};

}  // namespace

void close_socket(OwnedFd socket) {
  if (!socket) return;
  // Nothing lingers for a thread that ends. It has the last descriptor by then: it takes one, this process' goes, and it ends.
  std::binary_semaphore taken(0), gone(0);
  try {
    pid_t number = 0;
    std::thread last([&] {
      number = static_cast<pid_t>(::syscall(SYS_gettid));
      (void)::unshare(CLONE_FILES);
      taken.release();
      gone.acquire();
    });
    taken.acquire();
    socket.reset();
    gone.release();
    last.join();
    // Its table goes after that, without waiting for sockets; until then it holds whatever else this process has open.
    for (int i = 0; i < kMostLooks && ::syscall(SYS_tgkill, ::getpid(), number, 0) == 0; ++i) ::usleep(kLookMicroseconds);
  } catch (const std::system_error&) {
    // No thread to be had: here, then.
  }
}

void close_connection(OwnedFd socket) {
  // With credentials wanted a packet says that there would be more of it, also an empty one; the end says nothing.
  const int one = 1;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
  char byte;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const bool empty = ::recvmsg(socket.get(), &message, MSG_PEEK | MSG_DONTWAIT) == 0 && (message.msg_flags & MSG_CTRUNC) == 0;
  if (!empty) close_socket(std::move(socket));
}

OwnedFd own_socket(OwnedFd file) {
  mode_t type = 0;
  (void)device_of(file.get(), type);
  if (type != S_IFSOCK) return file;
  OwnedFd stand_in(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  close_socket(std::move(file));
  return stand_in;
}

bool too_many_strange_files() { return closing.load() >= kMostClosing; }

OwnedFd harmless(OwnedFd file) {
  static const KnownDevices known;
  mode_t type = 0;
  const dev_t device = device_of(file.get(), type);
  if (type != S_IFREG || device == known.memfd || device == known.procfs || device == known.anonymous) return file;
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) return file;  // not open: closing tells nobody
  OwnedFd stand_in(::memfd_create("strange", MFD_CLOEXEC));
  closing.fetch_add(1);
  try {
    // By the number: a thread that cannot be had must not close it here either.
    std::thread([fd = file.get()] {
      { const OwnedFd last(fd); }
      closing.fetch_sub(1);
    }).detach();
    (void)file.release();
  } catch (const std::system_error&) {
    (void)file.release();  // stays open, and counted: rather a descriptor less than a host that waits
  }
  return stand_in;
}

}  // namespace ring3::control
