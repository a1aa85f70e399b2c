// BPF, HOST_BTF, WAKE_FILE, EVENT_FILE and EVENT_PAGES: the system call itself, the types clients take for the kernel's, waiting for
// rings, and perf events of BPF output.
#include <fcntl.h>

#include "base/memfd.h"
#include "base/try.h"
#include "control/requests.h"
#include "syscall/bpf.h"
#include "syscall/event_files.h"
#include "syscall/fdinfo.h"

namespace ring3::control {

Result<long> answer_bpf(Conversation& with, WireReader& in, Response& out) {
  const auto cmd = in.get<std::int32_t>();
  const auto size = in.get<std::uint32_t>();
  const auto attr = in.get<std::uint64_t>();
  syscall::CommonAttrs common;
  common.address = in.get<std::uint64_t>();
  common.size = in.get<std::uint32_t>();
  if (!in.finished()) return malformed(out);
  // The command's own errno goes out as it is: it need not be one that this library names.
  const long result = syscall::bpf(with.runtime.kernel(), with.caller, cmd, attr, size, common);
  out.text = with.caller.take_text();
  return result;
}

Result<long> answer_host_btf(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  const Ref<prog::BtfObject> btf = with.runtime.host_btf();
  const std::span<const std::byte> bytes = btf->btf()->blob();
  OwnedFd file = RING3_TRY(memfd_of("btf", bytes));
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    return Errno::kNoMem;
  out.file = std::move(file);
  return static_cast<long>(bytes.size());
}

Result<long> answer_host_cpus(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  return static_cast<long>(with.runtime.map_host().possible_cpus());
}

Result<long> answer_wake_file(Conversation& with, WireReader& in, Response& out) {
  const auto fd = in.get<std::int32_t>();
  if (!in.finished()) return malformed(out);
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(with.caller.files().identify(fd, open));
  out.file = RING3_TRY(with.runtime.kernel().descriptors().wake_file(file));
  return 0L;
}

Result<long> answer_event_file(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  const syscall::Credentials& who = with.caller.credentials();
  const Birth birth{.uid = who.uid, .pid = who.pid, .time_ns = with.runtime.now_ns()};
  out.file = RING3_TRY(syscall::open_event_file(with.runtime.kernel(), birth));
  return 0L;
}

Result<long> answer_event_pages(Conversation& with, WireReader& in, Response& out) {
  const auto fd = in.get<std::int32_t>();
  const auto pages = in.get<std::uint32_t>();
  if (!in.finished()) return malformed(out);
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(with.caller.files().identify(fd, open));
  RING3_TRY(syscall::use_event_pages(with.runtime.kernel(), file, pages));
  return 0L;
}

Result<long> answer_fd_info(Conversation& with, WireReader& in, Response& out) {
  const auto fd = in.get<std::int32_t>();
  if (!in.finished()) return malformed(out);
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(with.caller.files().identify(fd, open));
  out.body.text(syscall::fdinfo_text(*RING3_TRY(with.runtime.kernel().descriptors().find(file)).object));
  return 0L;
}

}  // namespace ring3::control
