// What iterator programs can walk in this runtime. Programs name a target by the function bpf_iter_NAME of the host's BTF.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace ring3::model {

enum class IterTarget : unsigned char { kMap, kMapElem, kProg, kLink, kTask };

struct IterTargetRow {
  IterTarget target;
  std::string_view name;  // as link info shows it
  bool may_sleep;         // programs that sleep are allowed
};

inline constexpr std::array kIterTargets = {
    IterTargetRow{IterTarget::kMap, "bpf_map", false},   IterTargetRow{IterTarget::kMapElem, "bpf_map_elem", false},
    IterTargetRow{IterTarget::kProg, "bpf_prog", false}, IterTargetRow{IterTarget::kLink, "bpf_link", false},
    IterTargetRow{IterTarget::kTask, "task", true},
};

/// The row for a function's name; null: the function is no target of this runtime.
constexpr const IterTargetRow* find_iter_target(std::string_view function) {
  constexpr std::string_view kPrefix = "bpf_iter_";
  if (!function.starts_with(kPrefix)) return nullptr;
  for (const IterTargetRow& row : kIterTargets)
    if (function.substr(kPrefix.size()) == row.name) return &row;
  return nullptr;
}

}  // namespace ring3::model
