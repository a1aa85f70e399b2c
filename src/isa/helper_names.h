// Names of the helper functions, as the kernel's log prints them ("bpf_map_lookup_elem").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ring3::isa {

/// "" for a number without a helper; 0 has a name, "bpf_unspec", but no helper.
std::string_view helper_name(std::uint32_t id);

/// With or without "bpf_" in front.
std::optional<std::uint32_t> helper_id(std::string_view name);

}  // namespace ring3::isa
