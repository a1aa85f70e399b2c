// The memory of a ring: a page for the consumer's position, a page for the producer's, the data, and room for
// as much again, so that a record that starts near the end goes on in one piece. Clients map this memfd;
// libbpf and others read it exactly so.
//
// A pointer into the data finds its ring (a submit names only the record): the memory stands at the start of
// an aligned window of address space, after one private page that says which ring it is. Nothing in the
// shared part is trusted, because clients can write it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ring3/result.h"

namespace ring3::maps {

class RingMemory {
 public:
  RingMemory() = default;
  RingMemory(RingMemory&& o) noexcept;
  RingMemory& operator=(RingMemory&&) = delete;
  ~RingMemory();

  /// data_bytes: a power of two and whole pages. Errors: kNoMem, kNFile, kMFile.
  static Result<RingMemory> make(std::uint64_t data_bytes);

  std::atomic<std::uint64_t>& consumer_pos() const { return *consumer_pos_; }
  std::atomic<std::uint64_t>& producer_pos() const { return *producer_pos_; }
  std::byte* data() const { return data_; }
  std::uint64_t data_bytes() const { return data_bytes_; }
  std::uint64_t shared_bytes() const;
  int fd() const { return fd_; }
  /// The shared part, where this process has it.
  std::span<const std::byte> view() const { return {reinterpret_cast<const std::byte*>(consumer_pos_), shared_bytes()}; }

  /// What owner_of() finds.
  void set_owner(void* owner) { *reinterpret_cast<void**>(window_) = owner; }
  /// The owner of the ring that `inside` points into.
  static void* owner_of(const void* inside);

 private:
  std::byte* window_ = nullptr;
  std::atomic<std::uint64_t>* consumer_pos_ = nullptr;
  std::atomic<std::uint64_t>* producer_pos_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t data_bytes_ = 0;
  int fd_ = -1;
};

}  // namespace ring3::maps
