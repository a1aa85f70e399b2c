#include "maps/event_buffer.h"

#include <bit>
#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"

namespace ring3::maps {
namespace {

// Layout of the first page (struct perf_event_mmap_page) and of records, as perf_event_open(2) has them.
constexpr std::size_t kHeadOff = 1024, kTailOff = 1032, kDataOffsetOff = 1040, kDataSizeOff = 1048;
constexpr std::uint32_t kRecordLost = 2, kRecordSample = 9;

struct RecordHeader {
  std::uint32_t type;
  std::uint16_t misc, size;
};
struct LostRecord {
  RecordHeader header;
  std::uint64_t id, lost;
};

}  // namespace

EventBuffer::EventBuffer(ObjectTable& table, Birth birth, MapMemory memory)
    : Object(kKind, table, birth), memory_(std::move(memory)), data_bytes_(memory_.bytes() - page_bytes()) {
  position(kDataOffsetOff).store(page_bytes(), std::memory_order_relaxed);
  position(kDataSizeOff).store(data_bytes(), std::memory_order_relaxed);
}

Result<Ref<EventBuffer>> EventBuffer::make(ObjectTable& table, std::uint32_t pages, Birth birth) {
  if (!std::has_single_bit(pages)) return Errno::kInval;
  MapMemory memory = RING3_TRY(MapMemory::shared((std::uint64_t{pages} + 1) * page_bytes()));
  if (fault_point()) return Errno::kNoMem;
  return Ref<EventBuffer>::adopt(new EventBuffer(table, birth, std::move(memory)));
}

std::atomic<std::uint64_t>& EventBuffer::position(std::size_t off) const {
  return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.data() + off);
}

Result<void> EventBuffer::use_pages(std::uint32_t pages) {
  const std::uint64_t bytes = std::uint64_t{pages} * page_bytes();
  if (!std::has_single_bit(pages) || bytes > memory_.bytes() - page_bytes()) return Errno::kInval;
  WordLockGuard guard(lock_);
  if (bytes == data_bytes()) return {};
  if (head_ != 0) return Errno::kBusy;
  data_bytes_.store(bytes, std::memory_order_relaxed);
  position(kDataSizeOff).store(bytes, std::memory_order_release);
  return {};
}

bool EventBuffer::has_room(std::uint64_t bytes) const noexcept {
  // A tail that makes no sense reads as a full buffer.
  const std::uint64_t used = head_ - position(kTailOff).load(std::memory_order_acquire);
  return used <= data_bytes() && bytes <= data_bytes() - used;
}

void EventBuffer::append(const void* bytes, std::size_t size) noexcept {
  if (size == 0) return;
  const std::uint64_t at = head_ & (data_bytes() - 1);
  std::byte* data = memory_.data() + page_bytes();
  const std::size_t first = size < data_bytes() - at ? size : data_bytes() - at;
  std::memcpy(data + at, bytes, first);
  std::memcpy(data, static_cast<const std::byte*>(bytes) + first, size - first);
  head_ += size;
}

long EventBuffer::output(std::span<const std::byte> data, std::span<const std::byte> more, std::span<const std::byte> rest) noexcept {
  const std::uint64_t raw = data.size() + more.size() + rest.size();
  const std::uint64_t padded = round_up(raw + sizeof(std::uint32_t), 8);
  const std::uint64_t total = sizeof(RecordHeader) + padded;
  if (total > 0xffff) return to_syscall(Errno::kTooBig);
  {
    WordLockGuard guard(lock_);
    const std::uint64_t notice = lost_ != 0 ? sizeof(LostRecord) : 0;
    if (!has_room(notice + total)) {
      ++lost_;
      lost_total_.fetch_add(1, std::memory_order_relaxed);
      return to_syscall(Errno::kNoSpc);
    }
    if (notice != 0) {
      const LostRecord lost{{kRecordLost, 0, sizeof(LostRecord)}, 0, lost_};
      append(&lost, sizeof lost);
      lost_ = 0;
    }
    const RecordHeader header{kRecordSample, 0, static_cast<std::uint16_t>(total)};
    const auto size = static_cast<std::uint32_t>(padded - sizeof(std::uint32_t));
    constexpr std::byte kPadding[8] = {};
    append(&header, sizeof header);
    append(&size, sizeof size);
    append(data.data(), data.size());
    append(more.data(), more.size());
    append(rest.data(), rest.size());
    append(kPadding, size - raw);
    position(kHeadOff).store(head_, std::memory_order_release);
  }
  if (RingbufWakeup* w = wakeup_.load(std::memory_order_acquire)) w->wake(w);
  return 0;
}

}  // namespace ring3::maps
