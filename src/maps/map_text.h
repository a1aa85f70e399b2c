// A map's elements as text by its BTF: as a pinned map reads on bpffs (behaviour.md B.5.2), and as JSON.
//
// Live data, element by element: no snapshot. Deletes meanwhile may skip elements or start the walk again, so a walk
// ends after as many elements as the map can hold.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/text_sink.h"
#include "btf/print.h"
#include "maps/map.h"

namespace ring3::maps {

/// The map's kind prints, and the map has a value type. Otherwise print_* answer kIo, as opening such a pin does.
bool is_printable(const Map& map);

/// Goes through a map's elements, one at a time. The map outlives it.
class ElementWalk {
 public:
  explicit ElementWalk(Map& map) : map_(map), key_(map.key_size()), next_(map.key_size()), value_(map.value_bytes()) {}

  /// To the next element (first call: the first); false at the end. Errors: those of a lookup.
  Result<bool> step();
  std::span<const std::byte> key() const { return key_; }
  /// As a client would look it up.
  std::span<const std::byte> value() const { return value_; }

 private:
  Map& map_;
  std::vector<std::byte> key_, next_, value_;
  std::uint64_t steps_ = 0;
};

/// One line (per-CPU: one block) of print_elements(), and what stands before the first.
void print_warning(TextSink& out);
void print_element(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value, TextSink& out);
/// The value alone, of one that is printable; per-CPU kinds in JSON: an array, in text: a line per CPU.
void print_map_value(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                     btf::ValueStyle style, TextSink& out);

/// Two lines of warning, then a line per element ("key: value"); per-CPU kinds: a block with a line per CPU.
/// Errors: kIo; those of a lookup other than a missing element.
Result<void> print_elements(Map& map, TextSink& out);

/// [{"key":…,"value":…},…]; per-CPU kinds: "values":[{"cpu":0,"value":…},…]. A key type that is not there prints as
/// its number. Errors: as print_elements().
Result<void> print_elements_json(Map& map, TextSink& out);

}  // namespace ring3::maps
