#include "verifier/kinds/context_struct.h"

#include "btf/records.h"
#include "model/prog_kind.h"

namespace ring3::verifier {
namespace {

using btf::Kind;

struct KernelContext {
  std::string_view context, behind;
};
constexpr KernelContext kContexts[] = {
    {"__sk_buff", "sk_buff"},         {"xdp_md", "xdp_buff"},
    {"bpf_sock", "sock"},             {"bpf_sock_addr", "bpf_sock_addr_kern"},
    {"bpf_sock_ops", "bpf_sock_ops_kern"}, {"sk_msg_md", "sk_msg"},
    {"bpf_sysctl", "bpf_sysctl_kern"},     {"bpf_sockopt", "bpf_sockopt_kern"},
    {"sk_reuseport_md", "sk_reuseport_kern"}, {"bpf_sk_lookup", "bpf_sk_lookup_kern"},
    {"bpf_nf_ctx", "bpf_nf_ctx"},     {"bpf_cgroup_dev_ctx", "bpf_cgroup_dev_ctx"},
    {"bpf_perf_event_data", "bpf_perf_event_data_kern"},
};

}  // namespace

bool is_context_struct(const Program& prog, const btf::Btf& btf, btf::TypeId pointee, std::string_view wanted) {
  if (wanted.empty()) return false;
  const btf::Type* type = btf.type(pointee);
  for (; type != nullptr && btf::is_modifier(type->kind); type = btf.type(type->type))
    if (type->kind == Kind::kTypedef && type->name == wanted) return true;
  if (type == nullptr || type->kind != Kind::kStruct) return false;
  if (type->name == wanted) return true;
  const btf::Btf* host = prog.facts.host_btf.get();
  const btf::TypeId named = host == nullptr ? 0 : host->find(wanted, Kind::kTypedef);
  if (named == 0) return false;
  const btf::Type* resolved = host->type(host->skip_modifiers(named));
  return resolved != nullptr && resolved->kind == Kind::kStruct && !resolved->name.empty() && resolved->name == type->name;
}

btf::TypeId behind_context(const Program& prog, const model::ProgKindRow& kind) {
  if (prog.facts.host_btf == nullptr) return 0;
  for (const KernelContext& row : kContexts)
    if (row.context == kind.ctx_struct) return prog.facts.host_btf->find(row.behind, Kind::kStruct);
  return 0;
}

}  // namespace ring3::verifier
