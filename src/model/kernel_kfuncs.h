// The functions Linux 6.12 offers to programs, as rows: kernel_kfuncs.def. They serve verification against a kernel's
// own BTF, and a host that offers some of them under the kernel's names; nothing here makes them callable.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/facts.h"

namespace ring3::model {

/// What the verifier does for a function beyond what its flags and prototype say.
enum class KfuncSpecial : std::uint8_t {
  kNone,
  kObjNew,           // result is an object of the program's BTF type that constant argument 1 names
  kPercpuObjNew,     // same, one per CPU: plain scalars only, 512 bytes at most
  kObjDrop,          // ends an object
  kPercpuObjDrop,
  kRefcountAcquire,  // another reference to a counted object
  kListPush,         // takes ownership of a node, leaves a non-owning reference
  kListPop,          // result is the object around the node
  kRbtreeAdd,        // like kListPush, with a callback that compares
  kRbtreeRemove,     // like kListPop; argument 2 is a non-owning reference
  kRbtreeFirst,      // result is a non-owning reference
  kRcuLock,
  kRcuUnlock,
  kPreemptDisable,
  kPreemptEnable,
  kCastToKernCtx,    // result is the kernel's struct behind the context
  kRdonlyCast,       // result is an untrusted pointer to the type constant argument 2 names
  kDynptrFromSkb,
  kDynptrFromXdp,
  kDynptrSlice,      // result is memory of constant size, read-only unless the name ends in _rdwr
  kDynptrClone,
  kThrow,            // ends the program
  kWqInit,
  kWqSetCallback,    // callback runs later and may sleep
  kIteratorsOnly,    // of tracing programs only iterators call it
  kIterCssTask,      // only LSM and iterator programs, or sleepable ones
  kSession,          // of probes that run before and after a function: only programs of such
  kMapStruct,        // argument 1 is a map, also where an iterator shows it as the host's struct
  kArena,            // result and argument 2 are addresses in the arena of argument 1
};

struct KernelKfunc {
  std::string_view name;
  std::uint32_t flags;       // KfuncFlag bits
  std::uint64_t prog_types;  // bit per enum bpf_prog_type
  KfuncSpecial special;
};

std::span<const KernelKfunc> kernel_kfuncs();
/// Null: Linux 6.12 has no such function.
const KernelKfunc* find_kernel_kfunc(std::string_view name);

/// Structs whose pointers in other structs stay valid for a read section although no tag says so.
bool is_rcu_protected_type(std::string_view struct_name);

}  // namespace ring3::model
