// The elements of an array as they lie in memory: what its hash and a signature are over.
#pragma once

#include "maps/map.h"
#include "sign/sha256.h"

namespace ring3::maps {

/// One element behind the other, each rounded up to 8 bytes; as long as the map. Errors: kInval another kind.
Result<sign::Bytes> value_area(Map& map);

}  // namespace ring3::maps
