// TASK_FD_QUERY: what program stands behind a descriptor of some process. Descriptors of tracepoints and perf events with
// programs are the kernel's own here, so the answer is which of "no such process, no such descriptor, not of that kind" it is.
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

/// Whether the link is there. It is read, not followed: what a descriptor leads to may be a file system of the client's
/// that never answers. Errors: those of readlink(2).
Result<void> look_at(const std::string& link) {
  char byte;
  if (::readlink(link.c_str(), &byte, 1) < 0) return Errno{errno};
  return {};
}

}  // namespace

Result<long> task_fd_query(Call& call, uapi::bpf_attr& attr) {
  const auto& query = attr.task_fd_query;
  if (query.flags != 0) return Errno::kInval;
  const std::string process = "/proc/" + std::to_string(query.pid);
  if (query.pid == 0 || ::access(process.c_str(), F_OK) != 0) return Errno::kNoEnt;
  const Result<void> descriptor = look_at(process + "/fd/" + std::to_string(query.fd));
  if (!descriptor.ok() && (descriptor.error() == Errno::kAcces || descriptor.error() == Errno::kPerm)) {
    call.explain("the host may not look at the descriptors of that process");
    return Errno::kNotSupp;
  }
  if (!descriptor.ok()) return Errno::kBadF;
  call.explain("no descriptor leads to a tracepoint of this host's");
  return Errno::kNotSupp;
}

}  // namespace ring3::syscall
