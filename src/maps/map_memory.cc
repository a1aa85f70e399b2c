#include "maps/map_memory.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/fault_point.h"

// Since Linux 5.1; the C library's headers may be older than that.
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace ring3::maps {
namespace {

constexpr std::uint64_t kHugePage = 2u << 20;
constexpr std::uint64_t kCacheLine = 64;

Errno memory_errno(int e) {
  switch (e) {
    case EMFILE: return Errno::kMFile;
    case ENFILE: return Errno::kNFile;
    default: return Errno::kNoMem;
  }
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

MapMemory::MapMemory(MapMemory&& o) noexcept
    : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)), fd_(std::exchange(o.fd_, -1)), of_heap_(std::exchange(o.of_heap_, false)) {}

MapMemory& MapMemory::operator=(MapMemory&& o) noexcept {
  std::swap(data_, o.data_);
  std::swap(bytes_, o.bytes_);
  std::swap(fd_, o.fd_);
  std::swap(of_heap_, o.of_heap_);
  return *this;
}

MapMemory::~MapMemory() {
  if (of_heap_) std::free(data_);
  else if (data_) munmap(data_, bytes_);
  if (fd_ >= 0) close(fd_);
}

Result<MapMemory> MapMemory::zeroed(std::uint64_t bytes) {
  if (bytes > page_bytes()) return pages(bytes);
  if (fault_point()) return Errno::kNoMem;
  MapMemory m;
  m.bytes_ = round_up(bytes, kCacheLine);
  m.data_ = static_cast<std::byte*>(std::aligned_alloc(kCacheLine, m.bytes_));
  if (m.data_ == nullptr) return Errno::kNoMem;
  m.of_heap_ = true;
  std::memset(m.data_, 0, m.bytes_);
  return m;
}

Result<MapMemory> MapMemory::pages(std::uint64_t bytes) {
  MapMemory m;
  m.bytes_ = round_up(bytes, page_bytes());
  if (m.bytes_ < bytes || fault_point()) return Errno::kNoMem;
  // Large memory starts where huge pages do and may use them: a lookup then rarely misses in the TLB.
  const std::uint64_t slack = m.bytes_ >= kHugePage ? kHugePage : 0;
  void* p = mmap(nullptr, m.bytes_ + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return Errno::kNoMem;
  auto* start = static_cast<std::byte*>(p);
  m.data_ = start;
  if (slack != 0) {
    const auto at = reinterpret_cast<std::uintptr_t>(start);
    const std::uint64_t skip = round_up(at, kHugePage) - at;
    m.data_ = start + skip;
    if (skip != 0) munmap(start, skip);
    if (skip != slack) munmap(m.data_ + m.bytes_, slack - skip);
    madvise(m.data_, m.bytes_, MADV_HUGEPAGE);  // a wish
  }
  return m;
}

Result<MapMemory> MapMemory::shared(std::uint64_t bytes) {
  MapMemory m;
  m.bytes_ = round_up(bytes, page_bytes());
  if (m.bytes_ < bytes || fault_point()) return Errno::kNoMem;
  m.fd_ = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (m.fd_ < 0) return memory_errno(errno);
  if (ftruncate(m.fd_, static_cast<off_t>(m.bytes_)) != 0) return Errno::kNoMem;
  if (fault_point()) return Errno::kNoMem;
  void* p = mmap(nullptr, m.bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd_, 0);
  if (p == MAP_FAILED) return Errno::kNoMem;
  m.data_ = static_cast<std::byte*>(p);
  if (fcntl(m.fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) return memory_errno(errno);
  return m;
}

Result<void> seal_writes(int fd) {
  if (fd < 0) return {};
  // Without this seal a client could change what the verifier took for constant: refuse, never go on.
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0) return Errno::kNotSupp;
  return {};
}

bool writes_sealed(int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_FUTURE_WRITE) != 0;
}

Result<void> MapMemory::protect() {
  if (mprotect(data_, bytes_, PROT_READ) != 0) return Errno::kNoMem;
  return {};
}

}  // namespace ring3::maps
