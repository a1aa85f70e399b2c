#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "ring3/type_name.h"

namespace ring3 {

/// A host struct whose objects programs may own through references that kfuncs hand out.
struct KptrDef {
  std::string_view name;
  void (*release)(void* object) = nullptr;  ///< gives one reference back
  bool rcu_safe = false;                    ///< memory of a released object stays readable until readers have left
};

namespace detail {

template <auto Release, typename Signature>
struct KptrRelease;

template <auto Release, typename R, typename T>
struct KptrRelease<Release, R (*)(T*)> {
  using Object = T;
  static void call(void* object) { (void)Release(static_cast<T*>(object)); }
};

template <auto Release, typename R, typename T>
struct KptrRelease<Release, R (*)(T*) noexcept> : KptrRelease<Release, R (*)(T*)> {};

}  // namespace detail
}  // namespace ring3
