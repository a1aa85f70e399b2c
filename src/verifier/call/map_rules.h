// Which helpers take which map types.
#pragma once

#include "model/helper.h"
#include "verifier/verification.h"

namespace ring3::verifier {

Result<void> check_map_for_helper(Step& step, const model::MapFacts& map, const model::HelperProto& proto);

}  // namespace ring3::verifier
