// Load step: the signature of a program, over its instructions as they were passed and the maps it is bound to (behaviour.md E.6).
#pragma once

#include "prog/load_request.h"
#include "prog/resolve.h"
#include "ring3/result.h"
#include "ring3/signing.h"
#include "sign/keyring.h"
#include "verifier/log_sink.h"

namespace ring3::prog {

/// Of a request that has a signature: who vouches for the program. What the signature covers is what `bound` holds, and a
/// signed program can name no other map (resolve.h).
/// Errors, explained in log: kInval no such keyring, or a map that is no array of one element; kPerm a map that is not frozen or not exclusive;
/// kBadMsg, kKeyRejected, kNoKey (sign/signature.h).
Result<Provenance> check_signature(const LoadRequest& request, const BoundArray& bound, const sign::Keyrings* keyrings,
                                   verifier::LogSink& log);

}  // namespace ring3::prog
