// The text of a pinned map (behaviour.md B.5.2): live, an element at a time.
#pragma once

#include <memory>

#include "bpffs/text_source.h"
#include "btf/print.h"
#include "maps/map.h"

namespace ring3::bpffs {

/// Has a value type, and its kind prints.
bool prints(const maps::Map& map);

/// host_btf: has the value types of struct_ops maps; they print as one line, program ids in function members.
/// Errors: kIo the map does not print.
Result<std::unique_ptr<TextSource>> map_text(Ref<maps::Map> map, std::shared_ptr<const btf::Btf> host_btf);

/// One JSON object per element and line: {"key":…,"value":…}. Errors: kIo.
Result<std::unique_ptr<TextSource>> map_json(Ref<maps::Map> map, std::shared_ptr<const btf::Btf> host_btf);

/// The value of one key; a line. Without BTF: hex, in JSON {"hex":"…"}. Errors: those of a lookup.
Result<std::string> value_text(maps::Map& map, std::span<const std::byte> key, btf::ValueStyle style);

}  // namespace ring3::bpffs
