#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "ring3/kptr.h"
#include "ring3/read_section.h"

namespace ring3 {

/// Counts the references to a host object and deletes it after readers have left. Derived is the C++ class; it also
/// derives from the C struct that programs know, or is registered under its own name.
///
///   struct Session : session, ring3::Counted<Session> { … };         // struct session stands in the host's header
///   rt->kptr<session>(ring3::counted_kptr<session, Session>());
///
/// Made with one reference. Thread-safe.
template <typename Derived>
class Counted {
 public:
  Counted() noexcept { objects_.fetch_add(1, std::memory_order_relaxed); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  /// The caller holds a reference, or stands in a read section and has found the object there. False: it is dying.
  bool acquire() noexcept {
    std::uint32_t seen = refs_.load(std::memory_order_relaxed);
    do {
      if (seen == 0) return false;
    } while (!refs_.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
    return true;
  }
  /// The last one: `delete` of the object once all readers that are inside now have left.
  void release() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (void* const known = weak_as_.load(std::memory_order_relaxed)) weak_gone(known);
    after_readers(&deferred_, static_cast<Derived*>(this), [](void* self) { delete static_cast<Derived*>(self); });
  }
  std::uint32_t refs() const noexcept { return refs_.load(std::memory_order_relaxed); }
  /// Weak slots may hold the object, by this address of it. The caller holds a reference.
  void weaken(void* address) noexcept { weak_as_.store(address, std::memory_order_relaxed); }
  /// Objects of the class that have not been deleted.
  static std::uint64_t objects() noexcept { return objects_.load(std::memory_order_relaxed); }

 protected:
  ~Counted() { objects_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> refs_{1};
  std::atomic<void*> weak_as_{nullptr};  // what weak slots hold; null: there never were any
  AfterReaders deferred_;
  static inline std::atomic<std::uint64_t> objects_{0};
};

template <typename T, typename Derived>
KptrOptions<T> counted_kptr() {
  KptrOptions<T> options;
  options.acquire = [](T* object) -> bool { return static_cast<Derived*>(object)->acquire(); };
  options.release = [](T* object) -> void { static_cast<Derived*>(object)->release(); };
  options.weaken = [](T* object) -> bool {
    if constexpr (requires { static_cast<Derived*>(object)->can_be_weak(); })
      if (!static_cast<Derived*>(object)->can_be_weak()) return false;
    static_cast<Derived*>(object)->weaken(object);
    return true;
  };
  if constexpr (requires(const Derived& object) { object.refs(); }) {
    options.count = [](const T* object) -> std::uint32_t { return static_cast<const Derived*>(object)->refs(); };
    options.alive = [] { return Derived::objects(); };
  }
  options.rcu_safe = true;
  return options;
}

/// For objects that the host itself holds by std::shared_ptr<Derived>: while programs have references, the object
/// holds one std::shared_ptr to itself; that one goes after readers have left.
///
///   struct Session : session, ring3::SharedWithPrograms<Session> { … };   // instead of std::enable_shared_from_this
///   rt->kptr<session>(ring3::shared_kptr<session, Session>());
///
/// Weak slots take only what make_shared_with_programs() has made: an object of std::make_shared() does not outlive its last
/// std::shared_ptr, and readers may have found it in such a slot.
template <typename Derived>
class SharedWithPrograms : public std::enable_shared_from_this<Derived> {
 public:
  /// One reference for programs. The caller holds a std::shared_ptr, or programs hold a reference already, or the
  /// caller stands in a read section and has found the object in a map. False: nobody owned it any more.
  bool acquire() noexcept {
    SpinGuard guard(lock_);
    if (program_refs_ == 0) {
      auto self = this->weak_from_this().lock();
      if (self == nullptr) return false;
      // Still held for readers: the same pointer serves again.
      if (self_ == nullptr) self_ = std::move(self);
    }
    ++program_refs_;
    return true;
  }
  void release() noexcept {
    SpinGuard guard(lock_);
    if (--program_refs_ != 0) return;
    // Readers that found the object after the call under way was made are not waited for by that call.
    again_ = waiting_;
    if (!waiting_) defer();
  }
  std::uint32_t program_refs() const noexcept {
    SpinGuard guard(lock_);
    return program_refs_;
  }

  bool can_be_weak() const noexcept { return outlives_owners_; }
  /// As of Counted.
  void weaken(void* address) noexcept { weak_as_.store(address, std::memory_order_relaxed); }

 protected:
  SharedWithPrograms() = default;
  ~SharedWithPrograms() = default;

 private:
  template <typename D, typename... Args>
  friend std::shared_ptr<D> make_shared_with_programs(Args&&... args);

  /// No std::shared_ptr is left, so no call of deferred_ is under way.
  void end() noexcept {
    if (void* const known = weak_as_.load(std::memory_order_relaxed)) weak_gone(known);
    after_readers(&deferred_, static_cast<Derived*>(this), [](void* self) { delete static_cast<Derived*>(self); });
  }

  struct SpinGuard {
    explicit SpinGuard(std::atomic_flag& l) noexcept : lock(l) {
      while (lock.test_and_set(std::memory_order_acquire)) {
      }
    }
    ~SpinGuard() { lock.clear(std::memory_order_release); }
    std::atomic_flag& lock;
  };

  void defer() noexcept {
    waiting_ = true;
    after_readers(&deferred_, this, [](void* self) { static_cast<SharedWithPrograms*>(self)->readers_left(); });
  }
  void readers_left() noexcept {
    std::shared_ptr<Derived> last;  // goes without the lock
    SpinGuard guard(lock_);
    waiting_ = false;
    if (program_refs_ != 0) return;
    if (std::exchange(again_, false)) return defer();
    last.swap(self_);
  }

  mutable std::atomic_flag lock_ = ATOMIC_FLAG_INIT;
  std::uint32_t program_refs_ = 0;
  bool waiting_ = false;             // deferred_ is under way …
  bool again_ = false;               // … and has to be once more
  std::shared_ptr<Derived> self_;    // while programs, or readers that came from them, may look at the object
  std::atomic<void*> weak_as_{nullptr};
  bool outlives_owners_ = false;     // its memory goes after readers, whoever held it last
  AfterReaders deferred_;
};

/// As std::make_shared<Derived>(), of an object whose memory goes after readers have left: it may be in weak slots.
template <typename Derived, typename... Args>
std::shared_ptr<Derived> make_shared_with_programs(Args&&... args) {
  std::shared_ptr<Derived> made(new Derived(std::forward<Args>(args)...), [](Derived* last) { last->end(); });
  made->outlives_owners_ = true;
  return made;
}

template <typename T, typename Derived>
KptrOptions<T> shared_kptr() {
  return counted_kptr<T, Derived>();
}

}  // namespace ring3
