#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>

#include "ring3/type_name.h"

namespace ring3 {

/// A variable of the host that programs may read, as Runtime::variable() and percpu_variable() register it.
struct VariableDef {
  std::string_view name;
  const void* first = nullptr;     ///< outlives the runtime
  std::size_t size_bytes = 0;      ///< compared with the BTF
  std::size_t copies = 0;          ///< per CPU: one for each CPU there can be; else 0
  std::size_t stride_bytes = 0;    ///< per CPU: from one copy to the next
};

namespace detail {

template <auto* Variable>
VariableDef variable_def() {
  return {.name = pointee_name<Variable>(), .first = Variable, .size_bytes = sizeof(*Variable)};
}

}  // namespace detail
}  // namespace ring3
