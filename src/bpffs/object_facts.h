// What by-id/ says about one object: facts as text ("key:\tvalue" lines, the keys of fdinfo) or as JSON, who uses it.
#pragma once

#include <string>
#include <vector>

#include "object/object.h"
#include "object/object_table.h"
#include "runtime/runtime_impl.h"

namespace ring3::bpffs {

enum class FactStyle { kText, kJson };

/// One object's facts.
std::string facts_text(RuntimeImpl& runtime, Object& object, FactStyle style);
/// One line for each object that holds it: "prog 4 count_packets".
std::string users_text(RuntimeImpl& runtime, const Object& object);
/// One line for each object it holds.
std::string uses_text(Object& object);
/// Paths, one a line.
std::string pins_text(RuntimeImpl& runtime, const Object& object);

/// Published objects of a kind, ascending ids above `after`, at most `limit`.
std::vector<Ref<Object>> objects_after(ObjectTable& table, ObjectKind kind, std::uint32_t after, std::size_t limit);

}  // namespace ring3::bpffs
