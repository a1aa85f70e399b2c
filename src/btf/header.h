// The blob's header and its two sections (behaviour.md C.6.1).
#pragma once

#include <cstddef>
#include <span>

#include "base/text_sink.h"
#include "btf/impl.h"
#include "ring3/result.h"

namespace ring3::btf {

/// Checks the header and where the sections lie. The strings themselves are checked too: first and last
/// byte are NUL. split: the blob continues a base (no types or no strings of its own are then fine).
Result<Sections> parse_header(std::span<const std::byte> blob, bool split, TextSink& log);

}  // namespace ring3::btf
