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
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace ring3 {

enum class ObjectKind : std::uint8_t { kMap, kProg, kLink, kBtf, kToken };

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
  /// The last user reference went; references may remain. Called once at most per 1→0 change.
  virtual void last_user_ref() noexcept {}
  /// The last reference went and the id is withdrawn; readers may still be inside. Drop edges that
  /// must not wait for them (nothing here may block). The destructor runs after a grace period.
  virtual void last_ref() noexcept {}

 private:
  friend class ObjectTable;
  static void reclaim(Object* o) noexcept;

  const ObjectKind kind_;
  ObjectTable& table_;
  const Birth birth_;
  std::atomic<std::uint64_t> refs_{1};
  std::atomic<std::uint64_t> user_refs_{0};
  std::atomic<std::uint32_t> id_{0};
};

/// A reference. Copying takes another one.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT
  /// Takes over a reference the caller owns (fresh objects start with one).
  static Ref adopt(T* p) { Ref r; r.p_ = p; return r; }
  static Ref share(T* p) { if (p) p->ref(); return adopt(p); }
  Ref(const Ref& o) : p_(o.p_) { if (p_) p_->ref(); }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <typename U> requires(std::is_convertible_v<U*, T*>)
  Ref(Ref<U> o) : p_(o.release()) {}  // NOLINT
  Ref& operator=(Ref o) noexcept { std::swap(p_, o.p_); return *this; }
  ~Ref() { if (p_) p_->unref(); }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  T* release() { return std::exchange(p_, nullptr); }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  T* p_ = nullptr;
};

}  // namespace ring3
