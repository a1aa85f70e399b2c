#include "model/target_lists.h"

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using enum TargetList;

struct Target {
  TargetList list;
  std::string_view function;
};
constexpr Target kTargets[] = {
#define RING3_TARGET(list, function) {list, #function},
#include "model/target_lists.def"
#undef RING3_TARGET
};

}  // namespace

bool is_on(TargetList list, std::string_view function) {
  for (const Target& target : kTargets)
    if (target.list == list && target.function == function) return true;
  return false;
}

bool result_is_modifiable(std::string_view function) {
  // System calls are where Linux injects errors.
  return function.starts_with("security_") || function.starts_with("__x64_sys_") || is_on(kModifiable, function);
}

bool helper_allows_target(const HelperProto& helper, ProgViews view, std::string_view function) {
  switch (helper.id) {
    case uapi::BPF_FUNC_d_path:
      if ((view & (kViewTraceIter | kViewSyscall)) != 0) return (view & kViewTraceIter) != 0;
      if ((view & kViewAnyLsm) != 0) return is_on(kSleepableHooks, function);
      return is_on(kDPathFunctions, function);
    case uapi::BPF_FUNC_ima_inode_hash:
    case uapi::BPF_FUNC_ima_file_hash: return is_on(kSleepableHooks, function);
    case uapi::BPF_FUNC_sk_storage_get:
    case uapi::BPF_FUNC_sk_storage_delete:
      if ((view & kViewSyscall) != 0) return false;
      return (view & kViewTraceProbe) == 0 || !function.starts_with("bpf_sk_storage");
    case uapi::BPF_FUNC_setsockopt:
    case uapi::BPF_FUNC_getsockopt:
      if ((view & kViewTraceIter) != 0) return is_on(kSocketIterators, function);
      if ((view & kViewLsmCgroup) == 0) return true;
      return is_on(kLockedSockoptHooks, function) || is_on(kUnlockedSockoptHooks, function);
    default: return true;
  }
}

}  // namespace ring3::model
