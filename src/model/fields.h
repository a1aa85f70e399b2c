// Special fields of map values and allocated objects (behaviour.md C.1): the facts a BTF parse finds,
// read by maps (zeroing, release), by the verifier (access rules) and by map creation (which kinds a
// map type may carry).
//
// A special field is a member whose type has a reserved name (struct bpf_timer), or a pointer whose
// pointee carries a reserved type tag (kptr). What has the name but not the size or alignment is data,
// and so is a bitfield; anything else that is wrong is refused with a line that names the member.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "ring3/result.h"

namespace ring3::model {

enum class FieldKind : std::uint8_t {
  kSpinLock, kTimer, kWork, kRefcount,
  kListHead, kListNode, kRbRoot, kRbNode,
  kKptrUntrusted, kKptrRef, kKptrPercpu,
  kKptrWeak,  // ring3's own: does not keep the object alive
};

/// A set of kinds: one bit each.
using FieldSet = std::uint32_t;
constexpr FieldSet field_bit(FieldKind kind) { return FieldSet{1} << static_cast<unsigned>(kind); }
inline constexpr FieldSet kKptrFields =
    field_bit(FieldKind::kKptrUntrusted) | field_bit(FieldKind::kKptrRef) | field_bit(FieldKind::kKptrPercpu) |
    field_bit(FieldKind::kKptrWeak);
/// Kinds a map value may have; nodes are data there.
inline constexpr FieldSet kMapValueFields =
    kKptrFields | field_bit(FieldKind::kSpinLock) | field_bit(FieldKind::kTimer) | field_bit(FieldKind::kWork) |
    field_bit(FieldKind::kRefcount) | field_bit(FieldKind::kListHead) | field_bit(FieldKind::kRbRoot);
/// Kinds an allocated object may have; timers and work items are data there.
inline constexpr FieldSet kAllocatedFields =
    kKptrFields | field_bit(FieldKind::kSpinLock) | field_bit(FieldKind::kRefcount) | field_bit(FieldKind::kListHead) |
    field_bit(FieldKind::kListNode) | field_bit(FieldKind::kRbRoot) | field_bit(FieldKind::kRbNode);

struct Field {
  FieldKind kind;
  std::uint32_t off;
  std::uint32_t size;
  // kptr: pointee, in the host's BTF or the program's own; list head, tree root: element type and
  // offset of the node inside it.
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;
  std::uint32_t node_off = 0;
  std::string member = {};  // "value.held", for messages
};

/// Where a field is, for messages: its member, or its offset.
std::string field_place(const Field& field);

inline constexpr std::uint32_t kMaxFields = 11;

/// Sorted by offset; never overlapping; at most kMaxFields.
struct FieldTable {
  std::vector<Field> fields;

  bool empty() const { return fields.empty(); }
  bool has(FieldKind kind) const { return find(kind) != nullptr; }
  /// First of this kind, or null.
  const Field* find(FieldKind kind) const {
    for (const Field& f : fields)
      if (f.kind == kind) return &f;
    return nullptr;
  }
  /// The field that covers any of [off, off + size), or null.
  const Field* overlapping(std::uint32_t off, std::uint32_t size) const {
    for (const Field& f : fields)
      if (off < f.off + f.size && f.off < off + size) return &f;
    return nullptr;
  }
  FieldSet kinds() const {
    FieldSet set = 0;
    for (const Field& f : fields) set |= field_bit(f.kind);
    return set;
  }
};

/// Equal kinds, places and types: what an inner map must have in common with its template (C.4.4).
bool same_fields(const FieldTable& a, const FieldTable& b);

/// Finds the special fields of a struct or data section; of any other type there are none.
/// wanted: kinds to look for; others are data. hosts: where kptr pointees are looked up, first match wins;
/// a pointee found nowhere is the program's own type. log: one line when refused.
/// Errors: C.1.2 to C.1.4: kInval, kTooBig, kExist, kNoEnt.
Result<FieldTable> parse_fields(const std::shared_ptr<const btf::Btf>& btf, btf::TypeId type,
                                std::span<const std::shared_ptr<const btf::Btf>> hosts, FieldSet wanted,
                                TextSink& log);

/// Parses every struct of a client's BTF that might be allocated and checks who owns whom (C.2.1, C.5):
/// no ring of owners and no chain of more than kMaxOwners types. Errors: those of parse_fields; kLoop.
inline constexpr std::uint32_t kMaxOwners = 8;
Result<void> check_owned_types(const std::shared_ptr<const btf::Btf>& btf,
                               std::span<const std::shared_ptr<const btf::Btf>> hosts, TextSink& log);

/// Whether every owned pointer to a host type can be given back (C.1.5): the type is registered with a
/// destructor. releasable(btf, type): is it? kNoEnt: not, the log names the type.
using IsReleasable = bool (*)(const void* context, const btf::Btf& btf, btf::TypeId type);
Result<void> check_releasable(const FieldTable& table, const btf::Btf& own, IsReleasable releasable,
                              const void* context, TextSink& log);

/// "spin lock", "kptr", …
const char* field_text(FieldKind kind);

/// Which map types may hold which kinds: rows of behaviour.md C.2.4. map_type is enum bpf_map_type.
bool map_type_may_hold(std::uint32_t map_type, FieldKind kind);
/// All kinds of the table at once. kOpNotSupp: one may not be there, the log says which.
Result<void> check_map_type_holds(std::uint32_t map_type, const FieldTable& table, TextSink& log);

}  // namespace ring3::model
