#include "model/kernel_kfuncs.h"

#include <algorithm>

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using namespace uapi;  // program types, by their names
using enum KfuncSpecial;

template <typename... Types>
constexpr std::uint64_t types(Types... t) {
  return ((std::uint64_t{1} << t) | ...);
}
constexpr std::uint64_t kEveryType = ~std::uint64_t{0};
constexpr std::uint64_t kTraced =
    types(BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_LSM);
constexpr std::uint64_t kTracing = types(BPF_PROG_TYPE_TRACING);
constexpr std::uint64_t kLsm = types(BPF_PROG_TYPE_LSM);
constexpr std::uint64_t kKprobe = types(BPF_PROG_TYPE_KPROBE);
constexpr std::uint64_t kStructOps = types(BPF_PROG_TYPE_STRUCT_OPS);
constexpr std::uint64_t kSyscall = types(BPF_PROG_TYPE_SYSCALL);
constexpr std::uint64_t kSchedCls = types(BPF_PROG_TYPE_SCHED_CLS);
constexpr std::uint64_t kSchedAct = types(BPF_PROG_TYPE_SCHED_ACT);
constexpr std::uint64_t kXdp = types(BPF_PROG_TYPE_XDP);
constexpr std::uint64_t kSkSkb = types(BPF_PROG_TYPE_SK_SKB);
constexpr std::uint64_t kSocketFilter = types(BPF_PROG_TYPE_SOCKET_FILTER);
constexpr std::uint64_t kNetfilter = types(BPF_PROG_TYPE_NETFILTER);
constexpr std::uint64_t kLwts =
    types(BPF_PROG_TYPE_LWT_IN, BPF_PROG_TYPE_LWT_OUT, BPF_PROG_TYPE_LWT_XMIT, BPF_PROG_TYPE_LWT_SEG6LOCAL);
constexpr std::uint64_t kCgroups =
    types(BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_CGROUP_SOCK, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
          BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_PROG_TYPE_CGROUP_SYSCTL);
/// Those that may own objects of their own.
constexpr std::uint64_t kGenericTypes = kTraced | kStructOps | kSyscall | kSchedCls | kXdp | kCgroups;

constexpr KernelKfunc kRows[] = {
#define RING3_KERNEL_KFUNC(name, flags, prog_types, special) {#name, flags, prog_types, special},
#include "model/kernel_kfuncs.def"
#undef RING3_KERNEL_KFUNC
};

constexpr std::string_view kRcuProtected[] = {"bpf_cpumask", "bpf_crypto_ctx", "cgroup", "prog_test_ref_kfunc", "task_struct"};

}  // namespace

std::span<const KernelKfunc> kernel_kfuncs() { return kRows; }

const KernelKfunc* find_kernel_kfunc(std::string_view name) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const KernelKfunc& k) { return k.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

bool is_rcu_protected_type(std::string_view struct_name) {
  return std::find(std::begin(kRcuProtected), std::end(kRcuProtected), struct_name) != std::end(kRcuProtected);
}

}  // namespace ring3::model
