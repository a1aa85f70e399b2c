// Arena. The memory is a memfd, mapped at the low 32 bits of the client's address inside a window of 4 GiB that
// starts at a multiple of 4 GiB. Which pages are taken is a bitmap for what programs allocated, and the file itself
// for what anybody touched.
#include "maps/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "maps/word_lock.h"

namespace ring3::maps {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{1} << 32;
constexpr std::uint64_t kGuard = 1u << 16;  // an instruction's offset reaches half of it

constexpr std::uint64_t low_half(std::uint64_t address) { return address & (kWindow - 1); }

/// Address space and file of an arena.
class ArenaMemory {
 public:
  ArenaMemory() = default;
  ArenaMemory(ArenaMemory&& o) noexcept
      : window_(std::exchange(o.window_, nullptr)), fd_(std::exchange(o.fd_, -1)), bytes_(o.bytes_) {}
  ArenaMemory& operator=(ArenaMemory&&) = delete;
  ~ArenaMemory() {
    if (window_) munmap(window_ - kGuard, kWindow + 2 * kGuard);
    if (fd_ >= 0) close(fd_);
  }

  static Result<ArenaMemory> make(std::uint64_t bytes) {
    ArenaMemory m;
    m.bytes_ = bytes;
    if (fault_point()) return Errno::kNoMem;
    m.fd_ = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m.fd_ < 0) return errno == EMFILE ? Errno::kMFile : errno == ENFILE ? Errno::kNFile : Errno::kNoMem;
    if (ftruncate(m.fd_, static_cast<off_t>(bytes)) != 0) return Errno::kNoMem;
    if (fcntl(m.fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) return Errno::kNoMem;
    if (fault_point()) return Errno::kNoMem;
    RING3_TRY(m.reserve());
    return m;
  }

  /// Puts the file at window + at; nowhere else any more.
  Result<void> place(std::uint64_t at) {
    void* whole = mmap(window_, kWindow, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (whole == MAP_FAILED) return Errno::kNoMem;
    void* p = mmap(window_ + at, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd_, 0);
    return p == MAP_FAILED ? Result<void>(Errno::kNoMem) : Result<void>();
  }

  std::byte* window() const { return window_; }
  std::uint64_t bytes() const { return bytes_; }
  int fd() const { return fd_; }

  /// Nobody has touched these bytes of the file since they were last given back.
  bool untouched(std::uint64_t off, std::uint64_t length) const noexcept {
    const off_t data = lseek(fd_, static_cast<off_t>(off), SEEK_DATA);
    return data < 0 ? errno == ENXIO : static_cast<std::uint64_t>(data) >= off + length;
  }
  /// All zero: touched by a program's stray load after they were given back, not used by anybody.
  bool zeros(std::uint64_t at, std::uint64_t length) const noexcept {
    const std::byte* const bytes = window_ + at;
    return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, length - 1) == 0;
  }
  void punch(std::uint64_t off, std::uint64_t length) const noexcept {
    fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(off), static_cast<off_t>(length));
  }
  std::uint64_t touched_bytes() const noexcept {
    struct stat st;
    return fstat(fd_, &st) == 0 ? static_cast<std::uint64_t>(st.st_blocks) * 512 : 0;
  }

 private:
  /// Address space for the window at a multiple of its size, and its guards.
  Result<void> reserve() {
    const std::uint64_t span = 2 * kWindow + 2 * kGuard;
    void* p = mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return Errno::kNoMem;
    auto* start = static_cast<std::byte*>(p);
    const auto first = reinterpret_cast<std::uintptr_t>(start) + kGuard;
    window_ = start + kGuard + (round_up(first, kWindow) - first);
    std::byte* keep = window_ - kGuard;
    std::byte* end = window_ + kWindow + kGuard;
    if (keep != start) munmap(start, static_cast<std::size_t>(keep - start));
    if (end != start + span) munmap(end, static_cast<std::size_t>(start + span - end));
    return {};
  }

  std::byte* window_ = nullptr;
  int fd_ = -1;
  std::uint64_t bytes_ = 0;
};

/// 64 pages: what programs allocated is charged page by page. What a client touched besides is charged when a program next
/// allocates or frees, and counts against it then: nobody is asked when a page is touched.
struct PageBits {
  std::uint64_t taken = 0;      // by programs
  std::uint64_t given_back = 0; // and not taken since
};

class ArenaMap final : public Map {
 public:
  ArenaMap(const MapSpec& spec, MapHost& host, ArenaMemory memory, std::unique_ptr<PageBits[]> pages)
      : Map(arena_ops, spec, host), memory_(std::move(memory)), pages_(std::move(pages)) {
    memory_fd_ = memory_.fd();
    mappable_bytes_ = memory_.bytes();
    host_view_ = {memory_.window(), kWindow};
  }

  /// While nobody else has the map.
  Result<void> start_at(std::uint64_t user) {
    RING3_TRY(memory_.place(low_half(user)));
    user_start_.store(user, std::memory_order_release);
    return {};
  }
  std::uint64_t default_start() const {
    // A pointer to the first page is not null, where that can be had.
    return window() + (memory_.bytes() <= kWindow - kGuard ? kGuard : 0);
  }
  Result<void> move(std::uint64_t user) {
    WordLockGuard guard(lock_);
    if (spec().extra != 0 || used_ || memory_.touched_bytes() != 0) return Errno::kBusy;
    return start_at(user);
  }

  void hold_start() noexcept {
    WordLockGuard guard(lock_);
    used_ = true;
  }

  std::uint64_t window() const { return reinterpret_cast<std::uint64_t>(memory_.window()); }
  std::uint64_t user_start() const { return user_start_.load(std::memory_order_acquire); }
  std::uint64_t touched_bytes() const { return memory_.touched_bytes(); }

  ~ArenaMap() override { host().memory().give_back(charged_); }

  std::uint64_t allocate(std::uint64_t at, std::uint32_t pages) noexcept;
  void give_back(std::uint64_t at, std::uint32_t pages) noexcept;

 private:
  /// Charges for that many bytes, or as many as the file has where that is more. False: too much, nothing changes.
  bool charge_for(std::uint64_t bytes) noexcept RING3_REQUIRES(lock_) {
    bytes = std::max(bytes, touched_bytes());
    if (bytes > charged_ && !host().memory().charge(bytes - charged_)) return false;
    if (bytes < charged_) host().memory().give_back(charged_ - bytes);
    charged_ = bytes;
    return true;
  }
  bool taken(std::uint32_t page) const RING3_REQUIRES(lock_) { return (pages_[page / 64].taken >> (page % 64) & 1) != 0; }
  bool free_run(std::uint32_t page, std::uint32_t pages) const RING3_REQUIRES(lock_) {
    for (std::uint32_t i = 0; i < pages; ++i)
      if (taken(page + i)) return false;
    if (memory_.untouched(page * page_bytes(), pages * page_bytes())) return true;
    // A load through a pointer that was freed brings a page of zeros back; nobody owns that.
    for (std::uint32_t i = page; i < page + pages; ++i) {
      if (memory_.untouched(i * page_bytes(), page_bytes())) continue;
      if (!given_back(i) || !memory_.zeros(low_half(user_start()) + i * page_bytes(), page_bytes())) return false;
    }
    return true;
  }
  bool given_back(std::uint32_t page) const RING3_REQUIRES(lock_) {
    return (pages_[page / 64].given_back >> (page % 64) & 1) != 0;
  }
  std::uint32_t page_of(std::uint64_t address) const {
    return static_cast<std::uint32_t>(low_half(address - user_start()) / page_bytes());
  }

  ArenaMemory memory_;
  std::atomic<std::uint64_t> user_start_{0};
  WordLock lock_;
  bool used_ RING3_GUARDED_BY(lock_) = false;
  std::uint32_t hint_ RING3_GUARDED_BY(lock_) = 0;  // no free page below it that was not passed over
  std::uint64_t taken_bytes_ RING3_GUARDED_BY(lock_) = 0;
  std::uint64_t charged_ = 0;  // with the lock held, or at the end
  const std::unique_ptr<PageBits[]> pages_;
};

ArenaMap& as_arena(Map& map) { return static_cast<ArenaMap&>(map); }
const ArenaMap& as_arena(const Map& map) { return static_cast<const ArenaMap&>(map); }

std::uint64_t ArenaMap::allocate(std::uint64_t at, std::uint32_t pages) noexcept {
  if (pages == 0 || pages > max_entries() || at % page_bytes() != 0) return 0;
  const std::uint32_t last = max_entries() - pages;
  WordLockGuard guard(lock_);
  used_ = true;
  std::uint32_t page = at != 0 ? page_of(at) : hint_;
  if (at != 0) {
    if (page > last || !free_run(page, pages)) return 0;
  } else {
    while (page <= last && !free_run(page, pages)) ++page;
    if (page > last) return 0;
  }
  const std::uint64_t bytes = pages * page_bytes();
  if (!charge_for(taken_bytes_ + bytes)) return 0;
  taken_bytes_ += bytes;
  if (at == 0 && pages == 1) hint_ = page + 1;
  for (std::uint32_t i = page; i < page + pages; ++i) {
    pages_[i / 64].taken |= std::uint64_t{1} << (i % 64);
    pages_[i / 64].given_back &= ~(std::uint64_t{1} << (i % 64));
  }
  return (user_start() & ~(kWindow - 1)) + low_half(user_start() + page * page_bytes());
}

void ArenaMap::give_back(std::uint64_t at, std::uint32_t pages) noexcept {
  at -= at % page_bytes();
  const std::uint32_t page = page_of(at);
  if (page >= max_entries()) return;
  if (pages > max_entries() - page) pages = max_entries() - page;
  if (pages == 0) return;
  WordLockGuard guard(lock_);
  for (std::uint32_t i = page; i < page + pages; ++i) {
    if (taken(i)) taken_bytes_ -= page_bytes();
    pages_[i / 64].taken &= ~(std::uint64_t{1} << (i % 64));
    pages_[i / 64].given_back |= std::uint64_t{1} << (i % 64);
  }
  memory_.punch(page * page_bytes(), pages * page_bytes());
  // More only if clients touched more: then it is charged as far as it fits.
  (void)charge_for(taken_bytes_);
  if (page < hint_) hint_ = page;
}

Result<void> check(const MapSpec& spec) {
  constexpr std::uint32_t kKnown = uapi::BPF_F_MMAPABLE | uapi::BPF_F_SEGV_ON_FAULT | uapi::BPF_F_NO_USER_CONV;
  const std::uint64_t bytes = std::uint64_t{spec.max_entries} * page_bytes();
  if (spec.key_size != 0 || spec.value_size != 0 || spec.max_entries == 0 ||
      (spec.flags & uapi::BPF_F_MMAPABLE) == 0 || (spec.flags & ~kKnown) != 0 || spec.extra % page_bytes() != 0)
    return Errno::kInval;
  if (bytes > kWindow) return Errno::kTooBig;
  if (low_half(spec.extra) + bytes > kWindow) return Errno::kRange;
  // A client's touch of a page nobody allocated cannot be told from another one.
  if (spec.flags & uapi::BPF_F_SEGV_ON_FAULT) return Errno::kNotSupp;
  return {};
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  ArenaMemory memory = RING3_TRY(ArenaMemory::make(std::uint64_t{spec.max_entries} * page_bytes()));
  if (fault_point()) return Errno::kNoMem;
  std::unique_ptr<PageBits[]> pages(new (std::nothrow) PageBits[(spec.max_entries + 63) / 64]());
  if (!pages || fault_point()) return Errno::kNoMem;
  auto map = Ref<ArenaMap>::adopt(new ArenaMap(spec, host, std::move(memory), std::move(pages)));
  RING3_TRY(map->start_at(spec.extra != 0 ? spec.extra : map->default_start()));
  return Ref<Map>(std::move(map));
}

Result<void> no_lookup(Map&, std::span<const std::byte>, std::span<std::byte>, std::uint64_t) { return Errno::kInval; }

std::uint64_t memory_bytes(const Map& m) { return sizeof(ArenaMap) + as_arena(m).touched_bytes(); }

/// The client's address: a program makes the host's of it, or hands it to a client as it is.
Result<std::uint64_t> direct_value(const Map& m, std::uint32_t off) {
  if (off > m.mappable_bytes()) return Errno::kRange;
  return arena_user_start(m) + off;
}

}  // namespace

std::uint64_t arena_window(const Map& map) noexcept { return as_arena(map).window(); }
std::uint64_t arena_user_start(const Map& map) noexcept { return as_arena(map).user_start(); }

void arena_hold_start(Map& map) noexcept { as_arena(map).hold_start(); }

Result<void> arena_set_user_start(Map& map, std::uint64_t address) {
  if (address == 0 || address % page_bytes() != 0 || low_half(address) + map.mappable_bytes() > kWindow)
    return Errno::kInval;
  return as_arena(map).move(address);
}

std::uint64_t arena_alloc_pages(Map& map, std::uint64_t at, std::uint32_t pages) noexcept {
  return as_arena(map).allocate(at, pages);
}

void arena_free_pages(Map& map, std::uint64_t at, std::uint32_t pages) noexcept { as_arena(map).give_back(at, pages); }

const MapOps arena_ops = {
    .type = uapi::BPF_MAP_TYPE_ARENA,
    .name = "arena",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = no_lookup,
                .memory_bytes = memory_bytes,
                .mappable = true},
    .data = {},
    .codegen = {.direct_value = direct_value},
};

}  // namespace ring3::maps
