// Helper arguments that are sockets or pointers to host structs.
//
// A host struct fits if it is the wanted one or begins with it; what may dangle, is user memory or per CPU never fits.
#include "verifier/call/typed_args.h"

#include <algorithm>

#include "verifier/kinds/access.h"
#include "verifier/kinds/storage_owner.h"
#include "verifier/kinds/type_match.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::ArgKind;

constexpr std::string_view kSockets = "sock_common, sock, tcp_sock, xdp_sock";

std::string_view expected_text(ArgKind kind) {
  switch (kind) {
    case ArgKind::kSocket: return "sock";
    case ArgKind::kSockCommon: return kSockets;
    case ArgKind::kBtfSockCommon: return "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_";
    default: return "ptr_, trusted_ptr_, rcu_ptr_";
  }
}

bool is_any_socket(RegKind kind) {
  return kind == RegKind::kSocket || kind == RegKind::kSockCommon || kind == RegKind::kTcpSock || kind == RegKind::kXdpSock;
}

Result<void> check_struct(Step& step, unsigned regno, const char* wanted_name, bool release) {
  const RegState& reg = step.reg(regno);
  const auto& host = step.prog.facts.host_btf;
  const btf::TypeId wanted = host == nullptr ? 0 : host->find(wanted_name, btf::Kind::kStruct);
  // Storage of control groups is storage of any object.
  if (wanted_name == std::string_view("cgroup") && is_storage_owner(step, reg)) return check_no_offset(step, reg, regno, !release);
  if (wanted == 0) return step.diag.refuse(Rule::kNotSupported, {std::string("struct ") + wanted_name + ", which the host's types lack,"});
  RING3_TRY(check_no_offset(step, reg, regno, !release));
  if (!struct_holds(step.prog, *step.prog.btfs[reg.btf], reg.btf_type, reg.off, *host, wanted, release))
    return step.diag.refuse(Rule::kHelperArgStruct, {regno, step.prog.btf_name(reg.btf, reg.btf_type), wanted_name});
  return {};
}

}  // namespace

bool is_typed_arg(ArgKind kind) {
  return kind == ArgKind::kSocket || kind == ArgKind::kSockCommon || kind == ArgKind::kBtfSockCommon || kind == ArgKind::kHostStruct;
}

Result<void> check_typed_arg(Step& step, unsigned regno, const model::ArgSpec& arg) {
  const RegState& reg = step.reg(regno);
  const bool release = (arg.flags & model::kArgRelease) != 0;
  const auto refuse = [&] { return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), expected_text(arg.kind)}); };
  const unsigned null = (arg.flags & model::kArgMaybeNull) != 0 ? unsigned{model::kMaybeNull} : 0u;
  if (reg.kind == RegKind::kHostStruct) {
    unsigned allowed = null | model::kTrusted;
    if (arg.kind == ArgKind::kHostStruct) allowed |= model::kRcuPtr;
    else if (arg.kind != ArgKind::kBtfSockCommon) return refuse();
    if ((reg.flags & ~allowed) != 0) return refuse();
    RING3_TRY(check_struct(step, regno, arg.kind == ArgKind::kHostStruct ? arg.btf_name : "sock_common", release));
  } else {
    const bool fits = arg.kind == ArgKind::kSocket ? reg.kind == RegKind::kSocket
                                                   : arg.kind != ArgKind::kHostStruct && is_any_socket(reg.kind);
    if (!fits || (reg.flags & ~null) != 0) return refuse();
  }
  if (release && reg.ref_obj_id == 0) return step.diag.refuse(Rule::kReleaseUnowned, {regno});
  return {};
}

}  // namespace ring3::verifier
