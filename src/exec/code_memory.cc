#include "exec/code_memory.h"

#include <asmjit/core.h>

#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"

namespace ring3::exec {

struct CodeMemory::Impl {
  static asmjit::JitAllocator::CreateParams params() {
    asmjit::JitAllocator::CreateParams p;
    p.options = asmjit::JitAllocatorOptions::kUseDualMapping | asmjit::JitAllocatorOptions::kFillUnusedMemory;
    return p;
  }
  asmjit::JitAllocator::CreateParams chosen = params();
  asmjit::JitAllocator allocator{&chosen};
};

CodeMemory::CodeMemory() : impl_(std::make_unique<Impl>()) {}
CodeMemory::~CodeMemory() = default;

Result<CodeBlock> CodeMemory::allocate(std::size_t bytes) {
  if (fault_point()) return Errno::kNoMem;
  CodeBlock block;
  if (impl_->allocator.alloc(&block.rx_, &block.rw_, bytes) != asmjit::kErrorOk) return Errno::kNoMem;
  // A writable address that is also the executable one would mean a page that is both.
  RING3_CHECK(block.rx_ != block.rw_, "code memory is mapped twice");
  block.memory_ = this;
  block.bytes_ = bytes;
  return block;
}

CodeBlock::~CodeBlock() {
  if (memory_ != nullptr) memory_->impl_->allocator.release(rx_);
}

void* CodeBlock::write(std::size_t off, std::span<const std::byte> code) const noexcept {
  RING3_CHECK(off <= bytes_ && code.size() <= bytes_ - off, "code fits its block");
  std::memcpy(static_cast<std::byte*>(rw_) + off, code.data(), code.size());
  void* const at = static_cast<std::byte*>(rx_) + off;
  asmjit::VirtMem::flushInstructionCache(at, code.size());
  return at;
}

}  // namespace ring3::exec
