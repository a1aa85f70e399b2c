#include "model/rights.h"

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

struct AllowanceRow {
  std::uint8_t rights;
  std::string_view text;
};
constexpr AllowanceRow kAllowances[] = {
#define RING3_ALLOWANCE(name, rights, what) {rights, what},
#include "model/allowances.def"
#undef RING3_ALLOWANCE
};

struct MapRow {
  std::uint32_t type;
  std::uint8_t rights;
};
constexpr MapRow kMaps[] = {
#define RING3_MAP_RIGHT(type, rights) {uapi::BPF_MAP_TYPE_##type, rights},
#include "model/map_rights.def"
#undef RING3_MAP_RIGHT
};

constexpr std::uint32_t kMaxInsns = 1'000'000;
constexpr std::uint32_t kMaxInsnsForEverybody = 4096;

}  // namespace

bool has_rights(const Rights& rights, std::uint8_t wanted) {
  if ((wanted & kRightBpf) != 0 && !rights.has_bpf()) return false;
  if ((wanted & kRightPerfmon) != 0 && !rights.has_perfmon()) return false;
  return (wanted & kRightNetAdmin) == 0 || rights.net_admin || rights.sys_admin;
}

bool is_allowed(const Rights& rights, Allowance what) {
  if (rights.keeps_addresses && (what == Allowance::kPointerLeaks || what == Allowance::kUninitStack)) return false;
  return has_rights(rights, kAllowances[static_cast<std::size_t>(what)].rights);
}

std::string_view allowance_text(Allowance what) { return kAllowances[static_cast<std::size_t>(what)].text; }

bool may_create_map(std::uint32_t map_type, const Rights& rights) {
  for (const MapRow& row : kMaps)
    if (row.type == map_type) return has_rights(rights, row.rights);
  return has_rights(rights, kRightBpf);
}

std::uint32_t max_program_insns(const Rights& rights) {
  return is_allowed(rights, Allowance::kLongPrograms) ? kMaxInsns : kMaxInsnsForEverybody;
}

}  // namespace ring3::model
