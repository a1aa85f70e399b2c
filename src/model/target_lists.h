// Attach targets with a property of their own, as rows: target_lists.def.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/helper.h"

namespace ring3::model {

enum class TargetList : std::uint8_t {
  kSleepableHooks,        // LSM hooks that run where sleeping is allowed
  kDisabledHooks,         // LSM hooks no program may attach to
  kBoolHooks,             // LSM hooks that answer a question: 0 or 1
  kLockedSockoptHooks,    // LSM hooks whose programs may use get/setsockopt; the socket is locked …
  kUnlockedSockoptHooks,  // … or not
  kDPathFunctions,        // functions whose tracing programs may use d_path
  kNeverReturning,        // functions that never return: no fexit, no fmod_ret
  kUntraceable,           // functions no tracing program may attach to
  kUntrustedHooks,        // LSM hooks whose arguments may be half made or half gone
  kSocketIterators,       // iterators whose programs may use get/setsockopt: each socket is locked while it is shown
  kModifiable,            // functions that are no hook and whose result programs may replace
};

bool is_on(TargetList list, std::string_view function);

/// May a program replace the result of this function (fmod_ret)?
bool result_is_modifiable(std::string_view function);

/// A helper with kHelperTargetList: may a program of this view, attached to this function, call it?
bool helper_allows_target(const HelperProto& helper, ProgViews view, std::string_view function);

}  // namespace ring3::model
