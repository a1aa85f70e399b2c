// What schedulers may call, and the built-in scheduler, which calls the same.
#pragma once

#include "ring3/runtime.h"
#include "taskd_ops.h"

namespace taskd {

/// A global FIFO on whichever CPU is idle. Also what a member does that a client has left out.
extern const taskd_ops kBuiltin;

/// Registers struct task and all functions of taskd_ops.h. Once, before clients come.
ring3::Result<void> offer_kfuncs(ring3::Runtime& runtime);

}  // namespace taskd
