// Instructions that may end their function although they are no exit: the caller goes on behind the call.
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

enum class EarlyEnd {
  kOutsidePacket,  // a load by skb[…]: the function's result is 0
  kTailCall,       // another program ran in its place: the result is any number, and the packet may have moved
};

/// Adds the path on which the function ends here. Main's end, and that of a global function walked on its own, needs none: the
/// result is a number, and nothing is owned or held.
Result<void> walk_early_end(Step& step, EarlyEnd how);

}  // namespace ring3::verifier
