// What the values of a map hold: references to host objects, objects of programs, weak pointers. For listings: it looks at live
// values while programs go on, one element at a time, inside a read section and under the value's lock where lists and
// trees need it; what it says was true of each slot at one moment.
//
// Host objects are never looked into (their text is the host's own printer, where the type allows it), objects of programs are:
// their memory outlives the read section, and the depth of ownership is bounded by model::kMaxOwners.
#pragma once

#include <string>
#include <vector>

#include "maps/map.h"

namespace ring3::maps {

struct HeldReference {
  enum class Kind : std::uint8_t { kOwned, kWeak, kProgramObject };
  Kind kind = Kind::kOwned;
  const btf::Btf* btf = nullptr;   // of the struct; lives as long as the map
  btf::TypeId type = 0;
  const void* object = nullptr;    // an identity, not to be followed
  std::string text;                // "session #17"; an object of a program: "struct node"
  std::string place;               // in the map: "[3].list[0]->owner"
  std::int64_t count = -1;         // references to the object, if its type counts them
  const void* storage_of = nullptr;  // object storage: whose value it is
};

/// At most `most` of them; a map that can hold none has none.
std::vector<HeldReference> held_references(Map& map, std::size_t most);

}  // namespace ring3::maps
