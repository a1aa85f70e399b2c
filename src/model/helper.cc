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
constexpr ArgSpec ro_mem{ArgKind::kMem};
constexpr ArgSpec uninit_mem{ArgKind::kMem, kArgUninit | kArgWrite};
constexpr ArgSpec mem_size{ArgKind::kMemSize};
constexpr ArgSpec size_or_zero{ArgKind::kMemSizeOrZero};
constexpr ArgSpec alloc_size{ArgKind::kConstAllocSize};
constexpr ArgSpec ctx{ArgKind::kCtx};
constexpr ArgSpec const_str{ArgKind::kConstStr};
constexpr ArgSpec callback{ArgKind::kCallback};
constexpr ArgSpec stack_or_null{ArgKind::kStackPtr, kArgMaybeNull};
constexpr ArgSpec ringbuf_mem{ArgKind::kRingbufMem};
constexpr ArgSpec out_u64{ArgKind::kFixedMem, kArgUninit | kArgWrite | kArgAligned, 8};

template <typename... Args>
constexpr HelperProto row(std::uint32_t id, std::uint32_t sets, RetKind ret, std::uint16_t flags, const char* ret_btf,
                          Args... args) {
  return {id, sets, ret, flags, ret_btf, {args...}};
}

constexpr HelperProto kRows[] = {
#define RING3_HELPER(name, sets, ret, flags, ret_btf, ...) \
  row(uapi::BPF_FUNC_##name, sets, RetKind::ret, flags, ret_btf __VA_OPT__(, ) __VA_ARGS__),
#include "model/helper_protos.def"
#undef RING3_HELPER
};

/// Row of each helper number, or 0xff.
constexpr auto kIndex = [] {
  std::array<std::uint8_t, uapi::__BPF_FUNC_MAX_ID> index{};
  index.fill(0xff);
  for (std::size_t i = 0; i < std::size(kRows); ++i) index[kRows[i].id] = static_cast<std::uint8_t>(i);
  return index;
}();
static_assert(std::size(kRows) < 0xff);

}  // namespace

const HelperProto* find_helper(std::uint32_t id) {
  if (id >= kIndex.size() || kIndex[id] == 0xff) return nullptr;
  return &kRows[kIndex[id]];
}

}  // namespace ring3::model
