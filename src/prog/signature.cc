#include "prog/signature.h"

#include <fmt/format.h>

#include "base/try.h"
#include "maps/value_area.h"
#include "sign/signature.h"

namespace ring3::prog {
namespace {

Errno fail(verifier::LogSink& log, Errno e, std::string text) {
  text += '\n';
  log.write(text);
  return e;
}

/// The bytes of a map that a signature covers. Nobody but the program itself can change them any more.
Result<sign::Bytes> covered(maps::Map& map, verifier::LogSink& log) {
  const Result<sign::Bytes> area = maps::value_area(map);
  if (!area.ok() || map.max_entries() != 1)
    return fail(log, Errno::kInval, fmt::format("signed program: map '{}' is not an array of one element", map.spec().name));
  if (!map.frozen()) return fail(log, Errno::kPerm, fmt::format("signed program: map '{}' is not frozen", map.spec().name));
  if (!map.spec().exclusive_to) return fail(log, Errno::kPerm, fmt::format("signed program: map '{}' is not exclusive", map.spec().name));
  return area->first(map.value_size());
}

std::string_view words_for(Errno e) {
  switch (e) {
    case Errno::kBadMsg: return "malformed";
    case Errno::kKeyRejected: return "it is of other bytes";
    case Errno::kNoKey: return "no trusted key";
    default: return errno_name(e);
  }
}

}  // namespace

Result<Provenance> check_signature(const LoadRequest& request, const BoundArray& bound, const sign::Keyrings* keyrings,
                                   verifier::LogSink& log) {
  const LoadSignature& signature = *request.signature;
  const sign::Ring* ring = keyrings != nullptr ? keyrings->find(signature.ring) : nullptr;
  if (ring == nullptr) return fail(log, Errno::kInval, fmt::format("keyring {} does not exist", signature.ring));
  std::vector<sign::Bytes> parts = {std::as_bytes(std::span(request.insns))};
  for (const Ref<maps::Map>& map : bound.program.maps) parts.push_back(RING3_TRY(covered(*map, log)));
  Result<sign::Signer> signer = sign::verify(signature.bytes, parts, *ring);
  if (!signer.ok())
    return fail(log, signer.error(), fmt::format("signature verification failed: {} (keyring {})", words_for(signer.error()), ring->name));
  return Provenance{.verdict = Provenance::Verdict::kVerified, .ring = ring->id, .ring_name = ring->name,
                    .signer = std::move(signer->subject), .key = std::move(signer->fingerprint)};
}

}  // namespace ring3::prog
