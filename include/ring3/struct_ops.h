#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ring3/read_section.h"
#include "ring3/result.h"
#include "ring3/struct_ops_host.h"
#include "ring3/type_name.h"

namespace ring3 {

namespace detail {

/// Byte offset of a member. T is a plain C struct.
template <typename T, typename M>
std::size_t member_offset(M T::*member) {
  static const T object{};
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&(object.*member)) -
                                  reinterpret_cast<const char*>(&object));
}

/// What ring3 tells a host policy about one member after registration.
struct OpsMember {
  std::string name;
  std::size_t off = 0, size_bytes = 0;
  bool is_function = false;
  bool is_text = false;  // an array of char
};

struct Retirement;

/// The policy behind StructOpsPoint: one active instance, a fallback otherwise, replacement in one store.
class SingleInstance : public StructOpsHost {
 public:
  SingleInstance(const void* fallback, std::vector<std::size_t> required)
      : current_(fallback), fallback_(fallback), required_(std::move(required)) {}
  ~SingleInstance() override;

  /// The table to call; inside a ReadSection. Null: no instance and no fallback.
  const void* current() const noexcept { return current_.load(std::memory_order_acquire); }
  const void* fallback() const noexcept { return fallback_; }
  /// A held instance, or null when the fallback is in charge.
  StructOpsInstance* hold_active() const noexcept;
  bool eject() noexcept;
  bool eject(const void* ops) noexcept;

  void set_members(std::vector<OpsMember> members) { members_ = std::move(members); }

  Result<bool> init_member(std::uint32_t member, const void* src, void* dst) final;
  Result<void> validate(const void* ops) final;
  Result<void> reg(StructOpsInstance& instance, StructOpsAttachment& via) final;
  void unreg(StructOpsInstance& instance, StructOpsAttachment& via) noexcept final;
  bool can_update() const final { return true; }
  Result<void> update(StructOpsInstance& next, StructOpsInstance& old, StructOpsAttachment& via) final;

 protected:
  virtual Result<void> check_table(const void* ops) = 0;
  virtual Result<void> activating(const void* ops) = 0;
  virtual void deactivated(const void* ops) noexcept = 0;
  virtual bool wants_retired() const = 0;
  virtual void retired(const void* ops) noexcept = 0;

 private:
  void put(StructOpsInstance* instance, StructOpsAttachment* via) noexcept;
  void retire(StructOpsInstance& instance) noexcept;

  std::atomic<const void*> current_;
  const void* const fallback_;
  std::atomic<StructOpsInstance*> instance_{nullptr};
  std::atomic<StructOpsAttachment*> via_{nullptr};
  Retirement* retirement_ = nullptr;  // of the active instance, made before it became that
  const std::vector<std::size_t> required_;
  std::vector<OpsMember> members_;
};

}  // namespace detail

/// A member of the ops struct T, written `&T::evict`.
template <typename T>
struct Member {
  template <typename M>
  Member(M T::*member) : off(detail::member_offset(member)) {}  // NOLINT: implicit on purpose
  std::size_t off;
};

/// A field of a host struct that programs of the type may write: `ring3::writable(&cache_obj::freq)`.
template <typename S, typename M>
StructOpsDef::Writable writable(M S::*member) {
  return {std::string(detail::plain_type_name<S>()), detail::member_offset(member), sizeof(M)};
}

/// How a host offers the ops struct T with one active instance at a time.
template <typename T>
struct StructOpsOptions {
  std::vector<Member<T>> required = {};     ///< an instance without one of them is refused: kInval
  std::vector<Member<T>> unsupported = {};  ///< programs for them do not load: kNotSupp
  std::vector<Member<T>> sleepable = {};    ///< may be implemented by sleepable programs
  std::vector<Member<T>> annotated = {};    ///< must have a stub function <T>__<member> in the BTF
  std::vector<StructOpsDef::Writable> writable = {};
  std::vector<std::uint32_t> helpers = {};  ///< helper ids beyond the base set
  /// What a member does that the client left out; a null one is unsupported. Null pointer: all are supported, and one
  /// that was left out returns 0. Copied.
  const T* stubs = nullptr;
  bool null_when_unset = false;        ///< members left out are null for the host instead
  bool test_run = false;               ///< clients may run programs by hand, see StructOpsDef::test_run
  /// In charge while no client's instance is. Outlives the runtime. Null: enter() gives nothing then.
  const T* fallback = nullptr;

  // Callbacks; each may be null. `context` is passed through. They run as StructOpsHost says, except `retired`.
  void* context = nullptr;
  Result<void> (*validate)(void* context, const T& ops) = nullptr;
  /// About to become current; an error leaves the one before in charge.
  Result<void> (*activating)(void* context, const T& ops) = nullptr;
  /// No longer current; calls may still be inside.
  void (*deactivated)(void* context, const T& ops) = nullptr;
  /// The last caller has left. Still callable here. On ring3's reclaim thread, inside a ReadSection.
  void (*retired)(void* context, const T& ops) = nullptr;
};

namespace detail {

template <typename T>
class TypedPolicy final : public SingleInstance {
 public:
  TypedPolicy(const StructOpsOptions<T>& options, std::vector<std::size_t> required)
      : SingleInstance(options.fallback, std::move(required)),
        context_(options.context),
        validate_(options.validate),
        activating_(options.activating),
        deactivated_(options.deactivated),
        retired_(options.retired) {}

 private:
  static const T& typed(const void* ops) { return *static_cast<const T*>(ops); }
  Result<void> check_table(const void* ops) override {
    return validate_ != nullptr ? validate_(context_, typed(ops)) : Result<void>();
  }
  Result<void> activating(const void* ops) override {
    return activating_ != nullptr ? activating_(context_, typed(ops)) : Result<void>();
  }
  void deactivated(const void* ops) noexcept override {
    if (deactivated_ != nullptr) deactivated_(context_, typed(ops));
  }
  bool wants_retired() const override { return retired_ != nullptr; }
  void retired(const void* ops) noexcept override { retired_(context_, typed(ops)); }

  void* const context_;
  Result<void> (*const validate_)(void*, const T&);
  Result<void> (*const activating_)(void*, const T&);
  void (*const deactivated_)(void*, const T&);
  void (*const retired_)(void*, const T&);
};

template <typename T>
std::vector<std::size_t> offsets(const std::vector<Member<T>>& members) {
  std::vector<std::size_t> offs;
  for (const Member<T>& m : members) offs.push_back(m.off);
  return offs;
}

/// Runs inside the library, where memory that runs out becomes an errno. options: StructOpsOptions<T>.
using MakePolicy = std::unique_ptr<SingleInstance> (*)(const void* options, StructOpsDef& def);

template <typename T>
std::unique_ptr<SingleInstance> make_policy(const void* given, StructOpsDef& def) {
  const auto& options = *static_cast<const StructOpsOptions<T>*>(given);
  def.name = plain_type_name<T>();
  def.size_bytes = sizeof(T);
  def.stubs = options.stubs;
  def.null_when_unset = options.null_when_unset;
  def.test_run = options.test_run;
  def.unsupported = offsets(options.unsupported);
  def.sleepable = offsets(options.sleepable);
  def.annotated = offsets(options.annotated);
  def.writable = options.writable;
  def.helpers = options.helpers;
  return std::make_unique<TypedPolicy<T>>(options, offsets(options.required));
}

}  // namespace detail

/// The current table of T, for as long as the guard lives. Stays on the stack of one thread.
template <typename T>
class StructOpsGuard {
 public:
  explicit StructOpsGuard(const detail::SingleInstance& policy) noexcept
      : ops_(static_cast<const T*>(policy.current())) {}
  StructOpsGuard(const StructOpsGuard&) = delete;
  StructOpsGuard& operator=(const StructOpsGuard&) = delete;

  explicit operator bool() const noexcept { return ops_ != nullptr; }
  const T* operator->() const noexcept { return ops_; }
  const T& operator*() const noexcept { return *ops_; }
  const T* get() const noexcept { return ops_; }

 private:
  const ReadSection section_;  // opened before the table is looked at
  const T* const ops_;
};

/// A counted reference to one instance, for users that outlive a ReadSection: what a client sees as the header's
/// count. Move only.
template <typename T>
class StructOpsHold {
 public:
  StructOpsHold() = default;
  explicit StructOpsHold(StructOpsInstance* held) noexcept : instance_(held) {}
  StructOpsHold(StructOpsHold&& o) noexcept : instance_(std::exchange(o.instance_, nullptr)) {}
  StructOpsHold& operator=(StructOpsHold&& o) noexcept {
    std::swap(instance_, o.instance_);
    return *this;
  }
  ~StructOpsHold() {
    if (instance_ != nullptr) instance_->release();
  }
  explicit operator bool() const noexcept { return instance_ != nullptr; }
  /// Callable inside a ReadSection.
  const T* get() const noexcept { return instance_ != nullptr ? instance_->as<T>() : nullptr; }

 private:
  StructOpsInstance* instance_ = nullptr;
};

/// Where a host calls T. Copies refer to the same place; valid as long as the runtime.
template <typename T>
class StructOpsPoint {
 public:
  StructOpsPoint() = default;
  explicit StructOpsPoint(detail::SingleInstance& policy) noexcept : policy_(&policy) {}

  /// The hot path: `if (auto p = point.enter()) p->on_hit(cache, obj);` Some nanoseconds; never blocks; nests.
  StructOpsGuard<T> enter() const noexcept { return StructOpsGuard<T>(*policy_); }
  /// Whether a client's instance is in charge at this moment.
  bool has_instance() const noexcept { return policy_->current() != policy_->fallback(); }
  /// Empty when the fallback is in charge.
  StructOpsHold<T> hold() const noexcept { return StructOpsHold<T>(policy_->hold_active()); }
  /// Takes the client's instance out; its link hangs up. May be called by a thread that is inside one of its members.
  /// False: there was none.
  bool eject() const noexcept { return policy_->eject(); }
  /// The same if `ops` is in charge: whoever was found at fault may have been replaced meanwhile. `ops` was had by enter() or a
  /// callback, and is still there: inside the guard or the callback, or a ReadSection that began before its `deactivated`.
  bool eject(const T& ops) const noexcept { return policy_->eject(&ops); }

 private:
  detail::SingleInstance* policy_ = nullptr;
};

}  // namespace ring3
