// Memory for machine code: every byte is mapped twice, once writable and once executable, never both
// (docs/adr/0006-code-memory.md). Serves the thunks and every compiling tier of one runtime.
//
// Threads: all functions from any thread. Code is written once, before its address is given to anybody,
// and freed by destroying its block after readers; it is never changed in between.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "ring3/result.h"

namespace ring3::exec {

class CodeMemory;

/// Owns a piece of code memory. Moves; an empty block owns nothing.
class CodeBlock {
 public:
  CodeBlock() = default;
  CodeBlock(CodeBlock&& o) noexcept
      : memory_(std::exchange(o.memory_, nullptr)), rx_(o.rx_), rw_(o.rw_), bytes_(o.bytes_) {}
  CodeBlock& operator=(CodeBlock&& o) noexcept {
    std::swap(memory_, o.memory_);
    std::swap(rx_, o.rx_);
    std::swap(rw_, o.rw_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~CodeBlock();

  explicit operator bool() const { return memory_ != nullptr; }
  std::size_t bytes() const { return bytes_; }
  /// Where the code runs.
  void* executable() const { return rx_; }
  /// Copies code to byte `off` of the block and makes it visible to instruction fetch.
  /// Returns its executable address.
  void* write(std::size_t off, std::span<const std::byte> code) const noexcept;

 private:
  friend class CodeMemory;
  CodeMemory* memory_ = nullptr;
  void* rx_ = nullptr;
  void* rw_ = nullptr;
  std::size_t bytes_ = 0;
};

class CodeMemory {
 public:
  CodeMemory();
  ~CodeMemory();  // every block is gone by then
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  /// At least `bytes` bytes, aligned to 64, filled with trapping instructions. Errors: kNoMem, also where
  /// the system forbids executable mappings.
  Result<CodeBlock> allocate(std::size_t bytes);

 private:
  friend class CodeBlock;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ring3::exec
