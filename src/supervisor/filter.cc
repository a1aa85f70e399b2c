#include "supervisor/filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/try.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace ring3::supervisor {
namespace {

struct ReleaseContext {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

int add_rule(scmp_filter_ctx context, const Intercepted& call) {
  if (call.argument < 0) return ::seccomp_rule_add(context, SCMP_ACT_NOTIFY, call.number, 0);
  const scmp_arg_cmp condition = {static_cast<unsigned>(call.argument), SCMP_CMP_MASKED_EQ, call.mask, call.value};
  return ::seccomp_rule_add_array(context, SCMP_ACT_NOTIFY, call.number, 1, &condition);
}

const char* words(int error) {
  switch (error) {
    case EBUSY:
      return "this process is under a seccomp listener already (`ring3 run` within `ring3 run`, or a container's): there can be one";
    case ENOSYS: return "this kernel has no seccomp filters";
    case EINVAL: return "this kernel has no seccomp listeners (Linux 5.9 or newer is needed)";
    case EACCES:
    case EPERM: return "seccomp listeners are forbidden here";
    default: return "the seccomp filter cannot be installed";
  }
}

}  // namespace

Result<Filter> Filter::build(std::span<const Intercepted> calls) {
  const Context context(::seccomp_init(SCMP_ACT_ALLOW));
  if (!context) return Errno::kNoMem;
  if (::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) != 0) return Errno::kInval;
  for (const Intercepted& call : calls)
    if (add_rule(context.get(), call) != 0) return Errno::kInval;
  const OwnedFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file || ::seccomp_export_bpf(context.get(), file.get()) != 0) return Errno::kNoMem;
  const off_t bytes = ::lseek(file.get(), 0, SEEK_END);
  if (bytes <= 0) return Errno::kInval;
  std::string program(static_cast<std::size_t>(bytes), '\0');
  if (::pread(file.get(), program.data(), program.size(), 0) != bytes) return Errno::kInval;
  return Filter(std::move(program));
}

Result<OwnedFd> Filter::install(std::string& why) const {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(program_.size() / sizeof(sock_filter));
  program.filter = const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(program_.data()));  // no const form
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    why = words(errno);
    return static_cast<Errno>(errno);
  }
  constexpr unsigned long kFlags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, &program);
  if (fd < 0 && errno == EINVAL)
    fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (fd < 0) {
    why = words(errno);
    return static_cast<Errno>(errno);
  }
  return OwnedFd(static_cast<int>(fd));
}

bool listeners_available(std::string& why) {
  const Intercepted nothing_else{SYS_bpf};
  const Result<Filter> filter = Filter::build({&nothing_else, 1});
  if (!filter.ok()) {
    why = words(0);
    return false;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    std::string unused;
    const Result<OwnedFd> listener = filter->install(unused);
    ::_exit(listener.ok() ? 0 : static_cast<int>(listener.error()));
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    why = words(0);
    return false;
  }
  if (WEXITSTATUS(status) == 0) return true;
  why = words(WEXITSTATUS(status));
  return false;
}

}  // namespace ring3::supervisor
