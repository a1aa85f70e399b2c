// Walking ids and opening objects by id (behaviour.md 0.1.6).
#include <climits>

#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

Result<long> next_id(Call& call, uapi::bpf_attr& attr, ObjectKind kind) {
  if (attr.start_id >= INT_MAX) return Errno::kInval;
  const Result<std::uint32_t> published = call.kernel().objects().next_id(kind, attr.start_id);
  // Inside a load session the caller also walks what the session made.
  if (LoadSession* session = call.caller().session(); session != nullptr) {
    const Result<std::uint32_t> own = session->transaction().next_id(kind, attr.start_id);
    if (own.ok() && (!published.ok() || own.value() < published.value())) {
      attr.next_id = own.value();
      return 0L;
    }
  }
  if (!published.ok()) return published.error();
  attr.next_id = published.value();
  return 0L;
}

Result<long> fd_by_id(Call& call, std::uint32_t id, ObjectKind kind, Access access) {
  return call.give(RING3_TRY(call.find_by_id(kind, id)), access);
}

}  // namespace

Result<Access> access_of_flags(std::uint32_t flags) {
  switch (flags & (uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY)) {
    case 0: return Access::kReadWrite;
    case uapi::BPF_F_RDONLY: return Access::kReadOnly;
    case uapi::BPF_F_WRONLY: return Access::kWriteOnly;
    default: return Errno::kInval;
  }
}

Result<long> map_get_next_id(Call& call, uapi::bpf_attr& attr) { return next_id(call, attr, ObjectKind::kMap); }
Result<long> prog_get_next_id(Call& call, uapi::bpf_attr& attr) { return next_id(call, attr, ObjectKind::kProg); }
Result<long> btf_get_next_id(Call& call, uapi::bpf_attr& attr) { return next_id(call, attr, ObjectKind::kBtf); }
Result<long> link_get_next_id(Call& call, uapi::bpf_attr& attr) { return next_id(call, attr, ObjectKind::kLink); }

Result<long> map_get_fd_by_id(Call& call, uapi::bpf_attr& attr) {
  if ((attr.open_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY)) != 0)
    return Errno::kInval;
  const Access access = RING3_TRY(access_of_flags(attr.open_flags));
  return fd_by_id(call, attr.map_id, ObjectKind::kMap, access);
}

Result<long> prog_get_fd_by_id(Call& call, uapi::bpf_attr& attr) {
  return fd_by_id(call, attr.prog_id, ObjectKind::kProg, Access::kReadWrite);
}

Result<long> btf_get_fd_by_id(Call& call, uapi::bpf_attr& attr) {
  return fd_by_id(call, attr.btf_id, ObjectKind::kBtf, Access::kReadWrite);
}

Result<long> link_get_fd_by_id(Call& call, uapi::bpf_attr& attr) {
  return fd_by_id(call, attr.link_id, ObjectKind::kLink, Access::kReadWrite);
}

}  // namespace ring3::syscall
