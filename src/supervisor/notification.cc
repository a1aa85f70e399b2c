#include "supervisor/notification.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "base/memfd.h"
#include "base/try.h"

// Linux 6.6; older headers do not have them.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace ring3::supervisor {
namespace {

constexpr unsigned long kSyncWakeUp = 1;

/// The kernel writes its own idea of the record's size, which may grow.
constexpr std::size_t kRoomBytes = 192;
static_assert(2 * sizeof(seccomp_notif) <= kRoomBytes && 2 * sizeof(seccomp_notif_resp) <= kRoomBytes);

void send(int listener, const seccomp_notif_resp& response) {
  alignas(seccomp_notif_resp) std::byte room[kRoomBytes] = {};
  std::memcpy(room, &response, sizeof response);
  // ENOENT: the caller was killed meanwhile. Nothing else can go wrong with an answer of this shape.
  while (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, room) != 0 && errno == EINTR) {
  }
}

}  // namespace

Listener::Listener(OwnedFd listener) : listener_(std::move(listener)) {
  // Caller and supervisor take turns, so waking the other on the same CPU is a third of the time. Linux before 6.6 says no.
  (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, kSyncWakeUp);
}

Result<Notification> Listener::receive() const {
  alignas(seccomp_notif) std::byte room[kRoomBytes] = {};  // must be zero
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, room) != 0) return static_cast<Errno>(errno);
  seccomp_notif record;
  std::memcpy(&record, room, sizeof record);
  Notification n;
  n.id = record.id;
  n.task = static_cast<pid_t>(record.pid);
  n.number = record.data.nr;
  for (std::size_t i = 0; i < n.args.size(); ++i) n.args[i] = record.data.args[i];
  return n;
}

bool Listener::waits(const Notification& n) const {
  std::uint64_t id = n.id;
  return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void Listener::answer(const Notification& n, long result) const {
  seccomp_notif_resp response{};
  response.id = n.id;
  if (result < 0) response.error = static_cast<std::int32_t>(result);
  else response.val = result;
  send(listener_.get(), response);
}

void Listener::let_through(const Notification& n) const {
  seccomp_notif_resp response{};
  response.id = n.id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  send(listener_.get(), response);
}

Result<int> Listener::give_file(const Notification& n, int file) const { return add_file(n, file, -1); }

Result<void> Listener::take_file_away(const Notification& n, int number) const {
  const OwnedFd nothing = RING3_TRY(memfd_of("closed", {}));
  return replace_file(n, nothing.get(), number);
}

Result<void> Listener::replace_file(const Notification& n, int file, int number) const {
  RING3_TRY(add_file(n, file, number));
  return {};
}

/// number: in the place of what it means there; -1: any free one.
Result<int> Listener::add_file(const Notification& n, int file, int number) const {
  seccomp_notif_addfd add{};
  add.id = n.id;
  add.srcfd = static_cast<std::uint32_t>(file);
  add.newfd_flags = O_CLOEXEC;
  if (number >= 0) {
    add.flags = SECCOMP_ADDFD_FLAG_SETFD;
    add.newfd = static_cast<std::uint32_t>(number);
  }
  for (;;) {
    const int at = ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    if (at >= 0) return at;
    if (errno == EINTR) continue;
    return errno == ENOENT ? Errno::kNoEnt : Errno::kMFile;
  }
}

}  // namespace ring3::supervisor
