#include "btf/names.h"

#include <algorithm>

#include "btf/records.h"

namespace ring3::btf {
namespace {

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

bool fits(std::string_view name) { return !name.empty() && name.size() < kMaxNameBytes; }

}  // namespace

bool is_identifier(std::string_view name) {
  return fits(name) && is_name_start(name[0]) && std::all_of(name.begin(), name.end(), is_name_char);
}

bool is_section_name(std::string_view name) {
  return fits(name) && std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string_view essential_name(std::string_view name) {
  // Search from the end, so that the last flavour is cut and an earlier one stays part of the name.
  for (std::size_t i = name.size(); i-- > 0;) {
    if (i < 4) break;
    const bool separator = name[i - 4] != '_' && name[i - 3] == '_' && name[i - 2] == '_' && name[i - 1] == '_' &&
                           name[i] != '_';
    if (separator) return name.substr(0, i - 3);
  }
  return name;
}

}  // namespace ring3::btf
