#include "supervisor/calls.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

namespace ring3::supervisor {
namespace {

constexpr std::uint64_t kIntMask = 0xffff'ffff;

/// Flags of an open(2) that does not read a file of text.
constexpr std::uint64_t kNotForReading = O_ACCMODE | O_CREAT | O_DIRECTORY | O_PATH | O_TRUNC;

constexpr CallRow perf_ioctl(std::uint64_t command) { return {"ioctl", {SYS_ioctl, 1, kIntMask, command}, answer_perf_ioctl}; }

constexpr std::array kCalls{
    CallRow{"bpf", {SYS_bpf}, answer_bpf},
    CallRow{"statfs", {SYS_statfs}, answer_statfs},
    CallRow{"fstatfs", {SYS_fstatfs}, answer_fstatfs},
    CallRow{"readlink", {SYS_readlink}, answer_readlink},
    CallRow{"readlinkat", {SYS_readlinkat}, answer_readlinkat},
    CallRow{"epoll_ctl", {SYS_epoll_ctl}, answer_epoll_ctl},
    CallRow{"perf_event_open", {SYS_perf_event_open}, answer_perf_event_open},
    perf_ioctl(PERF_EVENT_IOC_ENABLE),
    perf_ioctl(PERF_EVENT_IOC_DISABLE),
    perf_ioctl(PERF_EVENT_IOC_RESET),
    perf_ioctl(PERF_EVENT_IOC_ID),
    perf_ioctl(PERF_EVENT_IOC_SET_FILTER),
    perf_ioctl(PERF_EVENT_IOC_SET_BPF),
    perf_ioctl(PERF_EVENT_IOC_QUERY_BPF),
    CallRow{"mmap", {SYS_mmap, 3, kIntMask, MAP_SHARED}, answer_mmap},  // of perf events: the mapping tells their size
    CallRow{"open", {SYS_open, 1, kNotForReading, O_RDONLY}, answer_open, &Extras::fdinfo},  // of /proc/PID/fdinfo/N
    CallRow{"openat", {SYS_openat, 2, kNotForReading, O_RDONLY}, answer_openat, &Extras::fdinfo},
    CallRow{"sendto", {SYS_sendto, 4, UINT64_MAX, 0}, answer_send, &Extras::devices},  // of rtnetlink
    CallRow{"setrlimit", {SYS_setrlimit, 0, kIntMask, RLIMIT_MEMLOCK}, answer_setrlimit},
    CallRow{"prlimit64", {SYS_prlimit64, 1, kIntMask, RLIMIT_MEMLOCK}, answer_prlimit},
};

}  // namespace

std::span<const CallRow> calls() { return kCalls; }

const CallRow* find_call(int number) {
  const auto row = std::find_if(kCalls.begin(), kCalls.end(), [&](const CallRow& r) { return r.when.number == number; });
  return row == kCalls.end() ? nullptr : &*row;
}

bool is_quick(const Notification& n, const Door& door) {
  switch (n.number) {
    case SYS_bpf: return door.quick(bpf_call(n));
    case SYS_sendto: return false;
    case SYS_open:
    case SYS_openat:
    case SYS_perf_event_open:
    case SYS_ioctl:
    case SYS_mmap:
    case SYS_epoll_ctl: return !door.remote();
    default: return true;
  }
}

}  // namespace ring3::supervisor
