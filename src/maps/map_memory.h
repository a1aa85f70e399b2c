// The memory of a map: private pages, or a memfd that clients may map too.
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

  /// Zeroed pages, touched lazily. Errors: kNoMem.
  static Result<MapMemory> anonymous(std::uint64_t bytes);
  /// A memfd named bpf-map. Errors: kNoMem, kNFile, kMFile.
  static Result<MapMemory> shared(std::uint64_t bytes);

  std::byte* data() const { return data_; }
  std::uint64_t bytes() const { return bytes_; }  // whole pages
  int fd() const { return fd_; }                  // -1: not shared

  Result<void> seal_writes() { return maps::seal_writes(fd_); }
  /// The host's own mapping becomes read-only.
  Result<void> protect();

 private:
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  int fd_ = -1;
};

}  // namespace ring3::maps
