// Load step 4: what the program attaches to, and whether a program of this shape may.
#pragma once

#include "model/facts.h"
#include "prog/load.h"
#include "prog/load_request.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::prog {

struct LoadTarget {
  model::AttachTarget facts;   // borrows from the Facts it was found in
  Ref<Object> holder;          // object that holds the target; null: none
  std::uint32_t btf_object_id = 0;
};

/// Errors: behaviour.md A.2.2 for struct_ops (kInval, kNotSupp, a host's veto); kInval for kinds of target this
/// runtime does not have. log names the cause.
Result<LoadTarget> find_target(const LoadRequest& request, const model::Facts& facts, ProgramHost& host,
                               verifier::LogSink& log);

/// For a program that passed the verifier: does this host have the place it wants to be attached to?
/// kNotSupp: it does not; log names the place.
Result<void> check_target_offered(const model::AttachTarget& target, std::uint32_t attach_type, verifier::LogSink& log);

}  // namespace ring3::prog
