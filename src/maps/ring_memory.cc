#include "maps/ring_memory.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/fault_point.h"
#include "maps/map_memory.h"

namespace ring3::maps {
namespace {

// The largest ring: 2^31 bytes of data, twice, and three pages.
constexpr std::uint64_t kWindow = std::uint64_t{8} << 30;

/// Address space for `bytes` at a multiple of kWindow; not accessible yet. Null when there is none.
std::byte* reserve_window(std::uint64_t bytes) {
  const std::uint64_t span = kWindow + bytes;
  void* p = mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::byte*>(p);
  const std::uint64_t skip = round_up(reinterpret_cast<std::uintptr_t>(start), kWindow) -
                             reinterpret_cast<std::uintptr_t>(start);
  std::byte* window = start + skip;
  if (skip != 0) munmap(start, skip);
  if (kWindow - skip != 0) munmap(window + bytes, kWindow - skip);
  return window;
}

}  // namespace

std::uint64_t RingMemory::shared_bytes() const { return 2 * page_bytes() + 2 * data_bytes_; }

RingMemory::RingMemory(RingMemory&& o) noexcept
    : window_(std::exchange(o.window_, nullptr)),
      consumer_pos_(o.consumer_pos_),
      producer_pos_(o.producer_pos_),
      data_(o.data_),
      data_bytes_(std::exchange(o.data_bytes_, 0)),
      fd_(std::exchange(o.fd_, -1)) {}

RingMemory::~RingMemory() {
  if (window_) munmap(window_, page_bytes() + shared_bytes());
  if (fd_ >= 0) close(fd_);
}

Result<RingMemory> RingMemory::make(std::uint64_t data_bytes) {
  RingMemory m;
  m.data_bytes_ = data_bytes;
  if (fault_point()) return Errno::kNoMem;
  m.fd_ = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (m.fd_ < 0) return errno == EMFILE ? Errno::kMFile : errno == ENFILE ? Errno::kNFile : Errno::kNoMem;
  if (ftruncate(m.fd_, static_cast<off_t>(m.shared_bytes())) != 0) return Errno::kNoMem;
  if (fcntl(m.fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) return Errno::kNoMem;
  if (fault_point()) return Errno::kNoMem;
  m.window_ = reserve_window(page_bytes() + m.shared_bytes());
  if (!m.window_) return Errno::kNoMem;
  if (mprotect(m.window_, page_bytes(), PROT_READ | PROT_WRITE) != 0) return Errno::kNoMem;
  void* shared = mmap(m.window_ + page_bytes(), m.shared_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                      m.fd_, 0);
  if (shared == MAP_FAILED) return Errno::kNoMem;
  m.consumer_pos_ = reinterpret_cast<std::atomic<std::uint64_t>*>(m.window_ + page_bytes());
  m.producer_pos_ = reinterpret_cast<std::atomic<std::uint64_t>*>(m.window_ + 2 * page_bytes());
  m.data_ = m.window_ + 3 * page_bytes();
  return m;
}

void* RingMemory::owner_of(const void* inside) {
  const std::uintptr_t window = reinterpret_cast<std::uintptr_t>(inside) & ~(std::uintptr_t{kWindow} - 1);
  return *reinterpret_cast<void**>(window);
}

}  // namespace ring3::maps
