// struct_ops thunks: a plain C function pointer for one member of one instance. The thunk saves the
// caller's arguments as an array of 64-bit slots (narrow integers extended as declared, a struct of 9 to
// 16 bytes in two slots), calls its target with a data pointer and that array, and returns the result cut
// to the declared type.
//
// Threads: a thunk is called from any thread. Lifetime: the caller of a thunk must be inside a read section
// (or hold the instance), because the thunk's own last instructions run after the program's section
// has ended; ThunkSet::free_after_readers() relies on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "btf/btf.h"
#include "exec/code_memory.h"
#include "object/rcu.h"
#include "ring3/result.h"

namespace ring3::exec {

class ProgramEntry;
struct ProgramWay;

struct ThunkArg {
  std::uint8_t bytes = 8;   // 1 … 16; above 8 two slots
  bool is_signed = false;   // integers narrower than 8 bytes
  bool in_memory = false;   // a packed struct: on the stack, whatever registers are left
};

inline constexpr std::size_t kMaxThunkSlots = 12;

struct ThunkShape {
  std::vector<ThunkArg> args;
  std::uint8_t ret_bytes = 8;  // 0: void
  bool ret_signed = false;
  bool ret_bool = false;       // anything but 0 becomes 1: a bool of another value would be the host's undefined behaviour

  std::size_t slots() const;
};

/// The shape of a FUNC_PROTO. Errors: kNotSupp floating point, a struct result or a struct argument of more than
/// 16 bytes (or with floating point, or with nothing inside), variable arguments, more than kMaxThunkSlots slots, or a machine without thunks;
/// kInval no FUNC_PROTO.
Result<ThunkShape> thunk_shape(const btf::Btf& btf, btf::TypeId proto);

using ThunkTarget = std::uint64_t (*)(void* data, std::uint64_t* slots);

/// The thunks of one instance.
class ThunkSet {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kMaxPages = 8;

  /// memory outlives the set.
  explicit ThunkSet(CodeMemory& memory, std::size_t max_pages = kMaxPages);

  /// Makes a thunk: a C function of the given shape. data outlives the set.
  /// Errors: kTooBig the instance has used up its pages (behaviour.md A.4.2); kNoMem; kNotSupp see thunk_shape().
  Result<void*> add(const ThunkShape& shape, ThunkTarget target, void* data);
  /// A thunk that runs a program: its context is the array of slots.
  Result<void*> add(const ThunkShape& shape, const ProgramEntry& entry);

  std::size_t memory_bytes() const { return pages_.size() * kPageBytes; }

  /// Destroys a set once every read section open now has ended.
  static void free_after_readers(std::unique_ptr<ThunkSet> set) noexcept;

 private:
  Result<void*> add(const ThunkShape& shape, ThunkTarget target, void* data, const ProgramWay& way);

  CodeMemory& memory_;
  const std::size_t max_pages_;
  std::vector<CodeBlock> pages_;
  std::size_t used_ = kPageBytes;  // bytes of the last page
  struct Retired {
    rcu::Deferred node;  // first: the deferred call gets its address
    ThunkSet* set;
  } retired_{};
};

}  // namespace ring3::exec
