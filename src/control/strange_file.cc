#include "control/strange_file.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

namespace ring3::control {
namespace {

constexpr int kMostClosing = 64;
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
