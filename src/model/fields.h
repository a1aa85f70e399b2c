// Special fields of map values and allocated objects (behaviour.md C.1): the facts a BTF parse finds,
// read by maps (zeroing, release), by the verifier (access rules) and by map creation (which kinds a
// map type may carry).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "btf/btf.h"

namespace ring3::model {

enum class FieldKind : std::uint8_t {
  kSpinLock, kTimer, kWork, kRefcount,
  kListHead, kListNode, kRbRoot, kRbNode,
  kKptrUntrusted, kKptrRef, kKptrPercpu,
};

struct Field {
  FieldKind kind;
  std::uint32_t off;
  std::uint32_t size;
  // kptr: pointee; list head, tree root: element type and offset of the node inside it.
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;
  std::uint32_t node_off = 0;
};

/// Sorted by offset; never overlapping.
struct FieldTable {
  std::vector<Field> fields;

  bool empty() const { return fields.empty(); }
  bool has(FieldKind kind) const {
    for (const Field& f : fields)
      if (f.kind == kind) return true;
    return false;
  }
};

/// Which map types may hold which kinds: rows of behaviour.md C.2.4. map_type is enum bpf_map_type.
bool map_type_may_hold(std::uint32_t map_type, FieldKind kind);

}  // namespace ring3::model
