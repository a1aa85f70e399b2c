// What maps, programs, links, BTF objects and tokens share: two counts, an id, a birth record, and
// death after readers.
//
//   references       keep the object's memory and function (fd, pin, link, program, map slot, …)
//   user references  the subset a client holds (fd, pin, host handle); at zero the object lets go of
//                    what could form a cycle (program arrays are emptied, timers cancelled)
//
// Life: made private → (published in its IdTable, last step of creation) → withdrawn when the last
// reference goes → destroyed after an RCU grace period, never on the path that dropped the reference.
// Edges between objects are one-directional (behaviour.md F.1.1); every "used by" view is computed.
//
// Memory order: dropping a reference releases, the last drop acquires, so whoever destroys an object
// sees all that its users did. try_ref() on a pointer found under RCU is safe until the read section
// ends, because the memory goes only after a grace period.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "object/rcu.h"
#include "object/ref_origin.h"

namespace ring3 {

enum class ObjectKind : std::uint8_t { kMap, kProg, kLink, kBtf, kToken, kEvents, kStats };
inline constexpr std::size_t kObjectKinds = 7;

/// "map", "prog", "link", "btf", "token", "events", "stats".
const char* object_kind_name(ObjectKind kind) noexcept;

class ObjectTable;

/// Who made an object, for listings.
struct Birth {
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
  std::uint64_t time_ns = 0;  // host clock, since the runtime's start
};

class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  ObjectKind kind() const { return kind_; }
  /// Positive once reserved, 0 before. Visible to id walks only while published.
  std::uint32_t id() const { return id_.load(std::memory_order_acquire); }
  const Birth& birth() const { return birth_; }
  ObjectTable& table() const { return table_; }
  /// Bytes it stands for in its maker's account (ObjectTable::held_by), at least one; 0: it is in nobody's.
  std::uint64_t charged_bytes() const { return charged_bytes_.load(std::memory_order_relaxed); }
  void charge(std::uint64_t bytes) { charged_bytes_.store(bytes == 0 ? 1 : bytes, std::memory_order_relaxed); }

  /// The caller holds a reference already.
  void ref() noexcept;
  /// Fails when the last reference has already gone.
  [[nodiscard]] bool try_ref() noexcept;
  void unref() noexcept;
  void user_ref() noexcept;    // also takes a reference
  void user_unref() noexcept;  // also drops one
  std::uint64_t refs() const noexcept { return refs_.load(std::memory_order_relaxed); }
  std::uint64_t user_refs() const noexcept { return user_refs_.load(std::memory_order_relaxed); }

 protected:
  Object(ObjectKind kind, ObjectTable& table, Birth birth);
  virtual ~Object();
  /// The last user reference went; references may remain. Called once at most per 1→0 change, on the
  /// thread that dropped it, without locks of the object room.
  virtual void last_user_ref() noexcept {}
  /// The last reference went and the id is withdrawn; readers may still be inside. Drop edges that
  /// must not wait for them (nothing here may block). The destructor runs after a grace period.
  virtual void last_ref() noexcept {}

 private:
  friend class ObjectTable;
#if defined(RING3_REF_ORIGINS)
  friend RefOrigin* track_ref(const Object*, Place) noexcept;
  friend void untrack_ref(const Object*, RefOrigin*) noexcept;
  friend std::vector<std::string> ref_places(const Object&);
  mutable RefOrigins origins_;
#endif

  const ObjectKind kind_;
  ObjectTable& table_;
  const Birth birth_;
  std::atomic<std::uint64_t> refs_{1};
  std::atomic<std::uint64_t> user_refs_{0};
  std::atomic<std::uint32_t> id_{0};
  std::atomic<std::uint64_t> charged_bytes_{0};
  // Neighbours in the table's list of live objects, guarded by its mutex.
  Object* alive_prev_ = nullptr;
  Object* alive_next_ = nullptr;
  struct Grave : rcu::Deferred {
    Object* object;
  } grave_{};
};

/// A reference. Copying takes another one. A Ref itself is not shared between threads.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT
  /// Takes over a reference the caller owns (fresh objects start with one).
  static Ref adopt(T* p, Place place = Place::here()) { return Ref(p, place); }
  static Ref share(T* p, Place place = Place::here()) {
    if (p) p->ref();
    return Ref(p, place);
  }
  Ref(const Ref& o, Place place = Place::here()) : p_(o.p_) {
    if (p_) p_->ref();
    track(place);
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) { take_origin(o); }
  template <typename U>
    requires(std::is_convertible_v<U*, T*> && !std::is_same_v<U, T>)
  Ref(Ref<U> o, Place place = Place::here()) : p_(o.release()) {  // NOLINT
    track(place);
  }
  Ref& operator=(const Ref& o) {
    Ref copy(o);
    swap(copy);
    return *this;
  }
  Ref& operator=(Ref&& o) noexcept {
    Ref moved(std::move(o));
    swap(moved);
    return *this;
  }
  ~Ref() {
    untrack();
    if (p_) p_->unref();
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  /// Hands the reference to the caller.
  [[nodiscard]] T* release() {
    untrack();
    return std::exchange(p_, nullptr);
  }
  void swap(Ref& o) noexcept {
    std::swap(p_, o.p_);
#if defined(RING3_REF_ORIGINS)
    std::swap(origin_, o.origin_);
#endif
  }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  Ref(T* p, Place place) : p_(p) { track(place); }

#if defined(RING3_REF_ORIGINS)
  void track(Place place) {
    if (p_) origin_ = track_ref(p_, place);
  }
  void untrack() {
    if (origin_) untrack_ref(p_, std::exchange(origin_, nullptr));
  }
  void take_origin(Ref& o) { origin_ = std::exchange(o.origin_, nullptr); }
  RefOrigin* origin_ = nullptr;
#else
  void track(Place) {}
  void untrack() {}
  void take_origin(Ref&) {}
#endif
  T* p_ = nullptr;
};

/// A user reference: what a descriptor, a pin or a host handle holds. Move only.
template <typename T>
class UserRef {
 public:
  UserRef() = default;
  /// Takes a user reference on an object that `r` keeps alive meanwhile.
  explicit UserRef(Ref<T> r) : ref_(std::move(r)) {
    if (ref_) ref_->user_ref();
  }
  UserRef(UserRef&& o) noexcept = default;
  UserRef& operator=(UserRef&& o) noexcept {
    std::swap(ref_, o.ref_);
    return *this;
  }
  ~UserRef() {
    if (ref_) ref_->user_unref();
  }

  T* get() const { return ref_.get(); }
  T* operator->() const { return ref_.get(); }
  T& operator*() const { return *ref_; }
  explicit operator bool() const { return static_cast<bool>(ref_); }
  const Ref<T>& ref() const { return ref_; }
  /// Drops it now.
  void reset() { UserRef gone(std::move(*this)); }

 private:
  Ref<T> ref_;
};

/// The object as its own type, which kind() promises: T::kKind names it.
template <typename T>
  requires requires { T::kKind; }
Ref<T> ref_cast(Ref<Object> o) {
  if (!o || o->kind() != T::kKind) return nullptr;
  return Ref<T>::adopt(static_cast<T*>(o.release()));
}

}  // namespace ring3
