// A map's elements as text by its BTF: as a pinned map reads on bpffs (behaviour.md B.5.2), and as JSON.
//
// Live data, element by element: no snapshot. Deletes meanwhile may skip elements or start the walk again, so a walk
// ends after as many elements as the map can hold.
#pragma once

#include "base/text_sink.h"
#include "maps/map.h"

namespace ring3::maps {

/// The map's kind prints, and the map has a value type. Otherwise print_* answer kIo, as opening such a pin does.
bool is_printable(const Map& map);

/// Two lines of warning, then a line per element ("key: value"); per-CPU kinds: a block with a line per CPU.
/// Errors: kIo; those of a lookup other than a missing element.
Result<void> print_elements(Map& map, TextSink& out);

/// [{"key":…,"value":…},…]; per-CPU kinds: "values":[{"cpu":0,"value":…},…]. A key type that is not there prints as
/// its number. Errors: as print_elements().
Result<void> print_elements_json(Map& map, TextSink& out);

}  // namespace ring3::maps
