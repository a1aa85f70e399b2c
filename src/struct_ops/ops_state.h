// The life of a struct_ops map as a table (behaviour.md A.4.1). Two flavours share the states: classic
// (registered by update, ended by delete) and link (filled by update, registered by links).
#pragma once

#include <cstdint>

#include "ring3/result.h"

namespace ring3::struct_ops {

/// Values as clients read them in the header.
enum class OpsState : std::uint32_t { kInit = 0, kInUse = 1, kToBeFree = 2, kReady = 3 };
enum class OpsEvent : std::uint8_t { kUpdate, kDelete, kLinkCreate, kLinkUpdate };
enum class OpsFlavour : std::uint8_t { kClassic, kLink };

/// The state after the event, or the errno that refuses it.
Result<OpsState> next_state(OpsEvent event, OpsFlavour flavour, OpsState from);

}  // namespace ring3::struct_ops
