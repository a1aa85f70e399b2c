#include "prog/check.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include "base/try.h"
#include "model/prog_kind.h"
#include "model/rights.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

using namespace uapi;

constexpr std::uint32_t kKnownFlags = BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_STATE_FREQ |
                                      BPF_F_SLEEPABLE | BPF_F_TEST_RND_HI32 | BPF_F_XDP_HAS_FRAGS |
                                      BPF_F_XDP_DEV_BOUND_ONLY | BPF_F_TEST_REG_INVARIANTS | BPF_F_TOKEN_FD;
constexpr btf::TypeId kMaxTypeId = 0x000fffff;

/// Types that may name a BTF id to attach to.
constexpr std::array kTakeBtfId = {BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_STRUCT_OPS,
                                   BPF_PROG_TYPE_EXT};

/// Types whose expected attach type is checked at load; the others take any.
struct AttachTypes {
  bpf_prog_type prog;
  std::initializer_list<bpf_attach_type> allowed;
};
const AttachTypes kAttachTypes[] = {
    {BPF_PROG_TYPE_CGROUP_SOCK,
     {BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_RELEASE, BPF_CGROUP_INET4_POST_BIND,
      BPF_CGROUP_INET6_POST_BIND}},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
     {BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND, BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
      BPF_CGROUP_UNIX_CONNECT, BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME,
      BPF_CGROUP_UNIX_GETPEERNAME, BPF_CGROUP_INET4_GETSOCKNAME, BPF_CGROUP_INET6_GETSOCKNAME,
      BPF_CGROUP_UNIX_GETSOCKNAME, BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG, BPF_CGROUP_UNIX_SENDMSG,
      BPF_CGROUP_UDP4_RECVMSG, BPF_CGROUP_UDP6_RECVMSG, BPF_CGROUP_UNIX_RECVMSG}},
    {BPF_PROG_TYPE_CGROUP_SKB, {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS}},
    {BPF_PROG_TYPE_CGROUP_SOCKOPT, {BPF_CGROUP_SETSOCKOPT, BPF_CGROUP_GETSOCKOPT}},
    {BPF_PROG_TYPE_SK_LOOKUP, {BPF_SK_LOOKUP}},
    {BPF_PROG_TYPE_SK_REUSEPORT, {BPF_SK_REUSEPORT_SELECT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE}},
    {BPF_PROG_TYPE_NETFILTER, {BPF_NETFILTER}},
    {BPF_PROG_TYPE_SYSCALL, {static_cast<bpf_attach_type>(0)}},
    {BPF_PROG_TYPE_EXT, {static_cast<bpf_attach_type>(0)}},
};

template <typename Range>
bool contains(const Range& range, std::uint32_t value) {
  return std::any_of(std::begin(range), std::end(range), [value](auto v) { return static_cast<std::uint32_t>(v) == value; });
}

Result<void> check_rights(const LoadRequest& request) {
  RING3_TRY(check_load_rights(request.rights, request.unprivileged_allowed));
  if (request.insns.empty() || request.insns.size() > model::max_program_insns(request.rights)) return Errno::kTooBig;
  const model::ProgKindRow* kind = model::find_prog_kind(request.prog_type);
  if (kind == nullptr) return model::is_allowed(request.rights, model::Allowance::kAnyProgType) ? Result<void>() : Errno::kPerm;
  return model::may_load(*kind, request.rights) ? Result<void>() : Errno::kPerm;
}

Result<void> check_target_fields(const LoadRequest& request, verifier::LogSink& log) {
  if (request.attach_btf_id > kMaxTypeId) return Errno::kInval;
  const bool has_program = request.attach_target && request.attach_target->kind() == ObjectKind::kProg;
  const bool takes_btf_id = contains(kTakeBtfId, request.prog_type);
  if ((request.attach_btf_id != 0 || request.attach_target) && !takes_btf_id) {
    log.write("a program of this type takes no attach_btf_id\n");
    return Errno::kInval;
  }
  if (request.attach_target && !has_program && request.attach_btf_id == 0) return Errno::kInval;
  if (has_program && request.prog_type != BPF_PROG_TYPE_TRACING && request.prog_type != BPF_PROG_TYPE_EXT)
    return Errno::kInval;
  return {};
}

Result<void> check_attach_type(const LoadRequest& request) {
  for (const AttachTypes& row : kAttachTypes) {
    if (row.prog != request.prog_type) continue;
    // Objects built before these types had attach types leave it 0.
    if (request.prog_type == BPF_PROG_TYPE_CGROUP_SOCK && request.attach_type == 0) return {};
    if (request.prog_type == BPF_PROG_TYPE_SK_REUSEPORT && request.attach_type == 0) return {};
    if (!contains(row.allowed, request.attach_type)) return Errno::kInval;
  }
  return {};
}

Result<void> check_sleepable(const LoadRequest& request, verifier::LogSink& log) {
  const bool sleepable = (request.flags & BPF_F_SLEEPABLE) != 0;
  if (request.prog_type == BPF_PROG_TYPE_SYSCALL) {
    if (sleepable) return {};
    log.write("Syscall programs can only be sleepable\n");
    return Errno::kInval;
  }
  constexpr std::array kMaySleep = {BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_KPROBE,
                                    BPF_PROG_TYPE_STRUCT_OPS};
  // Tracepoints are hit where nothing may sleep.
  const bool at_tracepoint = request.prog_type == BPF_PROG_TYPE_TRACING && request.attach_type == BPF_TRACE_RAW_TP;
  if (sleepable && (at_tracepoint || !contains(kMaySleep, request.prog_type))) {
    log.write("Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable\n");
    return Errno::kInval;
  }
  return {};
}

}  // namespace

bool is_gpl_compatible(std::string_view license) {
  constexpr std::string_view kCompatible[] = {"GPL",          "GPL v2",       "GPL and additional rights",
                                              "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};
  return std::find(std::begin(kCompatible), std::end(kCompatible), license) != std::end(kCompatible);
}

Result<void> check_load_rights(const model::Rights& rights, bool unprivileged_allowed) {
  return unprivileged_allowed || rights.has_bpf() ? Result<void>() : Errno::kPerm;
}

Result<void> check_request(const LoadRequest& request, verifier::LogSink& log) {
  if (request.flags & ~kKnownFlags) return Errno::kInval;
  RING3_TRY(check_rights(request));
  RING3_TRY(check_target_fields(request, log));
  RING3_TRY(check_attach_type(request));
  if (request.prog_type == BPF_PROG_TYPE_UNSPEC || request.prog_type >= __MAX_BPF_PROG_TYPE) return Errno::kInval;
  return check_sleepable(request, log);
}

}  // namespace ring3::prog
