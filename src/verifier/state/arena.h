// Memory that is given back all at once, for what a walk keeps until it ends: a pointer is moved on, from chunk to chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

#include "verifier/chunk_cache.h"

namespace ring3::verifier {

class Arena final : public std::pmr::memory_resource {
 public:
  /// cache: where chunks come from and go to; null: the heap.
  explicit Arena(ChunkCache* cache = nullptr) : cache_(cache) {}
  ~Arena() override {
    for (ChunkCache::Chunk& chunk : cached_) cache_->give_back(std::move(chunk));
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Handed out so far.
  std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kFirstChunk = 4096;

  void* do_allocate(std::size_t size, std::size_t align) override {
    const std::size_t skip = (0 - reinterpret_cast<std::uintptr_t>(at_)) & (align - 1);
    if (size + skip > left_) return from_new_chunk(size, align);
    void* place = at_ + skip;
    at_ += skip + size;
    left_ -= skip + size;
    bytes_ += skip + size;
    return place;
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  void* from_new_chunk(std::size_t size, std::size_t align) {
    if (cache_ != nullptr && size + align <= ChunkCache::kChunkBytes) {
      cached_.push_back(cache_->take());
      at_ = cached_.back().get();
      left_ = ChunkCache::kChunkBytes;
      return do_allocate(size, align);
    }
    const std::size_t chunk = size + align > next_chunk_ ? size + align : next_chunk_;
    if (next_chunk_ < ChunkCache::kChunkBytes) next_chunk_ *= 2;
    chunks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[chunk]));
    at_ = chunks_.back().get();
    left_ = chunk;
    return do_allocate(size, align);
  }

  ChunkCache* cache_;
  std::vector<ChunkCache::Chunk> cached_;             // from there
  std::vector<std::unique_ptr<std::byte[]>> chunks_;  // from the heap
  std::byte* at_ = nullptr;                           // free from here on …
  std::size_t left_ = 0;                              // … in the last chunk
  std::size_t next_chunk_ = kFirstChunk;
  std::uint64_t bytes_ = 0;
};

}  // namespace ring3::verifier
