// Who holds what in one runtime: references to host objects, objects of programs, rings of ownership. Read by `ring3 refs`
// and Runtime::kptr_uses().
//
// Ownership goes map → object (a stored reference), object → its storage → object, program array → program → map, outer
// map → inner map. Beyond an object only its type's declaration (KptrOptions::reaches) tells. So a ring is
//   seen      every step is a reference that was found;
//   possible  the last step is one that a type has declared: an object that the storage keeps may lead back to its owner.
// A leak candidate is an object all of whose references (KptrOptions::count) are in storage that is on such a ring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "ring3/kptr.h"
#include "ring3/result.h"

namespace ring3 {

class RuntimeImpl;

struct ReferenceRow {
  std::string holder;  // "map 7 queues [0].small[2]->obj"; "storage of session #3 in map 9 notes .friend"
  std::string kind;    // "owned", "weak", "object"
  std::string object;  // "session #17", "struct entry"
  std::int64_t count = -1;  // references to the object, if its type counts them
};

struct ReferenceRing {
  std::vector<std::string> steps;  // closed: the last leads to the first
  bool seen = false;
  std::vector<std::string> leak_candidates;
};

struct ReferenceReport {
  std::vector<KptrUse> types;
  std::uint64_t program_objects = 0;  // in maps
  std::vector<ReferenceRow> references;
  std::vector<ReferenceRing> rings;
  bool cut = false;  // there are more references than were looked at
};

/// Errors: kNoMem.
Result<ReferenceReport> references(RuntimeImpl& runtime);
void write_json(JsonWriter& json, const ReferenceReport& report);

}  // namespace ring3
