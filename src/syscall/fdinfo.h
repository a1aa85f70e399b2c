// The lines that /proc/PID/fdinfo/N has for an object: what clients read that OBJ_GET_INFO does not tell (memlock, frozen).
#pragma once

#include <string>

#include "syscall/descriptors.h"

namespace ring3::syscall {

/// "" for an object that has none. Thread-safe.
std::string fdinfo_text(const Object& object);

}  // namespace ring3::syscall
