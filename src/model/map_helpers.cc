#include "model/map_helpers.h"

#include <algorithm>
#include <array>

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using namespace uapi;  // map types and helpers, by their names

/// Longest row: socket maps.
constexpr std::size_t kMostPartners = 8;
constexpr std::uint32_t kNobody = UINT32_MAX;

struct Partners {
  std::uint32_t of;
  std::array<std::uint32_t, kMostPartners> only;
};

template <typename... Ids>
constexpr Partners partners(std::uint32_t of, Ids... ids) {
  Partners row{of, {}};
  row.only.fill(kNobody);
  std::size_t n = 0;
  ((row.only[n++] = static_cast<std::uint32_t>(ids)), ...);
  return row;
}

constexpr Partners kOfMaps[] = {
#define RING3_MAP_TAKES(type, ...) partners(BPF_MAP_TYPE_##type, __VA_ARGS__),
#define RING3_HELPER_TAKES(helper, ...)
#include "model/map_helpers.def"
#undef RING3_MAP_TAKES
#undef RING3_HELPER_TAKES
};

constexpr Partners kOfHelpers[] = {
#define RING3_MAP_TAKES(type, ...)
#define RING3_HELPER_TAKES(helper, ...) partners(BPF_FUNC_##helper, __VA_ARGS__),
#include "model/map_helpers.def"
#undef RING3_MAP_TAKES
#undef RING3_HELPER_TAKES
};

template <std::size_t N>
bool takes(const Partners (&rows)[N], std::uint32_t of, std::uint32_t partner) {
  for (const Partners& row : rows)
    if (row.of == of) return std::find(row.only.begin(), row.only.end(), partner) != row.only.end();
  return true;
}

constexpr ProgViews kUpdatesSocketMaps = kViewTraceIter | kViewSocketFilter | kViewTc | kViewAnyXdp | kViewSkReuseport |
                                         kViewFlowDissector | kViewSkLookup;

}  // namespace

bool map_goes_with(std::uint32_t map_type, std::uint32_t helper) {
  return takes(kOfMaps, map_type, helper) && takes(kOfHelpers, helper, map_type);
}

bool is_socket_map(std::uint32_t map_type) { return map_type == BPF_MAP_TYPE_SOCKMAP || map_type == BPF_MAP_TYPE_SOCKHASH; }

bool may_update_socket_maps(ProgViews view, std::uint32_t helper) {
  if (helper == BPF_FUNC_map_delete_elem && (view & kViewSockOps) != 0) return true;
  return (view & kUpdatesSocketMaps) != 0;
}

}  // namespace ring3::model
