#include "model/kernel_struct_ops.h"

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

constexpr KernelOpsRow kRows[] = {
#define RING3_OPS_UNSUPPORTED(type, member) {OpsFact::kUnsupported, #type, "", #member},
#define RING3_OPS_SLEEPABLE(type, member) {OpsFact::kSleepable, #type, "", #member},
#define RING3_OPS_DENIED(type, member, helper) {OpsFact::kDenied, #type, "", #member, uapi::BPF_FUNC_##helper},
#define RING3_OPS_WRITABLE(type, owner, field) {OpsFact::kWritable, #type, #owner, #field},
#define RING3_OPS_KNOWN(type, owner, as) {OpsFact::kKnown, #type, #owner, #as},
#include "model/kernel_struct_ops.def"
#undef RING3_OPS_UNSUPPORTED
#undef RING3_OPS_SLEEPABLE
#undef RING3_OPS_DENIED
#undef RING3_OPS_WRITABLE
#undef RING3_OPS_KNOWN
};

}  // namespace

std::span<const KernelOpsRow> kernel_struct_ops() { return kRows; }

}  // namespace ring3::model
