#include "host_kfuncs.h"

#include <cstdint>

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
constexpr std::uint64_t kTraced =
    types({uapi::BPF_PROG_TYPE_TRACING, uapi::BPF_PROG_TYPE_TRACEPOINT, uapi::BPF_PROG_TYPE_PERF_EVENT, uapi::BPF_PROG_TYPE_LSM,
           uapi::BPF_PROG_TYPE_STRUCT_OPS, uapi::BPF_PROG_TYPE_SYSCALL});
constexpr std::uint64_t kGeneric =
    kTraced | types({uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_PROG_TYPE_CGROUP_SKB});
constexpr std::uint64_t kLsm = types({uapi::BPF_PROG_TYPE_LSM});

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
std::uint64_t nothing() { return 0; }

void* address_of(const std::string& name) {
  if (name == "bpf_iter_num_new") return reinterpret_cast<void*>(num_new);
  if (name == "bpf_iter_num_next") return reinterpret_cast<void*>(num_next);
  return reinterpret_cast<void*>(nothing);
}

}  // namespace

void add_host_kfuncs(Facts& facts) {
  for (const Row& row : kRows) {
    const btf::TypeId func = facts.host_btf->find(row.name, btf::Kind::kFunc);
    if (func == 0) continue;  // another kernel's types
    facts.kfuncs.push_back({.name = row.name, .btf = facts.host_btf, .func = func, .flags = row.flags,
                            .prog_types = row.prog_types, .address = address_of(row.name)});
  }
}

}  // namespace ring3::conformance
