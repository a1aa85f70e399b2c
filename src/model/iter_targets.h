// What iterator programs can walk in this runtime. Programs name a target by the function bpf_iter_NAME of the host's BTF.
#pragma once

#include <array>
#include <cstdint>
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

/// What the arguments of an iterator's function are, a bit each, the meta data first. Rows for those of Linux 6.12 that show
/// elements of a map; all others show one object, which is null when the walk ends.
struct IterArgs {
  std::uint32_t nullable = ~1u;
  std::uint32_t read_buffers = 0;  // memory to read …
  std::uint32_t buffers = 0;       // … or to read and write
};
struct IterArgsRow {
  std::string_view name;
  IterArgs args;
};
inline constexpr std::array kIterArgs = {
    IterArgsRow{"bpf_map_elem", {.nullable = 0, .read_buffers = 1u << 2, .buffers = 1u << 3}},        // meta, map, key, value
    IterArgsRow{"bpf_sk_storage_map", {.nullable = 1u << 2, .buffers = 1u << 3}},                     // meta, map, sk, value
    IterArgsRow{"sockmap", {.nullable = 1u << 3, .read_buffers = 1u << 2}},                           // meta, map, key, sk
};
constexpr IterArgs iter_args(std::string_view function) {
  constexpr std::string_view kPrefix = "bpf_iter_";
  for (const IterArgsRow& row : kIterArgs)
    if (function.starts_with(kPrefix) && function.substr(kPrefix.size()) == row.name) return row.args;
  return {};
}

/// The row for a function's name; null: the function is no target of this runtime.
constexpr const IterTargetRow* find_iter_target(std::string_view function) {
  constexpr std::string_view kPrefix = "bpf_iter_";
  if (!function.starts_with(kPrefix)) return nullptr;
  for (const IterTargetRow& row : kIterTargets)
    if (function.substr(kPrefix.size()) == row.name) return &row;
  return nullptr;
}

}  // namespace ring3::model
