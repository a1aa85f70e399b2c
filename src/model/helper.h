// Helper signatures as rows: helper_protos.def. Adding a helper adds a row, not a branch; what a call
// must satisfy is derived from the row's columns by call/ in the verifier. Rows are what Linux 6.12 has, for every
// kind of program; whether this runtime can run a helper is exec's table to say, when a program is loaded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/facts.h"
#include "model/prog_view.h"

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
  kSpinLock,        // bpf_spin_lock inside a map value or an allocated object
  kTimer,           // bpf_timer inside a map value
  kKptr,            // slot of an owned kptr inside a map value or an allocated object
  kKptrValue,       // what goes into that slot: an owned pointer of its type, or null
  kDynptr,          // `size` is an enum DynptrKind
  kPercpuVar,       // a per-CPU variable of the host
  kSocket,          // a full socket
  kSockCommon,      // any of the socket kinds
  kBtfSockCommon,   // any of the socket kinds, or a host struct that begins with sock_common
};

enum DynptrKind : std::uint16_t { kDynptrAny, kDynptrLocal, kDynptrRingbuf, kDynptrSkb, kDynptrXdp };

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
  kHostStruct,         // `ret_btf`, neither trusted nor null
  kHostStructOrNull,   // `ret_btf`, not trusted
  kMemPercpuOrVar,     // this_cpu_ptr: what the kPercpuVar argument names, as host struct or as memory of its size
  kMemPercpuOrVarOrNull,
  kSocketOrNull,
  kSockCommonOrNull,
  kTcpSockOrNull,
  kKptrOrNull,         // former content of the slot
  kDynptrMemOrNull,    // size from the kConstAllocSize argument
};

/// What a caller needs to call a helper, besides what loading the program took.
enum class CallRight : std::uint8_t {
  kAnyone,
  kBpf,
  kPerfmon,
  kSysAdmin,
  kPerfmonUnlessTyped,  // kinds of kViewTyped and syscall programs need nothing
};

enum HelperFlag : std::uint32_t {
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
  kHelperUnderLock = 1 << 10,     // may be called while a spin lock is held
  kHelperCasts = 1 << 11,         // result carries the reference of the argument
  kHelperFindVma = 1 << 12,       // callback (task_struct, vm_area_struct, context)
  kHelperDrain = 1 << 13,         // callback (dynptr, context) per record
  kHelperAsyncCallback = 1 << 14, // callback runs later (timers)
  kHelperTargetList = 1 << 15,    // only for attach targets helper_allows_target() names
  kHelperNeedsFunc = 1 << 16,     // typed tracing: only fentry, fexit, fmod_ret
  kHelperMaybeChangesPacket = 1 << 18,  // invalidates packet slices when its dynptr is a packet
};

struct HelperProto {
  std::uint32_t id = 0;           // enum bpf_func_id
  ProgViews views = 0;
  CallRight right = CallRight::kAnyone;
  RetKind ret = RetKind::kInteger;
  std::uint32_t flags = 0;
  const char* ret_btf = nullptr;
  ArgSpec args[5];
};

/// All rows, by id; ids with several rows have them side by side.
std::span<const HelperProto> helper_rows();

/// The row of a helper for programs of a kind: how it is called there. Null: no such helper for the kind.
const HelperProto* find_helper(std::uint32_t id, ProgViews view);

/// How a program of the kind would call the helper, offered to it or not: a struct_ops type may offer more than its kind has,
/// and then takes typed pointers where others take the context. Null: no such number.
const HelperProto* helper_signature(std::uint32_t id, ProgViews view);

/// A row of the helper whatever the kind; flags are the same in all of them. Null: no such number.
const HelperProto* find_helper(std::uint32_t id);

/// May a client with these rights, whose program is of the kind, call it?
bool may_call(const HelperProto& helper, ProgViews view, const Rights& rights);

/// What programs that implement a member of a kernel's struct_ops type may call beyond what every program may;
/// empty for types without a row. (A host's own types say it themselves: StructOpsType::allowed_helpers.)
std::span<const std::uint32_t> struct_ops_helpers(std::string_view ops_type);

}  // namespace ring3::model
