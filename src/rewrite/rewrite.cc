#include "rewrite/rewrite.h"

#include <new>

#include "model/rights.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using Pass = Result<void> (*)(Rewriting&);

// Dead code first: what is never run need not be resolvable. Calls last: earlier passes know helpers by id.
constexpr Pass kPasses[] = {
    remove_dead_code, add_member_code,   resolve_immediates, convert_context, arena_accesses,   inline_lookups,
    inline_tail_calls, mask_arithmetic,  resolve_calls,      load_packets,    guard_tail_calls, finish,
};

Result<void> run_passes(Rewriting& r) {
  for (const Pass pass : kPasses)
    if (Result<void> done = pass(r); !done) return done;
  return {};
}

}  // namespace

bool hides_addresses(const Rewriting& r) {
  return !model::is_allowed(r.in.program.rights, model::Allowance::kUnmaskedArithmetic);
}

Errno Rewriting::refuse(Errno e, std::uint32_t idx, std::string why) {
  refusal = "insn " + std::to_string(idx) + ": " + std::move(why) + "\n";
  return e;
}

Result<XlatedProgram> rewrite(const RewriteInput& in, verifier::LogSink& log) {
  try {
    Rewriting r{.in = in, .copy = WorkingCopy(in.program.insns), .out = {}, .refusal = {}};
    r.out.touches_percpu = in.verified.touches_percpu;
    r.out.may_sleep = in.verified.may_sleep;
    if (Result<void> done = run_passes(r); !done) {
      log.write(r.refusal);
      return done.error();
    }
    return std::move(r.out);
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

}  // namespace ring3::rewrite
