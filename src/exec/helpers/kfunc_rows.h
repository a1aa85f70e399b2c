// The families of Linux's own kernel functions. Each file names its own in one list of rows; kfunc_table.cc joins them.
#pragma once

#include <span>

#include "exec/helpers/rows.h"
#include "exec/kfunc_table.h"

namespace ring3::exec {

using KfuncRows = std::span<const OwnKfunc>;

KfuncRows object_kfuncs();
KfuncRows link_kfuncs();
KfuncRows section_kfuncs();
KfuncRows iterator_kfuncs();
KfuncRows task_kfuncs();
KfuncRows dynptr_kfuncs();
KfuncRows work_kfuncs();
KfuncRows arena_kfuncs();
KfuncRows map_kfuncs();

inline std::uint64_t address_register(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

}  // namespace ring3::exec
