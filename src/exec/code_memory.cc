// Code memory is made in regions: one anonymous file, mapped writable in one run and executable piece by piece, with a page
// that nobody can touch before and behind each piece. A jump or a read that leaves its piece faults. (A process may have only
// so many mappings: a host of more than kMostApart pieces gets such pages around the later regions only.)
//
// Pieces are whole pages, a power of two of them, and are used again. Unused bytes are traps. Where in its piece code
// begins differs from block to block: else the first lines of all programs would compete for one place in the cache.
#include "exec/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/mutex.h"
#include "base/owned_fd.h"
#include "base/try.h"

namespace ring3::exec {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kRegionPages = 16;  // of small pieces together; a larger piece is a region of its own
constexpr std::size_t kMostApart = 4096;
constexpr unsigned kClasses = 20;         // pieces of up to 2^19 pages
#if defined(__x86_64__)
constexpr int kTrap = 0xcc;
#else
constexpr int kTrap = 0;
#endif

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// A range of addresses that is given back as a whole.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* at, std::size_t bytes) : at_(at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at)), bytes_(bytes) {}
  Mapping(Mapping&& o) noexcept : at_(std::exchange(o.at_, nullptr)), bytes_(o.bytes_) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, bytes_);
  }
  std::byte* at() const { return at_; }

 private:
  std::byte* at_ = nullptr;
  std::size_t bytes_ = 0;
};

struct Region {
  Mapping writable, executable;
};

struct Piece {
  std::byte* rx = nullptr;
  std::byte* rw = nullptr;
};

/// The class of pieces for so many bytes.
unsigned class_of(std::size_t bytes) {
  return static_cast<unsigned>(std::bit_width((bytes + page_bytes() - 1) / page_bytes() - 1));
}

}  // namespace

struct CodeMemory::Impl {
  Mutex lock;
  std::vector<Region> regions RING3_GUARDED_BY(lock);
  std::array<std::vector<Piece>, kClasses> free RING3_GUARDED_BY(lock);
  std::size_t next_start RING3_GUARDED_BY(lock) = 0;
  std::size_t pieces RING3_GUARDED_BY(lock) = 0;

  /// Makes free pieces of a class.
  Result<void> grow(unsigned piece_class) RING3_REQUIRES(lock) {
    const std::size_t page = page_bytes(), piece_bytes = page << piece_class;
    const std::size_t count = std::max<std::size_t>(kRegionPages >> piece_class, 1);
    const OwnedFd file(::memfd_create("ring3-code", MFD_CLOEXEC));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(count * piece_bytes)) != 0) return Errno::kNoMem;
    const std::size_t stride = piece_bytes + (pieces < kMostApart ? page : 0);
    const std::size_t reserved = page + count * stride + page;
    Region region{
        {::mmap(nullptr, count * piece_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0), count * piece_bytes},
        {::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), reserved}};
    if (region.writable.at() == nullptr || region.executable.at() == nullptr) return Errno::kNoMem;
    std::vector<Piece> made;
    for (std::size_t i = 0; i < count; ++i) {
      // Neighbours of one file become one mapping.
      std::byte* const rx = region.executable.at() + page + i * stride;
      if (::mmap(rx, piece_bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, file.get(), static_cast<off_t>(i * piece_bytes)) == MAP_FAILED)
        return Errno::kNoMem;
      made.push_back({rx, region.writable.at() + i * piece_bytes});
    }
    // From here on nothing needs memory, nor does giving back.
    free[piece_class].reserve(free[piece_class].capacity() + count);
    regions.reserve(regions.size() + 1);
    free[piece_class].insert(free[piece_class].end(), made.rbegin(), made.rend());
    regions.push_back(std::move(region));
    pieces += count;
    return {};
  }
};

CodeMemory::CodeMemory() : impl_(std::make_unique<Impl>()) {}
CodeMemory::~CodeMemory() = default;

Result<CodeBlock> CodeMemory::allocate(std::size_t bytes) {
  if (fault_point()) return Errno::kNoMem;
  const unsigned piece_class = class_of(std::max<std::size_t>(bytes, 1));
  if (piece_class >= kClasses) return Errno::kNoMem;
  const std::size_t piece_bytes = page_bytes() << piece_class;
  Piece piece;
  std::size_t start = 0;
  {
    MutexLock lock(impl_->lock);
    if (impl_->free[piece_class].empty()) RING3_TRY(impl_->grow(piece_class));
    piece = impl_->free[piece_class].back();
    impl_->free[piece_class].pop_back();
    impl_->next_start += 5 * kAlign;  // by and by every place in a page
    // In the first page: the end of a block finds its piece by this.
    start = impl_->next_start % std::min(piece_bytes - (bytes + kAlign - 1) / kAlign * kAlign + kAlign, page_bytes());
  }
  std::memset(piece.rw, kTrap, piece_bytes);
  CodeBlock block;
  block.memory_ = this;
  block.rx_ = piece.rx + start;
  block.rw_ = piece.rw + start;
  block.bytes_ = bytes;
  return block;
}

CodeBlock::~CodeBlock() {
  if (memory_ == nullptr) return;
  const unsigned piece_class = class_of(std::max<std::size_t>(bytes_, 1));
  const std::size_t piece_bytes = page_bytes() << piece_class;
  const std::size_t start = reinterpret_cast<std::uintptr_t>(rx_) % page_bytes();
  const Piece piece{static_cast<std::byte*>(rx_) - start, static_cast<std::byte*>(rw_) - start};
  std::memset(piece.rw, kTrap, piece_bytes);
  MutexLock lock(memory_->impl_->lock);
  memory_->impl_->free[piece_class].push_back(piece);
}

void* CodeBlock::write(std::size_t off, std::span<const std::byte> code) const noexcept {
  RING3_CHECK(off <= bytes_ && code.size() <= bytes_ - off, "code fits its block");
  std::memcpy(static_cast<std::byte*>(rw_) + off, code.data(), code.size());
  std::byte* const at = static_cast<std::byte*>(rx_) + off;
  __builtin___clear_cache(reinterpret_cast<char*>(at), reinterpret_cast<char*>(at + code.size()));
  return at;
}

}  // namespace ring3::exec
