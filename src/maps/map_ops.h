// One map kind is one const MapOps: three facets, an absent operation is an empty slot whose errno
// is kOpNotSupp or kNotSupp as `missing` says. Families share by composition (a shared table or
// element store), never by a base class with flags. map_kinds.cc is the only list of kinds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maps/inline_code.h"
#include "object/object.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::maps {

class Map;
struct MapSpec;
class MapHost;

/// What a client's key or value bytes may name: descriptors of other objects (fd-valued maps).
class FdSource {
 public:
  /// kBadF: no such descriptor. kInval: an object of another kind.
  virtual Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) = 0;
  /// Is it a socket of the machine? Errors: kBadF.
  virtual Result<bool> is_socket(std::int32_t /*fd*/) { return Errno::kBadF; }

 protected:
  ~FdSource() = default;
};

/// Where a batch lookup puts elements.
class BatchEmit {
 public:
  virtual Result<void> element(std::span<const std::byte> key, std::span<const std::byte> value) = 0;

 protected:
  ~BatchEmit() = default;
};

/// Which batch commands a kind has; each has those before it. Built from the slots for single elements, but for kTaking (batch_part).
enum class BatchForms : std::uint8_t {
  kNone,
  kFixed,   // lookup, update: elements neither come nor go
  kKeyed,   // delete
  kTaking,  // lookup and delete
};

/// Commands of a client. Run outside read sections, may allocate, never on a program's path.
struct ControlOps {
  /// Attribute check of the kind, before any allocation. Errors: kInval, kTooBig, kPerm.
  Result<void> (*check)(const MapSpec&) = nullptr;
  /// Key and value types of the client's BTF, when it names any, after the generic size checks
  /// (map_check.h). Empty slot: a key type is required. Errors: kInval; kNotSupp the kind takes no BTF.
  Result<void> (*check_btf)(const MapSpec&) = nullptr;
  /// Makes a map; unpublished, one reference.
  Result<Ref<Map>> (*create)(const MapSpec&, MapHost&) = nullptr;
  /// Copies an element out as a client sees it: value_bytes() bytes (per-CPU kinds: every CPU),
  /// special fields zeroed, object slots as ids.
  Result<void> (*lookup)(Map&, std::span<const std::byte> key, std::span<std::byte> value,
                         std::uint64_t flags) = nullptr;
  /// A lookup asks about the bytes that `value` holds when it is called (bloom filter); a client passes them in.
  bool lookup_asks = false;
  Result<void> (*update)(Map&, std::span<const std::byte> key, std::span<const std::byte> value,
                         std::uint64_t flags, FdSource&) = nullptr;
  Result<void> (*erase)(Map&, std::span<const std::byte> key) = nullptr;
  Result<void> (*lookup_and_erase)(Map&, std::span<const std::byte> key, std::span<std::byte> value,
                                   std::uint64_t flags) = nullptr;
  /// key empty: the first key. kNoEnt at the end.
  Result<void> (*next_key)(Map&, std::span<const std::byte> key, std::span<std::byte> next) = nullptr;
  BatchForms batch = BatchForms::kNone;
  /// Batch lookup by position instead of by key: walks part `cursor` of the map (a hash bucket), calls
  /// emit(key, value) for each element and, when `erase`, removes it. flags: 0 or BPF_F_LOCK, for a value that has one. kNoEnt: cursor is
  /// past the end; kNoSpc: the part has more than `room` elements (none was emitted). Null: cursors are keys.
  Result<void> (*batch_part)(Map&, std::uint32_t cursor, std::uint32_t room, bool erase, std::uint64_t flags,
                             BatchEmit& emit) = nullptr;
  /// Bytes a client passes for one value; default value_size rounded as the kind wants.
  std::size_t (*value_bytes)(const Map&) = nullptr;
  std::uint64_t (*memory_bytes)(const Map&) = nullptr;
  /// How many elements there are, of the kinds whose elements Linux counts (all hashes); of others it says 0.
  std::uint64_t (*element_count)(const Map&) = nullptr;
  /// The last user reference went.
  void (*last_user_ref)(Map&) noexcept = nullptr;
  /// A descriptor of the map's memory for mmap (kind is mappable), else -1 in Map.
  bool mappable = false;
  /// Text view of one element is possible (bpffs).
  bool printable = false;
  /// What an empty slot above answers.
  Errno missing = Errno::kOpNotSupp;
};

/// A program's side. noexcept, never blocks, inside a read section; 0 or a negative errno.
struct DataOps {
  /// Program arrays and maps of maps: the Object* (Map*) in the slot, or null.
  void* (*lookup)(Map&, const void* key) noexcept = nullptr;
  void* (*lookup_percpu)(Map&, const void* key, std::uint32_t cpu) noexcept = nullptr;
  /// The key of a value that lookup gave, as long as it is in use; arrays write it to `index`. Kinds that hold timers
  /// or work items have it.
  const void* (*key_of)(const Map&, const void* value, std::uint32_t& index) noexcept = nullptr;
  long (*update)(Map&, const void* key, const void* value, std::uint64_t flags) noexcept = nullptr;
  long (*erase)(Map&, const void* key) noexcept = nullptr;
  long (*push)(Map&, const void* value, std::uint64_t flags) noexcept = nullptr;
  long (*pop)(Map&, void* value) noexcept = nullptr;
  long (*peek)(Map&, void* value) noexcept = nullptr;
  /// Calls fn(key, value, data) for each element until it returns nonzero; returns elements visited.
  long (*for_each)(Map&, std::uint64_t (*fn)(const void* key, void* value, void* data), void* data,
                   std::uint64_t flags) noexcept = nullptr;
};

/// What rewrite/ may put in the place of a helper call.
struct CodegenOps {
  /// Appends what equals bpf_map_lookup_elem(r1 = map, r2 = key) → r0; r1 to r5 are lost.
  /// Addresses of this map are built in: only where the verifier knows that r1 is this very map.
  /// Appends nothing, or the slot is empty: no inline form.
  void (*lookup)(const Map&, InlineCode& out) = nullptr;
  /// Address of byte `off` of the only value (direct value kinds). kInval: outside the value.
  Result<std::uint64_t> (*direct_value)(const Map&, std::uint32_t off) = nullptr;
};

struct MapOps {
  uapi::bpf_map_type type;
  const char* name;  // "hash", as bpftool prints it
  ControlOps control;
  DataOps data;
  CodegenOps codegen;
};

}  // namespace ring3::maps
