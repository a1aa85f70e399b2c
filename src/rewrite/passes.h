// The passes of rewrite(), in the order they run. Each sees the program as the former ones left it.
#pragma once

#include <string>

#include "rewrite/rewrite.h"
#include "rewrite/working_copy.h"

namespace ring3::rewrite {

/// What the passes share: the input, the program in progress, the result in progress, and the reason of a refusal.
struct Rewriting {
  const RewriteInput& in;
  WorkingCopy copy;
  XlatedProgram out;
  std::string refusal;
  std::uint32_t main_stack_bytes = 0;  // the main function's, if it needs more than the program uses

  const verifier::InsnFacts& facts(std::uint32_t idx) const { return in.verified.insns[idx]; }
  /// Notes the reason and returns the errno.
  Errno refuse(Errno e, std::uint32_t idx, std::string why);
};

/// The caller may not learn addresses, not even by what the CPU does after a wrong guess (verifier/transfer/speculation.h).
bool hides_addresses(const Rewriting& r);
/// Index into r.out.helpers of helper `id`, which idx calls. Errors: kInval this host does not provide it.
Result<std::uint32_t> helper_index(Rewriting& r, std::uint32_t idx, std::uint32_t id);

Result<void> remove_dead_code(Rewriting& r);
Result<void> resolve_immediates(Rewriting& r);
Result<void> convert_context(Rewriting& r);
Result<void> add_member_code(Rewriting& r);
Result<void> arena_accesses(Rewriting& r);
Result<void> inline_lookups(Rewriting& r);
Result<void> inline_tail_calls(Rewriting& r);
Result<void> mask_arithmetic(Rewriting& r);
Result<void> resolve_calls(Rewriting& r);
Result<void> guard_tail_calls(Rewriting& r);
Result<void> load_packets(Rewriting& r);
Result<void> finish(Rewriting& r);

}  // namespace ring3::rewrite
