// REFERENCES: who holds what, for `ring3 refs`.
#include <span>

#include "base/try.h"
#include "control/requests.h"
#include "runtime/references.h"

namespace ring3::control {

Result<long> answer_references(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  const ReferenceReport report = RING3_TRY(references(with.runtime));
  JsonWriter json;
  write_json(json, report);
  const std::string text = json.take();
  out.body.raw(std::as_bytes(std::span(text)));
  return static_cast<long>(report.references.size());
}

}  // namespace ring3::control
