// Load step 1, where the client left CO-RE to the runtime: instructions are changed to what the host's types say.
#pragma once

#include "btf/btf.h"
#include "prog/load_request.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::prog {

/// Applies request.core_relos to request.insns. An access that the host does not have, or that no load of another size can make, poisons
/// its instruction: a call of a helper that does not exist, which the verifier refuses where it can be reached.
/// Errors: kInval a record or an instruction breaks a rule (log: which relocation, and why), or there is no function or
/// line info; kTooBig nonzero bytes behind the known part of a record; kRange an offset that no instruction holds;
/// kOpNotSupp a type without a name.
Result<void> relocate_core(LoadRequest& request, const btf::Btf& host, verifier::LogSink& log);

/// The helper id that poisoned instructions call; every kernel since 5.2 shows this number.
inline constexpr std::int32_t kPoisonedHelper = 195896080;

}  // namespace ring3::prog
