#include "model/helper.h"

#include <array>

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using enum ArgKind;

// The words helper_protos.def is written in.
constexpr ArgSpec map{ArgKind::kConstMapPtr};
constexpr ArgSpec key{ArgKind::kMapKey};
constexpr ArgSpec value{ArgKind::kMapValue};
constexpr ArgSpec uninit_value{ArgKind::kMapValue, kArgUninit | kArgWrite};
constexpr ArgSpec anything{ArgKind::kAnything};
constexpr ArgSpec number{ArgKind::kScalar};
constexpr ArgSpec ro_mem{ArgKind::kMem};
constexpr ArgSpec mem_or_null{ArgKind::kMem, kArgMaybeNull};
constexpr ArgSpec uninit_mem{ArgKind::kMem, kArgUninit | kArgWrite};
constexpr ArgSpec rw_mem{ArgKind::kMem, kArgWrite};       // read, then written
constexpr ArgSpec out_mem{ArgKind::kMem, kArgWrite};      // written, but must be initialised
constexpr ArgSpec mem_size{ArgKind::kMemSize};
constexpr ArgSpec size_or_zero{ArgKind::kMemSizeOrZero};
constexpr ArgSpec alloc_size{ArgKind::kConstAllocSize};
constexpr ArgSpec ctx{ArgKind::kCtx};
constexpr ArgSpec const_str{ArgKind::kConstStr};
constexpr ArgSpec callback{ArgKind::kCallback};
constexpr ArgSpec stack_or_null{ArgKind::kStackPtr, kArgMaybeNull};
constexpr ArgSpec ringbuf_mem{ArgKind::kRingbufMem};
constexpr ArgSpec out_u64{ArgKind::kFixedMem, kArgUninit | kArgWrite | kArgAligned, 8};
constexpr ArgSpec inout_u32{ArgKind::kFixedMem, kArgWrite | kArgAligned, 4};
constexpr ArgSpec value_or_null{ArgKind::kMapValue, kArgMaybeNull};
constexpr ArgSpec spin_lock_arg{ArgKind::kSpinLock};
constexpr ArgSpec timer{ArgKind::kTimer};
constexpr ArgSpec kptr_slot{ArgKind::kKptr};
constexpr ArgSpec kptr_value{ArgKind::kKptrValue, kArgMaybeNull | kArgRelease};
constexpr ArgSpec percpu_var{ArgKind::kPercpuVar};
constexpr ArgSpec full_sock{ArgKind::kSocket};
constexpr ArgSpec sock_common{ArgKind::kSockCommon};
constexpr ArgSpec any_sock{ArgKind::kBtfSockCommon};
constexpr ArgSpec fixed_mem(std::uint16_t bytes) { return {ArgKind::kFixedMem, 0, bytes}; }
constexpr ArgSpec host_struct(const char* name) { return {ArgKind::kHostStruct, 0, 0, name}; }
constexpr ArgSpec dynptr(DynptrKind kind) { return {ArgKind::kDynptr, 0, kind}; }
constexpr ArgSpec new_dynptr(DynptrKind kind) { return {ArgKind::kDynptr, kArgUninit | kArgWrite, kind}; }

template <typename... Args>
constexpr HelperProto row(std::uint32_t id, ProgViews views, CallRight right, RetKind ret, std::uint32_t flags,
                          const char* ret_btf, Args... args) {
  return {id, views, right, ret, flags, ret_btf, {args...}};
}

constexpr HelperProto kRows[] = {
#define RING3_HELPER(name, views, right, ret, flags, ret_btf, ...) \
  row(uapi::BPF_FUNC_##name, views, CallRight::right, RetKind::ret, flags, ret_btf __VA_OPT__(, ) __VA_ARGS__),
#include "model/helper_protos.def"
#undef RING3_HELPER
};

/// First row of each helper number, or kNoRow.
constexpr std::uint16_t kNoRow = 0xffff;
constexpr auto kIndex = [] {
  std::array<std::uint16_t, uapi::__BPF_FUNC_MAX_ID> index{};
  index.fill(kNoRow);
  for (std::size_t i = std::size(kRows); i-- > 0;) index[kRows[i].id] = static_cast<std::uint16_t>(i);
  return index;
}();

constexpr bool sorted_with_disjoint_views() {
  for (std::size_t i = 1; i < std::size(kRows); ++i) {
    if (kRows[i].id < kRows[i - 1].id) return false;
    for (std::size_t j = i; j-- > 0 && kRows[j].id == kRows[i].id;)
      if ((kRows[j].views & kRows[i].views) != 0) return false;
  }
  return true;
}
static_assert(sorted_with_disjoint_views());

constexpr std::uint32_t kTcpCongestionOps[] = {
    uapi::BPF_FUNC_setsockopt,     uapi::BPF_FUNC_getsockopt,   uapi::BPF_FUNC_sk_storage_get,
    uapi::BPF_FUNC_sk_storage_delete, uapi::BPF_FUNC_tcp_send_ack, uapi::BPF_FUNC_ktime_get_coarse_ns,
};

}  // namespace

std::span<const HelperProto> helper_rows() { return kRows; }

const HelperProto* find_helper(std::uint32_t id) {
  if (id >= kIndex.size() || kIndex[id] == kNoRow) return nullptr;
  return &kRows[kIndex[id]];
}

const HelperProto* find_helper(std::uint32_t id, ProgViews view) {
  if (id >= kIndex.size()) return nullptr;
  for (std::size_t i = kIndex[id]; i < std::size(kRows) && kRows[i].id == id; ++i)
    if ((kRows[i].views & view) != 0) return &kRows[i];
  return nullptr;
}

const HelperProto* helper_signature(std::uint32_t id, ProgViews view) {
  if (const HelperProto* row = find_helper(id, view)) return row;
  for (const ProgViews typed : {kViewAnyLsm, kViewTyped})
    if (view == kViewStructOps)
      if (const HelperProto* row = find_helper(id, typed)) return row;
  return find_helper(id);
}

bool may_call(const HelperProto& helper, ProgViews view, const Rights& rights) {
  if ((helper.views & view) == 0) return false;
  switch (helper.right) {
    case CallRight::kAnyone: return true;
    case CallRight::kBpf: return rights.has_bpf();
    case CallRight::kPerfmon: return rights.has_perfmon();
    case CallRight::kSysAdmin: return rights.sys_admin;
    case CallRight::kPerfmonUnlessTyped: return (view & (kViewTyped | kViewSyscall)) != 0 || rights.has_perfmon();
  }
  return false;
}

std::span<const std::uint32_t> struct_ops_helpers(std::string_view ops_type) {
  if (ops_type == "tcp_congestion_ops") return kTcpCongestionOps;
  return {};
}

}  // namespace ring3::model
