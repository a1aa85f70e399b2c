// A replacement that was verified for one function, at another one.
//
// Soundness: what is known of a replacement is its own: it was walked with the arguments of its own prototype, none of which the first
// target widened. So it may stand wherever those are promised, and all else that the walk took from its target holds: the type and
// attach type (helpers, contexts, results), how far it reaches, whether the packet stays, and that it runs inside of a read section
// unless it was walked outside of one too. The first target's own promises beyond that were not used.
#pragma once

#include "btf/btf.h"
#include "model/program_facts.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::verifier {

/// replacement: of a loaded BPF_PROG_TYPE_EXT program. function: FUNC record of the other target's BTF.
/// Errors: kInval, and the log says why.
Result<void> check_other_target(const model::ProgramFacts& replacement, const model::ProgramFacts& target, btf::TypeId function,
                                LogSink& log);

}  // namespace ring3::verifier
