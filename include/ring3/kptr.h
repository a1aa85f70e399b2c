#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ring3/type_name.h"

namespace ring3 {

namespace detail {

/// A function on an object whose types are forgotten.
struct AnyObjectFn {
  using Fn = void (*)();
  Fn fn = nullptr;
  bool (*call)(Fn fn, void* object) = nullptr;
};

struct AnyCountFn {
  using Fn = void (*)();
  Fn fn = nullptr;
  std::uint32_t (*call)(Fn fn, const void* object) = nullptr;
};

struct AnyPrintFn {
  using Fn = void (*)();
  Fn fn = nullptr;
  int (*call)(Fn fn, const void* object, char* text, std::size_t bytes) = nullptr;
};

}  // namespace detail

/// A host's function that takes a T *, whatever it returns: `void put(T*)`, `T* get(T*)`, `bool try_get(T*)`, or a
/// lambda without captures. A false or null result says that it refused.
template <typename T>
class ObjectFn {
 public:
  ObjectFn() = default;
  ObjectFn(std::nullptr_t) {}  // NOLINT: an option left out
  template <typename R>
  ObjectFn(R (*fn)(T*)) : any_{reinterpret_cast<detail::AnyObjectFn::Fn>(fn), &call<R>} {}  // NOLINT
  template <typename L>
    requires std::is_class_v<L> && requires(L lambda) { +lambda; }
  ObjectFn(L lambda) : ObjectFn(+lambda) {}  // NOLINT

  const detail::AnyObjectFn& any() const { return any_; }

 private:
  template <typename R>
  static bool call(detail::AnyObjectFn::Fn fn, void* object) {
    auto* typed = reinterpret_cast<R (*)(T*)>(fn);
    if constexpr (std::is_same_v<R, bool> || std::is_pointer_v<R>) {
      return typed(static_cast<T*>(object)) ? true : false;
    } else {
      (void)typed(static_cast<T*>(object));
      return true;
    }
  }

  detail::AnyObjectFn any_;
};

/// What a host says about references to its struct T.
template <typename T>
struct KptrOptions {
  /// One more reference. Needed for weak pointers and where ring3 itself keeps an object for a moment.
  ObjectFn<T> acquire{};
  /// Gives one reference back: the destructor of a stored reference. Required. Called on any thread, under no lock of
  /// ring3, as often as references were handed out; an object may be in the middle of a program's read section.
  ObjectFn<T> release{};
  /// Memory of a released object stays readable until readers have left (ring3::Counted does that, or
  /// ring3::after_readers()). Programs may then look at an object in a map without taking it out.
  bool rcu_safe = false;
  /// release may block: it is then called by a thread of the runtime's own, in the order of release.
  bool release_may_sleep = false;
  /// What identifies an object in dumps, as snprintf does: `type #text`. Called with a reference held. Left out: a number.
  int (*print)(const T* object, char* text, std::size_t bytes) = nullptr;
  /// Makes weak slots (`__kptr_weak`) possible: called with a reference held, when a slot is about to refer to the object
  /// without keeping it alive. From then on the end of the object's last reference must be told to ring3::weak_gone(), before
  /// readers are waited for. A function that returns bool may refuse. Needs acquire and rcu_safe.
  ObjectFn<T> weaken{};
  /// How many references there are to an object, the host's own included, and how many objects there are. Both optional:
  /// `ring3 refs` shows them, and tells by the first what nobody but storage keeps alive.
  std::uint32_t (*count)(const T* object) = nullptr;
  std::uint64_t (*alive)() = nullptr;
  /// Host structs that an object may hold references to: types<A, B>(). What storage cycles are judged by.
  std::vector<std::string_view> reaches{};
};

/// The names of structs, for KptrOptions::reaches.
template <typename... Types>
std::vector<std::string_view> types() {
  return {detail::plain_type_name<Types>()...};
}

/// References to the objects of one registered type: Runtime::kptr_uses().
struct KptrUse {
  std::string type;
  std::uint64_t owned = 0;  ///< references in maps
  std::uint64_t weak = 0;   ///< weak slots that are not null
  std::uint64_t alive = 0;  ///< objects, by KptrOptions::alive …
  bool counts_alive = false;  ///< … if the host counts them
};

/// KptrOptions of any struct, as the runtime takes them.
struct KptrDef {
  std::string_view name;
  std::size_t size_bytes = 0;  ///< of the C++ struct; 0: it is only declared there
  detail::AnyObjectFn acquire{}, release{}, weaken{};
  detail::AnyPrintFn print{};
  detail::AnyCountFn count{};
  std::uint64_t (*alive)() = nullptr;
  bool rcu_safe = false;
  bool release_may_sleep = false;
  std::vector<std::string_view> reaches{};
};

/// The last reference to an object that was weakened has gone: weak slots that hold it read as null from now on. Called
/// by its owner before its memory goes to after_readers(). Never blocks for long.
void weak_gone(void* object) noexcept;

namespace detail {

template <typename T>
int call_print(AnyPrintFn::Fn fn, const void* object, char* text, std::size_t bytes) {
  return reinterpret_cast<int (*)(const T*, char*, std::size_t)>(fn)(static_cast<const T*>(object), text, bytes);
}

template <typename T>
std::uint32_t call_count(AnyCountFn::Fn fn, const void* object) {
  return reinterpret_cast<std::uint32_t (*)(const T*)>(fn)(static_cast<const T*>(object));
}

template <typename T>
constexpr std::size_t size_if_complete() {
  if constexpr (requires { sizeof(T); }) return sizeof(T);
  else return 0;
}

template <typename T>
KptrDef kptr_def(const KptrOptions<T>& options) {
  KptrDef def;
  def.name = plain_type_name<T>();
  def.size_bytes = size_if_complete<T>();
  def.acquire = options.acquire.any();
  def.release = options.release.any();
  def.weaken = options.weaken.any();
  if (options.print != nullptr) def.print = {reinterpret_cast<AnyPrintFn::Fn>(options.print), &call_print<T>};
  if (options.count != nullptr) def.count = {reinterpret_cast<AnyCountFn::Fn>(options.count), &call_count<T>};
  def.alive = options.alive;
  def.rcu_safe = options.rcu_safe;
  def.release_may_sleep = options.release_may_sleep;
  def.reaches = options.reaches;
  return def;
}

/// The struct whose pointer a function takes.
template <typename Signature>
struct ObjectOf;
template <typename R, typename T>
struct ObjectOf<R (*)(T*)> {
  using Type = T;
};
template <typename R, typename T>
struct ObjectOf<R (*)(T*) noexcept> {
  using Type = T;
};

}  // namespace detail
}  // namespace ring3
