// TOKEN_CREATE (behaviour.md B.7.1), and what a token changes for the commands that may name one.
#include "base/try.h"
#include "syscall/handlers.h"
#include "syscall/pin_mounts.h"
#include "syscall/token.h"

namespace ring3::syscall {

std::uint64_t delegated_bit(std::uint32_t number) { return number < 64 ? std::uint64_t{1} << number : ~std::uint64_t{0}; }

Delegation delegated_cmd(int cmd) {
  Delegation out;
  out.cmds = delegated_bit(static_cast<std::uint32_t>(cmd));
  return out;
}

Result<model::Rights> rights_with_token(Call& call, bool named, int fd, const Delegation& wanted) {
  model::Rights rights = call.rights();
  if (!named) return rights;
  const OpenObject open = RING3_TRY(call.object(fd));
  if (open.object->kind() != ObjectKind::kToken) return Errno::kInval;
  if (!static_cast<const Token&>(*open.object).covers(wanted)) return rights;
  const model::Rights inside = call.caller().namespace_rights();
  rights.bpf = rights.bpf || inside.has_bpf();
  rights.perfmon = rights.perfmon || inside.has_perfmon();
  rights.net_admin = rights.net_admin || inside.net_admin || inside.sys_admin;
  return rights;
}

namespace {

/// The mount whose root a descriptor is.
Result<std::shared_ptr<PinInstance>> mount_of(Call& call, int fd) {
  Result<std::string> path = call.caller().files().directory_path(fd);
  if (!path.ok()) return path.error() == Errno::kBadF ? Errno::kBadF : Errno::kInval;
  std::shared_ptr<PinInstance> mount = call.kernel().mounts().find(*path);
  if (!mount || !mount->tree.is_root(*path)) return Errno::kInval;
  return mount;
}

Result<void> may_enter(Call& call, const PinInstance& mount) {
  const Credentials& who = call.caller().credentials();
  const PinIdentity identity{who.uid, who.gid, who.groups, who.uid == 0 || call.rights().sys_admin};
  return mount.tree.may_search_root(identity) ? Result<void>() : Errno::kAcces;
}

}  // namespace

Result<long> token_create(Call& call, uapi::bpf_attr& attr) {
  if (attr.token_create.flags != 0) return Errno::kInval;
  const std::shared_ptr<PinInstance> mount = RING3_TRY(mount_of(call, static_cast<int>(attr.token_create.bpffs_fd)));
  RING3_TRY(may_enter(call, *mount));
  if (mount->foreign != call.caller().foreign()) return Errno::kPerm;
  if (!call.caller().namespace_rights().has_bpf()) return Errno::kPerm;
  if (!mount->foreign) {
    call.explain("tokens are for user namespaces; in the host's own they add nothing");
    return Errno::kOpNotSupp;
  }
  if (!mount->delegation.any()) return Errno::kNoEnt;
  return call.give(Token::make(call.kernel().objects(), call.birth(), mount->delegation), Access::kReadWrite);
}

}  // namespace ring3::syscall
