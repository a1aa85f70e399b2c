// Which strings may name a type, a member or a section.
#pragma once

#include <string_view>

namespace ring3::btf {

/// Letters, digits, underscore and dot, not starting with a digit; 1 to 511 characters.
bool is_identifier(std::string_view name);
/// Any printable characters; 1 to 511 of them.
bool is_section_name(std::string_view name);

/// The name without the flavour suffix that follows three underscores ("task___v1" is "task").
/// A suffix counts only when it is not empty and the underscores are not at the very start.
std::string_view essential_name(std::string_view name);

}  // namespace ring3::btf
