// Helper signatures as rows: helper_protos.def. Adding a helper adds a row, not a branch; what a call
// must satisfy is derived from the row's columns by call/ in the verifier.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/facts.h"

namespace ring3::model {

/// What a helper's argument must be.
enum class ArgKind : std::uint8_t {
  kNone,            // no such argument
  kAnything,        // any initialised value
  kScalar,          // a number
  kConstMapPtr,     // a map; later kMapKey/kMapValue arguments refer to it
  kMapKey,          // key_size readable bytes
  kMapValue,        // value_size bytes
  kMem,             // memory whose size is the next argument
  kFixedMem,        // `size` bytes
  kMemSize,         // size of the preceding memory: at least 1
  kMemSizeOrZero,
  kConstAllocSize,  // constant that sizes the returned memory
  kCtx,
  kConstStr,        // NUL-terminated string in a constant read-only map value
  kCallback,        // a static subprogram
  kStackPtr,        // pointer into the program's stack, or null
  kRingbufMem,      // memory from a reserve call
  kHostStruct,      // pointer to struct `btf_name`
  kSpinLock,
  kTimer,
  kKptr,
  kDynptr,
  kPercpuVar,
  kSocket,
};

enum ArgFlag : std::uint8_t {
  kArgMaybeNull = 1 << 0,
  kArgUninit = 1 << 1,     // helper writes it: uninitialised stack is fine
  kArgWrite = 1 << 2,      // helper writes it
  kArgRelease = 1 << 3,    // ends the reference
  kArgAligned = 1 << 4,    // naturally aligned to `size`
};

struct ArgSpec {
  ArgKind kind = ArgKind::kNone;
  std::uint8_t flags = 0;
  std::uint16_t size = 0;
  const char* btf_name = nullptr;
};
constexpr ArgSpec operator|(ArgSpec a, ArgFlag f) {
  a.flags = static_cast<std::uint8_t>(a.flags | f);
  return a;
}

enum class RetKind : std::uint8_t {
  kInteger,
  kVoid,
  kMapValue,
  kMapValueOrNull,
  kMemOrNull,          // size from the kConstAllocSize argument
  kRingbufMemOrNull,   // same, owned: must be submitted or discarded
  kHostStructTrusted,  // `ret_btf`
  kHostStructOrNull,
  kMemPercpuOrVar,     // per_cpu_ptr family
  kSocketOrNull,
  kSockCommonOrNull,
  kTcpSockOrNull,
  kKptrOrNull,
  kDynptrMemOrNull,
};

/// Groups of helpers a program kind may have; a bit each.
enum HelperSet : std::uint32_t {
  kSetBase = 1u << 0,         // every program, every caller
  kSetBpf = 1u << 1,          // every program, needs bpf rights
  kSetPerfmon = 1u << 2,      // every program, needs perfmon rights
  kSetTracing = 1u << 3,
  kSetSkb = 1u << 4,          // socket filters and all skb programs
  kSetTc = 1u << 5,
  kSetXdp = 1u << 6,
  kSetSyscall = 1u << 7,
  kSetSyscallPerfmon = 1u << 8,
  kSetTask = 1u << 9,         // current task and uid, cgroup and tracing kinds
  kSetSleepable = 1u << 10,   // sleepable programs of tracing kinds
  kSetKprobe = 1u << 11,
  kSetCookie = 1u << 12,
  kSetTrampoline = 1u << 13,  // fentry, fexit, LSM, struct_ops arguments
};

enum HelperFlag : std::uint16_t {
  kHelperGplOnly = 1 << 0,
  kHelperMaySleep = 1 << 1,
  kHelperPacketArgs = 1 << 2,     // takes packet memory
  kHelperChangesPacket = 1 << 3,  // invalidates packet pointers
  kHelperAcquires = 1 << 4,       // result is an owned reference
  kHelperTailCall = 1 << 5,
  kHelperLoops = 1 << 6,          // argument 1 counts iterations (bpf_loop)
  kHelperForEach = 1 << 7,        // callback per element of the map
  kHelperPercpu = 1 << 8,         // touches per-CPU state
  kHelperFastcall = 1 << 9,
};

struct HelperProto {
  std::uint32_t id = 0;           // enum bpf_func_id
  std::uint32_t sets = 0;
  RetKind ret = RetKind::kInteger;
  std::uint16_t flags = 0;
  const char* ret_btf = nullptr;
  ArgSpec args[5];
};

/// Null: the verifier knows no such helper (its number may still be a valid one; isa::helper_name()).
const HelperProto* find_helper(std::uint32_t id);
}  // namespace ring3::model
