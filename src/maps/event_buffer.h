// Event buffers: what a perf event of type "BPF output" is in Linux, without the kernel. A client maps the memory
// (a page of positions, then the data) and reads records as from perf_event_open(2).
//
// The host's own position is private; the client's tail is read and bounded, never trusted. A record that finds no
// room is counted, and the next one that does is preceded by a record that says how many were lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "maps/map_memory.h"
#include "maps/ringbuf.h"
#include "maps/word_lock.h"
#include "object/object.h"

namespace ring3::maps {

class EventBuffer final : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kEvents;

  /// pages: of data, a power of two. Errors: kInval; kNoMem, kNFile, kMFile.
  static Result<Ref<EventBuffer>> make(ObjectTable& table, std::uint32_t pages, Birth birth = {});

  /// Uses the first `pages` pages of data only, for a client that maps no more. Before the first sample; the number it has is always fine.
  /// Errors: kInval no power of two, or more than there are; kBusy samples stand there already.
  Result<void> use_pages(std::uint32_t pages);
  /// Appends one sample made of up to three parts, one behind the other. 0; -ENOSPC no room; -E2BIG too long for a
  /// record. Never blocks; any thread.
  long output(std::span<const std::byte> data, std::span<const std::byte> more = {}, std::span<const std::byte> rest = {}) noexcept;

  int memory_fd() const { return memory_.fd(); }
  std::uint64_t memory_bytes() const { return memory_.bytes(); }
  /// As ringbuf_set_wakeup(): called after each record.
  void set_wakeup(RingbufWakeup* wakeup) noexcept { wakeup_.store(wakeup, std::memory_order_release); }
  /// Samples that found no room so far.
  std::uint64_t lost() const noexcept { return lost_total_.load(std::memory_order_relaxed); }

 private:
  EventBuffer(ObjectTable& table, Birth birth, MapMemory memory);

  std::atomic<std::uint64_t>& position(std::size_t off) const;
  std::uint64_t data_bytes() const { return data_bytes_.load(std::memory_order_relaxed); }
  bool has_room(std::uint64_t bytes) const noexcept RING3_REQUIRES(lock_);
  void append(const void* bytes, std::size_t size) noexcept RING3_REQUIRES(lock_);

  MapMemory memory_;
  std::atomic<std::uint64_t> data_bytes_;  // changes under the lock, before the first sample
  WordLock lock_;
  std::uint64_t head_ RING3_GUARDED_BY(lock_) = 0;
  std::uint64_t lost_ RING3_GUARDED_BY(lock_) = 0;
  std::atomic<std::uint64_t> lost_total_{0};
  std::atomic<RingbufWakeup*> wakeup_{nullptr};
};

/// bpf_perf_event_output on a perf event array: the slot is the low half of flags, BPF_F_CURRENT_CPU for the calling
/// slot's. 0, or -EINVAL unknown flags; -E2BIG no such slot, or too long; -ENOENT an empty slot; -ENOSPC no room.
/// Inside a read section.
long event_output(Map& map, std::uint64_t flags, std::span<const std::byte> data, std::span<const std::byte> more = {},
                  std::span<const std::byte> rest = {}) noexcept;

}  // namespace ring3::maps
