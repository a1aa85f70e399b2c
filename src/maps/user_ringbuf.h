// User ring buffers: clients write records into shared memory, programs drain them.
//
// One producer at a time (the client's business), one drain at a time (checked). The client's pages are its own:
// positions and lengths are read once, checked, and never trusted again; what a callback sees is memory inside the
// ring, whatever the client writes meanwhile.
//
// Source: bpf_user_ringbuf_drain in bpf-helpers(7). Programs call it inside read sections.
#pragma once

#include <cstdint>

#include "maps/ringbuf.h"

namespace ring3::maps {

/// Gets one record; nonzero ends the drain.
using UserRingbufCallback = std::uint64_t (*)(void* sample, std::uint32_t size, void* data);

/// Calls fn for each finished record, at most 131072. Discarded records are passed over.
/// flags: BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. Returns how many records fn saw, or -EINVAL unknown flags or a
/// position that makes no sense; -E2BIG a record larger than the ring; -EBUSY another drain is under way.
long user_ringbuf_drain(Map& map, UserRingbufCallback fn, void* data, std::uint64_t flags) noexcept;

/// Called after a drain that took records: a producer may wait for room. As ringbuf_set_wakeup().
void user_ringbuf_set_wakeup(Map& map, RingbufWakeup* wakeup) noexcept;

}  // namespace ring3::maps
