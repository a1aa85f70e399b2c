#include "host_kfuncs.h"

#include "host_ops.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "model/kernel_kfuncs.h"
#include "uapi/bpf.h"

namespace ring3::conformance {
namespace {

using namespace model;

constexpr std::uint64_t types(std::initializer_list<unsigned> list) {
  std::uint64_t set = 0;
  for (const unsigned type : list) set |= std::uint64_t{1} << type;
  return set;
}
constexpr std::uint64_t kAll = ~std::uint64_t{0};
/// Those the module registers its functions for.
constexpr std::uint64_t kTested =
    types({uapi::BPF_PROG_TYPE_TRACING, uapi::BPF_PROG_TYPE_TRACEPOINT, uapi::BPF_PROG_TYPE_PERF_EVENT, uapi::BPF_PROG_TYPE_LSM,
           uapi::BPF_PROG_TYPE_STRUCT_OPS, uapi::BPF_PROG_TYPE_SYSCALL, uapi::BPF_PROG_TYPE_SCHED_CLS});

struct Row {
  const char* name;
  std::uint32_t flags;
  std::uint64_t prog_types;
};
constexpr Row kRows[] = {
#define RING3_HOST_KFUNC(name, flags, prog_types) {#name, flags, prog_types},
#include "host_kfuncs.def"
#undef RING3_HOST_KFUNC
};

struct NumIter {
  std::int32_t next, end;
};
std::uint64_t num_new(NumIter* it, std::int32_t from, std::int32_t to) {
  *it = {from, to > from ? to : from};
  return 0;
}
std::uint64_t num_next(NumIter* it) {
  if (it->next >= it->end) return 0;
  ++it->next;
  static thread_local std::int32_t value;
  value = it->next - 1;
  return reinterpret_cast<std::uintptr_t>(&value);
}
/// The module's iterator: one number, a given number of times.
struct SeqIter {
  std::int64_t value;
  std::int32_t count;
};
std::uint64_t seq_new(SeqIter* it, std::int64_t value, std::int32_t count) {
  it->count = count;
  if (count < 0) return static_cast<std::uint64_t>(-22);
  it->value = value;
  return 0;
}
std::uint64_t seq_next(SeqIter* it) {
  if (it->count <= 0) return 0;
  --it->count;
  return reinterpret_cast<std::uintptr_t>(&it->value);
}
std::uint64_t seq_destroy(SeqIter* it) { return it->count = 0, 0; }
std::uint64_t seq_value(std::int32_t value, const SeqIter* it) {
  return it->count < 0 ? 0 : static_cast<std::uint64_t>(value + it->value);
}
std::uint64_t nothing() { return 0; }

void* address_of(const std::string& name) {
  if (name == "bpf_iter_num_new") return reinterpret_cast<void*>(num_new);
  if (name == "bpf_iter_num_next") return reinterpret_cast<void*>(num_next);
  if (name == "bpf_iter_testmod_seq_new") return reinterpret_cast<void*>(seq_new);
  if (name == "bpf_iter_testmod_seq_next") return reinterpret_cast<void*>(seq_next);
  if (name == "bpf_iter_testmod_seq_destroy") return reinterpret_cast<void*>(seq_destroy);
  if (name == "bpf_iter_testmod_seq_value") return reinterpret_cast<void*>(seq_value);
  void* const of_ops = host_ops_kfunc(name);
  return of_ops != nullptr ? of_ops : reinterpret_cast<void*>(nothing);
}

void add(Facts& facts, std::string_view name, std::uint32_t flags, std::uint64_t prog_types) {
  const btf::TypeId func = facts.host_btf->find(name, btf::Kind::kFunc);
  if (func == 0) return;  // another kernel's types
  for (const Kfunc& known : facts.kfuncs)
    if (known.func == func) return;  // the runtime's own
  const std::string text(name);
  facts.kfuncs.push_back({.name = text, .btf = facts.host_btf, .func = func, .flags = flags, .prog_types = prog_types,
                          .address = address_of(text)});
}

/// Types that have a destructor in the kernel or in the selftests' module.
constexpr std::string_view kStorable[] = {"task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx",
                                          "prog_test_ref_kfunc", "prog_test_member", "bpf_testmod_ctx"};

void give_back(void*) {}

}  // namespace

std::vector<KptrDef> host_kptr_types(const btf::Btf& btf) {
  std::vector<KptrDef> types;
  for (const std::string_view name : kStorable) {
    if (btf.find(name, btf::Kind::kStruct) == 0) continue;
    KptrDef def;
    def.name = name;
    def.release = ObjectFn<void>(&give_back).any();
    def.rcu_safe = is_rcu_protected_type(name);
    types.push_back(std::move(def));
  }
  return types;
}

void add_host_kfuncs(Facts& facts) {
  for (const KernelKfunc& row : kernel_kfuncs()) add(facts, row.name, row.flags, row.prog_types);
  for (const Row& row : kRows) add(facts, row.name, row.flags, row.prog_types);
  using model::MemberTrust;
#define RING3_MEMBER_TRUST(owner, member, trust) facts.member_trust.push_back({#owner, #member, MemberTrust::trust});
#include "host_member_trust.def"
#undef RING3_MEMBER_TRUST
}

}  // namespace ring3::conformance
