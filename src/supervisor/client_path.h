// Paths as a supervised command spells them.
#pragma once

#include <string>
#include <string_view>

#include "ring3/result.h"
#include "supervisor/calls.h"

namespace ring3::supervisor {

inline constexpr std::string_view kPinRoot = "/sys/fs/bpf";

/// The text at an address. Errors: kFault, kNameTooLong.
Result<std::string> read_path(const Intercept& call, std::uint64_t address);
/// Made absolute by a directory descriptor or AT_FDCWD; not otherwise resolved. Errors: kBadF, kNotDir.
Result<std::string> absolute_path(const Intercept& call, int directory, std::string path);
/// Under /sys/fs/bpf by its spelling.
bool is_pin_path(std::string_view path);

}  // namespace ring3::supervisor
