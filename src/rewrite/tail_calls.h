// Tail calls as tiers see them: bpf_tail_call itself, or what is left of it where the program array is known.
#pragma once

#include "rewrite/xlated.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {

/// A helper no program can name: r1 = context, r2 = what a slot of a program array holds. Counts, and sets what
/// bpf_tail_call sets.
inline constexpr std::uint32_t kEnterTailHelper = 0x84000000;

/// Whether a tier looks at RunContext::tail_target after this call.
inline bool is_tail_call(const HelperCall& helper) {
  return helper.id == uapi::BPF_FUNC_tail_call || helper.id == kEnterTailHelper;
}

}  // namespace ring3::rewrite
