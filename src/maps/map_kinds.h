// The list of map kinds: one row per map type of Linux 6.12. A row either points to the kind's
// operations or says why there are none. It is an object, not a global: struct_ops adds its row at
// run time, because its operations live in a room above.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/text_sink.h"
#include "maps/map_ops.h"
#include "ring3/result.h"

namespace ring3::maps {

struct MapKindRow {
  uapi::bpf_map_type type;
  const char* name;           // as bpftool prints it
  const MapOps* ops;          // null: not supported
  const char* why = nullptr;  // what a refusal says
};

inline constexpr std::size_t kMapTypes = 33;  // BPF_MAP_TYPE_HASH … BPF_MAP_TYPE_ARENA

class MapKinds {
 public:
  MapKinds();

  /// Fills an empty row (struct_ops). The ops outlive the table. Before maps are created.
  void add(const MapOps& ops);

  /// The row of a type, supported or not; null outside the list.
  const MapKindRow* row(std::uint32_t type) const;
  std::span<const MapKindRow> rows() const { return rows_; }

  /// The operations of a type. Errors: kInval unknown or unsupported, with text.
  Result<const MapOps*> find(std::uint32_t type, TextSink& log) const;

 private:
  std::array<MapKindRow, kMapTypes> rows_;
};

}  // namespace ring3::maps
