// What clients may ask, by name: one row a command.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cache.h"

namespace cached {

/// Runs one request and appends its reply. args[0] is the command's name, in any case; no words: nothing happens.
/// False: the client asked to be disconnected.
bool execute(Cache& cache, std::span<const std::string_view> args, std::string& out);

}  // namespace cached
