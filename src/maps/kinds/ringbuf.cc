// Ring buffer. A record is a header of two words (length with two flag bits; a word Linux uses for itself, 0
// here) and the sample, rounded up to 8. It starts at its position modulo the size and goes on past the end of
// the first half when it must; what lies past the end is copied to the start before the record becomes
// visible, for consumers that wrap the start of the sample by themselves.
#include "maps/ringbuf.h"

#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/ring_attr.h"
#include "maps/map_memory.h"
#include "maps/ring_memory.h"
#include "maps/word_lock.h"
#include "object/tsan.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kBusy = uapi::BPF_RINGBUF_BUSY_BIT;
constexpr std::uint32_t kDiscard = uapi::BPF_RINGBUF_DISCARD_BIT;
constexpr std::uint64_t kHeader = uapi::BPF_RINGBUF_HDR_SZ;
constexpr std::uint64_t kMaxRecord = 0xffffffff / 4;

struct Header {
  std::atomic<std::uint32_t> len;
  std::uint32_t unused;
};
static_assert(sizeof(Header) == kHeader);

class RingbufMap final : public Map {
 public:
  RingbufMap(const MapSpec& spec, MapHost& host, RingMemory memory)
      : Map(ringbuf_ops, spec, host), memory_(std::move(memory)) {
    memory_.set_owner(this);
    memory_fd_ = memory_.fd();
    mappable_bytes_ = memory_.shared_bytes();
    host_view_ = memory_.view();
  }

  std::uint64_t size() const { return memory_.data_bytes(); }
  std::uint64_t consumer() const { return memory_.consumer_pos().load(std::memory_order_acquire); }
  std::uint64_t producer() const { return producer_.load(std::memory_order_acquire); }

  void* reserve(std::uint64_t size) noexcept;
  void commit(void* sample, std::uint64_t flags, bool discard) noexcept;

  std::atomic<RingbufWakeup*> wakeup{nullptr};

 private:
  RingMemory memory_;
  WordLock lock_;  // order of reservations
  std::atomic<std::uint64_t> producer_{0};
};

RingbufMap& as_ring(Map& map) { return static_cast<RingbufMap&>(map); }

void* RingbufMap::reserve(std::uint64_t bytes) noexcept {
  if (bytes > kMaxRecord) return nullptr;
  const std::uint64_t total = round_up(bytes + kHeader, 8);
  if (total > size()) return nullptr;
  WordLockGuard guard(lock_);
  const std::uint64_t at = producer_.load(std::memory_order_relaxed);
  // A consumer's position that makes no sense reads as a full ring.
  if (at + total - consumer() > size() - 1) return nullptr;
  // The consumer, in another process as a rule, orders what was in this place before what will be.
  tsan_acquire(this);
  auto* header = reinterpret_cast<Header*>(memory_.data() + (at & (size() - 1)));
  header->unused = 0;
  header->len.store(static_cast<std::uint32_t>(bytes) | kBusy, std::memory_order_relaxed);
  producer_.store(at + total, std::memory_order_release);
  memory_.producer_pos().store(at + total, std::memory_order_release);
  return header + 1;
}

void RingbufMap::commit(void* sample, std::uint64_t flags, bool discard) noexcept {
  auto* header = static_cast<Header*>(sample) - 1;
  const auto start = static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(header) - memory_.data());
  // The length comes back from shared memory: whatever it says now, the copy stays inside the ring.
  std::uint64_t len = header->len.load(std::memory_order_relaxed) & ~(kBusy | kDiscard);
  if (len > size() - kHeader) len = size() - kHeader;
  const std::uint64_t end = start + kHeader + len;
  if (!discard && end > size()) std::memcpy(memory_.data(), memory_.data() + size(), end - size());
  tsan_release(this);
  {
    const TsanHandOver last_access;
    header->len.store(static_cast<std::uint32_t>(len) | (discard ? kDiscard : 0), std::memory_order_release);
  }
  if (flags & uapi::BPF_RB_NO_WAKEUP) return;
  if (RingbufWakeup* w = wakeup.load(std::memory_order_acquire)) w->wake(w);
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  RingMemory memory = RING3_TRY(RingMemory::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new RingbufMap(spec, host, std::move(memory)));
}

std::uint64_t memory_bytes(const Map& m) { return sizeof(RingbufMap) + m.mappable_bytes() + page_bytes(); }

}  // namespace

void* ringbuf_reserve(Map& map, std::uint64_t size, std::uint64_t flags) noexcept {
  return flags == 0 ? as_ring(map).reserve(size) : nullptr;
}

void ringbuf_submit(void* sample, std::uint64_t flags) noexcept {
  static_cast<RingbufMap*>(RingMemory::owner_of(sample))->commit(sample, flags, false);
}

void ringbuf_discard(void* sample, std::uint64_t flags) noexcept {
  static_cast<RingbufMap*>(RingMemory::owner_of(sample))->commit(sample, flags, true);
}

long ringbuf_output(Map& map, const void* data, std::uint64_t size, std::uint64_t flags) noexcept {
  if (flags & ~std::uint64_t{uapi::BPF_RB_NO_WAKEUP | uapi::BPF_RB_FORCE_WAKEUP}) return to_syscall(Errno::kInval);
  void* sample = as_ring(map).reserve(size);
  if (!sample) return to_syscall(Errno::kAgain);
  std::memcpy(sample, data, size);
  as_ring(map).commit(sample, flags, false);
  return 0;
}

std::uint64_t ringbuf_query(Map& map, std::uint64_t what) noexcept {
  const RingbufMap& ring = as_ring(map);
  switch (what) {
    case uapi::BPF_RB_AVAIL_DATA: return ring.producer() - ring.consumer();
    case uapi::BPF_RB_RING_SIZE: return ring.size();
    case uapi::BPF_RB_CONS_POS: return ring.consumer();
    case uapi::BPF_RB_PROD_POS: return ring.producer();
    default: return 0;
  }
}

void ringbuf_set_wakeup(Map& map, RingbufWakeup* wakeup) noexcept {
  as_ring(map).wakeup.store(wakeup, std::memory_order_release);
}

const MapOps ringbuf_ops = {
    .type = uapi::BPF_MAP_TYPE_RINGBUF,
    .name = "ringbuf",
    .control = {.check = check_ring_attr,
                .create = create,
                .memory_bytes = memory_bytes,
                .mappable = true,
                .missing = Errno::kNotSupp},
    .data = {},
    .codegen = {},
};

}  // namespace ring3::maps
