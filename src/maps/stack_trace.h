// Stack trace maps: programs store call chains and get small numbers for them, clients read the chains.
//
// Source: bpf_get_stackid in bpf-helpers(7). Never blocks; inside read sections.
#pragma once

#include <cstdint>
#include <span>

#include "maps/map.h"

namespace ring3::maps {

// Flags of bpf_get_stackid.
inline constexpr std::uint64_t kStackSkipMask = 0xff;
inline constexpr std::uint64_t kStackUser = 1u << 8;
inline constexpr std::uint64_t kStackFastCompare = 1u << 9;
inline constexpr std::uint64_t kStackReuseId = 1u << 10;
// … and of bpf_get_stack, beside the first two.
inline constexpr std::uint64_t kStackUserBuildId = 1u << 11;

/// Stores a chain, innermost first, of addresses or, in maps with BPF_F_STACK_BUILD_ID, of struct bpf_stack_build_id as four words
/// each; the first `flags & kStackSkipMask` entries are left out. Returns its number, or
/// -EINVAL unknown flags; -EFAULT nothing is left of the chain; -EEXIST another chain has its place and kStackReuseId
/// is not set; -ENOMEM.
long stack_trace_store(Map& map, std::span<const std::uint64_t> chain, std::uint64_t flags) noexcept;

}  // namespace ring3::maps
