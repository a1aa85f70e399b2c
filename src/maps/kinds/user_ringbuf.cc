// User ring buffer. The memory is that of a ring buffer with the roles exchanged: the client moves the producer's
// position, the host the consumer's. A record's header lies at its position modulo the size; its sample starts
// behind the header, modulo the size again, and goes on past the end of the first half in one piece.
#include "maps/user_ringbuf.h"

#include <atomic>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/ring_attr.h"
#include "maps/map_memory.h"
#include "maps/ring_memory.h"
#include "object/tsan.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kBusy = uapi::BPF_RINGBUF_BUSY_BIT;
constexpr std::uint32_t kDiscard = uapi::BPF_RINGBUF_DISCARD_BIT;
constexpr std::uint64_t kHeader = uapi::BPF_RINGBUF_HDR_SZ;
constexpr int kMaxRecords = 128 * 1024;
constexpr std::uint32_t kMaxDynptr = (1u << 24) - 1;

class UserRingbufMap final : public Map {
 public:
  UserRingbufMap(const MapSpec& spec, MapHost& host, RingMemory memory)
      : Map(user_ringbuf_ops, spec, host), memory_(std::move(memory)) {
    memory_fd_ = memory_.fd();
    mappable_bytes_ = memory_.shared_bytes();
    host_view_ = memory_.view();
  }

  long drain(UserRingbufCallback fn, void* data, std::uint64_t flags) noexcept;

  std::atomic<RingbufWakeup*> wakeup{nullptr};

 private:
  enum class Found { kRecord, kDiscarded, kNothing, kBadPosition, kTooLarge };
  struct Record {
    std::uint64_t at, total;
    std::uint32_t size;
  };
  Found next(Record& record) const noexcept;
  void release(const Record& record) noexcept {
    consumer_ = record.at + record.total;
    memory_.consumer_pos().store(consumer_, std::memory_order_release);
  }

  RingMemory memory_;
  std::atomic<bool> draining_{false};
  std::uint64_t consumer_ = 0;  // of whoever set draining_
};

UserRingbufMap& as_ring(Map& map) { return static_cast<UserRingbufMap&>(map); }

UserRingbufMap::Found UserRingbufMap::next(Record& record) const noexcept {
  const std::uint64_t produced = memory_.producer_pos().load(std::memory_order_acquire);
  if (produced % 8 != 0) return Found::kBadPosition;
  if (produced <= consumer_) return Found::kNothing;
  const std::uint64_t mask = memory_.data_bytes() - 1;
  const auto& header = *reinterpret_cast<std::atomic<std::uint32_t>*>(memory_.data() + (consumer_ & mask));
  const std::uint32_t len = header.load(std::memory_order_acquire);
  tsan_acquire(memory_.data());
  record.at = consumer_;
  record.size = len & ~(kBusy | kDiscard);
  record.total = round_up(record.size + kHeader, 8);
  if (record.total > produced - consumer_) return Found::kBadPosition;
  if (record.total > memory_.data_bytes() || record.size > kMaxDynptr) return Found::kTooLarge;
  if (len & kDiscard) return Found::kDiscarded;
  return len & kBusy ? Found::kNothing : Found::kRecord;
}

long UserRingbufMap::drain(UserRingbufCallback fn, void* data, std::uint64_t flags) noexcept {
  if (flags & ~std::uint64_t{uapi::BPF_RB_NO_WAKEUP | uapi::BPF_RB_FORCE_WAKEUP}) return to_syscall(Errno::kInval);
  if (draining_.exchange(true, std::memory_order_acquire)) return to_syscall(Errno::kBusy);
  long seen = 0;
  bool stop = false;
  for (int i = 0; i < kMaxRecords && !stop; ++i) {
    Record record;
    switch (next(record)) {
      case Found::kNothing: stop = true; break;
      case Found::kDiscarded: release(record); break;
      case Found::kBadPosition:
        draining_.store(false, std::memory_order_release);
        return to_syscall(Errno::kInval);
      case Found::kTooLarge:
        draining_.store(false, std::memory_order_release);
        return to_syscall(Errno::kTooBig);
      case Found::kRecord:
        ++seen;
        stop = fn(memory_.data() + ((record.at + kHeader) & (memory_.data_bytes() - 1)), record.size, data) != 0;
        release(record);
        break;
    }
  }
  draining_.store(false, std::memory_order_release);
  const bool wake = (flags & uapi::BPF_RB_FORCE_WAKEUP) != 0 || (seen != 0 && (flags & uapi::BPF_RB_NO_WAKEUP) == 0);
  RingbufWakeup* w = wakeup.load(std::memory_order_acquire);
  if (wake && w) w->wake(w);
  return seen;
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  RingMemory memory = RING3_TRY(RingMemory::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new UserRingbufMap(spec, host, std::move(memory)));
}

std::uint64_t memory_bytes(const Map& m) { return sizeof(UserRingbufMap) + m.mappable_bytes() + page_bytes(); }

}  // namespace

long user_ringbuf_drain(Map& map, UserRingbufCallback fn, void* data, std::uint64_t flags) noexcept {
  return as_ring(map).drain(fn, data, flags);
}

void user_ringbuf_set_wakeup(Map& map, RingbufWakeup* w) noexcept {
  as_ring(map).wakeup.store(w, std::memory_order_release);
}

const MapOps user_ringbuf_ops = {
    .type = uapi::BPF_MAP_TYPE_USER_RINGBUF,
    .name = "user_ringbuf",
    .control = {.check = check_ring_attr,
                .create = create,
                .memory_bytes = memory_bytes,
                .mappable = true,
                .missing = Errno::kNotSupp},
    .data = {},
    .codegen = {},
};

}  // namespace ring3::maps
