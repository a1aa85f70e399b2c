#include "syscall/wake_file.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>

#include "maps/event_buffer.h"
#include "maps/map.h"
#include "maps/ringbuf.h"
#include "maps/user_ringbuf.h"
#include "object/rcu.h"
#include "uapi/bpf.h"

namespace ring3::syscall {

struct WakeFile::Waker : maps::RingbufWakeup, rcu::Deferred {
  Object* object;
  OwnedFd event;
};

namespace {

/// False: nothing one waits for.
bool set_wakeup(Object& object, maps::RingbufWakeup* wakeup) {
  if (object.kind() == ObjectKind::kEvents) {
    static_cast<maps::EventBuffer&>(object).set_wakeup(wakeup);
    return true;
  }
  if (object.kind() != ObjectKind::kMap) return false;
  auto& map = static_cast<maps::Map&>(object);
  switch (map.spec().type) {
    case uapi::BPF_MAP_TYPE_RINGBUF: maps::ringbuf_set_wakeup(map, wakeup); return true;
    case uapi::BPF_MAP_TYPE_USER_RINGBUF: maps::user_ringbuf_set_wakeup(map, wakeup); return true;
    default: return false;
  }
}

}  // namespace

Result<WakeFile> WakeFile::attach(Object& object) {
  OwnedFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Errno::kMFile;
  auto waker = std::make_unique<Waker>();
  waker->object = &object;
  waker->event = std::move(event);
  waker->wake = [](maps::RingbufWakeup* wakeup) noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(static_cast<Waker*>(wakeup)->event.get(), &one, sizeof one);
  };
  if (!set_wakeup(object, waker.get())) return Errno::kInval;
  return WakeFile(waker.release());
}

WakeFile::~WakeFile() {
  if (waker_ == nullptr) return;
  (void)set_wakeup(*waker_->object, nullptr);
  rcu::call_after_readers(waker_, [](rcu::Deferred* node) { delete static_cast<Waker*>(node); });
}

Result<OwnedFd> WakeFile::open() const {
  OwnedFd copy(::fcntl(waker_->event.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return Errno::kMFile;
  return copy;
}

}  // namespace ring3::syscall
