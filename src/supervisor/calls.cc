#include "supervisor/calls.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

namespace ring3::supervisor {
namespace {

constexpr std::uint64_t kIntMask = 0xffff'ffff;

constexpr std::array kCalls{
    CallRow{"bpf", {SYS_bpf}, answer_bpf},
    CallRow{"statfs", {SYS_statfs}, answer_statfs},
    CallRow{"fstatfs", {SYS_fstatfs}, answer_fstatfs},
    CallRow{"readlink", {SYS_readlink}, answer_readlink},
    CallRow{"readlinkat", {SYS_readlinkat}, answer_readlinkat},
    CallRow{"epoll_ctl", {SYS_epoll_ctl}, answer_epoll_ctl},
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
    case SYS_epoll_ctl: return !door.remote();
    default: return true;
  }
}

}  // namespace ring3::supervisor
