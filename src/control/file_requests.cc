// FILE: one operation of a bpffs mount. A connection is at most one mount; it is unmounted when the connection ends.
//
// Who acts: the peer itself, or, when the peer is an administrator, whoever it says; so a mount that root made and
// others may use keeps everybody's own rights.
#include <algorithm>

#include "base/try.h"
#include "bpffs/file_system.h"
#include "control/file_wire.h"
#include "control/requests.h"

namespace ring3::control {
namespace {

constexpr std::uint32_t kMaxReadBytes = 1024 * 1024;
constexpr std::uint32_t kMaxEntries = 1024;

Result<void> settle_identity(const Conversation& with, bpffs::Who& who) {
  const syscall::Credentials& peer = with.caller.credentials();
  const bool admin = peer.uid == 0 || with.caller.rights().sys_admin;
  if (who.uid == peer.uid) {
    who.admin = admin;
    if (!admin) {
      who.gid = peer.gid;
      who.groups = peer.groups;
    }
    return {};
  }
  if (!admin) return Errno::kPerm;
  return {};
}

}  // namespace

Result<long> answer_file(Conversation& with, WireReader& in, Response& out) {
  bpffs::Request request = get_file_request(in);
  if (!in.finished()) return malformed(out);
  // A file that is open was opened by somebody who could.
  const bool on_handle = request.op == bpffs::Op::kRead || request.op == bpffs::Op::kRelease || request.op == bpffs::Op::kList;
  if (!on_handle) RING3_TRY(settle_identity(with, request.who));
  request.size = std::min(request.size, request.op == bpffs::Op::kList ? kMaxEntries : kMaxReadBytes);
  if (!with.files) with.files = std::make_shared<bpffs::FileSystem>(with.runtime);
  Result<bpffs::Reply> reply = with.files->call(request);
  if (!reply.ok()) {
    if (request.op == bpffs::Op::kMount && !with.files->why().empty()) out.text = with.files->why() + "\n";
    return reply.error();
  }
  put_file_reply(out.body, *reply);
  return 0L;
}

}  // namespace ring3::control
