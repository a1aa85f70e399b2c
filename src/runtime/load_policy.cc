// The host's policy about who may load what, and the record of it (docs/signing.md).
#include <fmt/format.h>

#include "model/prog_kind.h"
#include "runtime/runtime_impl.h"

namespace ring3 {
namespace {

std::string type_name(std::uint32_t type) {
  const model::ProgKindRow* kind = model::find_prog_kind(type);
  return kind != nullptr ? std::string(kind->name) : fmt::format("type {}", type);
}

}  // namespace

Result<void> RuntimeImpl::admit(const prog::Candidate& candidate) {
  const prog::LoadRequest& request = candidate.request;
  if (candidate.provenance.verdict == Provenance::Verdict::kHost) return {};
  const bool bad = candidate.error != Errno{};
  const bool wanting = !bad && !candidate.provenance.trusted();
  const Errno decision = bad ? candidate.error : wanting && load_policy_ == LoadPolicy::kEnforce ? Errno::kPerm : Errno{};
  const std::string digest = sign::hex(candidate.digest);
  if (load_auditor_ != nullptr)
    load_auditor_->decided({.program = request.name, .type = request.prog_type, .digest = digest, .provenance = candidate.provenance,
                            .uid = request.birth.uid, .pid = request.birth.pid, .policy = load_policy_, .error = decision});
  if (bad || (wanting && load_policy_ != LoadPolicy::kOff)) {
    const std::string_view why = bad ? errno_name(candidate.error) : load_policy_ == LoadPolicy::kEnforce ? "refused" : "would be refused";
    log(Severity::kWarning, fmt::format("{} program '{}' ({}, sha256 {}) of uid {}, pid {}: {}", bad ? "badly signed" : "unsigned",
                                        request.name, type_name(request.prog_type), digest, request.birth.uid, request.birth.pid, why));
  }
  if (decision != Errno{}) return decision;
  return {};
}

}  // namespace ring3
