// Ring buffers as the helpers of programs use them.
//
// Several producers: a reservation holds the ring's lock for a few stores, records are filled in parallel and
// become visible to the consumer in the order of reservation. Positions the host relies on are private; the
// shared pages only publish them. A client that writes what it should not spoils its own records, nothing else.
//
// Source: bpf_ringbuf_* in bpf-helpers(7). All functions never block; programs call them inside read sections.
#pragma once

#include <cstdint>

#include "maps/map.h"

namespace ring3::maps {

/// Room for one record of `size` bytes, 8-byte aligned; null: no room, size too large, or flags not 0. Must end
/// with submit or discard.
void* ringbuf_reserve(Map& map, std::uint64_t size, std::uint64_t flags) noexcept;
/// sample: from ringbuf_reserve. flags: BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP.
void ringbuf_submit(void* sample, std::uint64_t flags) noexcept;
void ringbuf_discard(void* sample, std::uint64_t flags) noexcept;
/// Reserve, copy, submit. 0; -EINVAL unknown flags; -EAGAIN no room.
long ringbuf_output(Map& map, const void* data, std::uint64_t size, std::uint64_t flags) noexcept;
/// what: BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS; anything else gives 0.
std::uint64_t ringbuf_query(Map& map, std::uint64_t what) noexcept;

/// Called after each record that should wake a consumer, on the program's thread: must not block.
/// Every submit or discard wakes unless BPF_RB_NO_WAKEUP is set: consumers wait on a stand-in descriptor that is
/// edge triggered, for which waking only a consumer that had caught up would lose wake-ups.
struct RingbufWakeup {
  void (*wake)(RingbufWakeup*) noexcept = nullptr;
};
/// wakeup: null for none; stays valid until a grace period after it was replaced.
void ringbuf_set_wakeup(Map& map, RingbufWakeup* wakeup) noexcept;

}  // namespace ring3::maps
