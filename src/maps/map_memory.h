// The memory of a map: of the heap, private pages, or a memfd that clients may map too.
//
// A shared memory's size is sealed, so that no client can cut it short and make the host fault. What a
// program may only read (BPF_F_RDONLY_PROG) no client ever maps writable: it is sealed against further
// writers from the start, the host's own mapping being the only writer, and becomes read-only for the
// host too when the map is frozen. That is what makes constants of a frozen map constant.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ring3/result.h"

namespace ring3::maps {

std::size_t page_bytes() noexcept;
/// Rounded up to pages.
constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) { return (n + to - 1) / to * to; }

/// No new writable mapping of a memfd, and no write(2), by anybody; existing mappings stay. -1: nothing to seal.
/// Errors: kNotSupp the machine's kernel cannot.
Result<void> seal_writes(int fd);
bool writes_sealed(int fd);

class MapMemory {
 public:
  MapMemory() = default;
  MapMemory(MapMemory&& o) noexcept;
  MapMemory& operator=(MapMemory&& o) noexcept;
  ~MapMemory();

  /// Zeroed. What fits in a page is the heap's, in cache lines of its own, so that a small map costs no mapping; more is pages.
  /// Errors: kNoMem.
  static Result<MapMemory> zeroed(std::uint64_t bytes);
  /// Zeroed pages, touched lazily: what can be protected. Errors: kNoMem.
  static Result<MapMemory> pages(std::uint64_t bytes);
  /// A memfd named bpf-map. Errors: kNoMem, kNFile, kMFile.
  static Result<MapMemory> shared(std::uint64_t bytes);

  std::byte* data() const { return data_; }
  std::uint64_t bytes() const { return bytes_; }  // whole cache lines of the heap's, else whole pages
  int fd() const { return fd_; }                  // -1: not shared

  Result<void> seal_writes() { return maps::seal_writes(fd_); }
  /// The host's own mapping becomes read-only. Not for memory of the heap.
  Result<void> protect();

 private:
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  int fd_ = -1;
  bool of_heap_ = false;
};

}  // namespace ring3::maps
