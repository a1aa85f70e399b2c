// Linux's own kernel functions that programs may call (model/kernel_kfuncs.def), as far as this runtime has them. They are
// called like helpers, with the run as sixth argument; model/hidden_args.h says what stands in registers
// that programs do not fill.
#pragma once

#include <span>
#include <string_view>

#include "rewrite/xlated.h"

namespace ring3::exec {

struct OwnKfunc {
  std::string_view name;
  rewrite::HelperFn fn;
};

/// Null: this runtime does not have it.
rewrite::HelperFn find_own_kfunc(std::string_view name) noexcept;

}  // namespace ring3::exec
