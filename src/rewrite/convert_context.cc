// Contexts that are a view of something else (packets) are read where the thing itself is; arrays of 64-bit
// slots (struct_ops, tracing) and plain memory (syscall) are what the program sees, and need nothing.
#include "rewrite/passes.h"

namespace ring3::rewrite {

Result<void> convert_context(Rewriting& r) {
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx)) continue;
    const verifier::InsnFacts& facts = r.facts(idx);
    if (facts.access == model::AccessKind::kCtx && facts.ctx_row != 0xffff)
      return r.refuse(Errno::kNotSupp, idx, "context fields of this program type are not supported yet");
  }
  return {};
}

}  // namespace ring3::rewrite
