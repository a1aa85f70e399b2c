// Load step 1: what the attribute alone decides. No memory of the client, no objects, no verifier.
#pragma once

#include <string_view>

#include "prog/load_request.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::prog {

/// In Linux's order: flags, rights for the caller at all, instruction count, rights per type, target
/// fields, expected attach type, sleepability.
/// Errors: kInval, kPerm, kTooBig; one line in log where the errno alone does not say it.
Result<void> check_request(const LoadRequest& request, verifier::LogSink& log);

/// Whether the caller may load anything: CAP_BPF, or unprivileged use is on. Errors: kPerm.
Result<void> check_load_rights(const model::Rights& rights, bool unprivileged_allowed);

/// Licences under which GPL-only helpers and types may be used.
bool is_gpl_compatible(std::string_view license);

}  // namespace ring3::prog
