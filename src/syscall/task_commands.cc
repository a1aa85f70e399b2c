// TASK_FD_QUERY: what program stands behind a descriptor of some process. Descriptors of tracepoints and perf events with
// programs are the kernel's own here, so the answer is which of "no such process, no such descriptor, not of that kind" it is.
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

/// Errors: that of stat(2).
Result<FileIdentity> identify_path(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return Errno{errno};
  return FileIdentity{st.st_dev, st.st_ino, 0, S_ISSOCK(st.st_mode)};
}

}  // namespace

Result<long> task_fd_query(Call& call, uapi::bpf_attr& attr) {
  const auto& query = attr.task_fd_query;
  if (query.flags != 0) return Errno::kInval;
  const std::string process = "/proc/" + std::to_string(query.pid);
  if (query.pid == 0 || !identify_path(process).ok()) return Errno::kNoEnt;
  const Result<FileIdentity> file = identify_path(process + "/fd/" + std::to_string(query.fd));
  if (!file.ok() && (file.error() == Errno::kAcces || file.error() == Errno::kPerm)) {
    call.explain("the host may not look at the descriptors of that process");
    return Errno::kNotSupp;
  }
  if (!file.ok()) return Errno::kBadF;
  const Result<OpenObject> open = call.kernel().descriptors().find(*file);
  if (open.ok() && open->object->kind() == ObjectKind::kLink) call.explain("no link of this host is a tracepoint's");
  return Errno::kNotSupp;
}

}  // namespace ring3::syscall
