// RING3_TRY(expr): the value of a Result, or return its errno from the enclosing function.
// Pitfall: expr is evaluated inside a statement expression, so a `return` type that is not
// constructible from Errno fails to compile there, and co_await/goto out of expr is not allowed.
#pragma once

#include <utility>

#include "ring3/result.h"

#define RING3_TRY(expr)                                       \
  __extension__({                                             \
    auto ring3_try_result = (expr);                           \
    if (!ring3_try_result.ok()) return ring3_try_result.error(); \
    std::move(ring3_try_result).value();                      \
  })
