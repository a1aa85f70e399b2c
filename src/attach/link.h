// A link: a program or map held in a place, owned by whoever holds the link. LinkOps has one file per
// kind. Life of a link: pending → attached → detached; release (the last reference) detaches what is
// still attached. Inside a load transaction attach() is deferred to the commit, so a load that fails
// has attached nothing.
//
// Locking: Link::mutex_ serialises attach, update and detach of one link and guards its target; kind
// callbacks run under it. Readers of the hook never take it. The last reference may be dropped while the
// mutex of another link is held, never while this one's is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "object/object.h"
#include "object/object_table.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::attach {

class Link;

/// Callbacks run under the link's mutex.
struct LinkOps {
  uapi::bpf_link_type type;
  const char* name;
  /// pending → attached. An error leaves the link pending.
  Result<void> (*attach)(Link&) = nullptr;
  /// The last reference went while attached: detach.
  void (*release)(Link&) noexcept = nullptr;
  /// Attached, and its maker's: nothing can go wrong any more (Link::give). Links of a load session may never hear of it.
  void (*given)(Link&) noexcept = nullptr;
  /// attached → detached; called at most once. Empty: kOpNotSupp.
  Result<void> (*detach)(Link&) = nullptr;
  /// Empty: kInval. old_*: null when the client named none. On success the callback has stored the new target.
  Result<void> (*update_prog)(Link&, Ref<Object> new_prog, Ref<Object> old_prog, std::uint32_t flags) = nullptr;
  Result<void> (*update_map)(Link&, Ref<Object> new_map, Ref<Object> old_map, std::uint32_t flags) = nullptr;
  void (*fill_info)(const Link&, uapi::bpf_link_info&) = nullptr;
  bool pollable = false;  // hang-up after detach
  /// A name that link info copies into the client's buffer (iterators).
  std::string_view (*target_name)(const Link&) = nullptr;
  /// Lines of fdinfo behind those of all links.
  std::string (*fdinfo)(const Link&) = nullptr;
};

enum class LinkState : std::uint8_t { kPending, kAttached, kDetached };

class Link : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kLink;

  const LinkOps& ops() const { return ops_; }
  std::uint32_t attach_type() const { return attach_type_; }
  LinkState state() const { return state_.load(std::memory_order_acquire); }

  /// The program or map it holds; null once detached.
  Ref<Object> target() const;

  /// pending → attached. Errors: the kind's; kNoLink when not pending.
  Result<void> attach();
  /// Its maker has it. One that is let go of before was never seen by anybody.
  void give() noexcept;
  /// Leaves an empty link. A second detach succeeds. Errors: kOpNotSupp the kind has none.
  Result<void> detach();
  /// The load that attached it has failed: the same for kinds that clients do not detach, too.
  void withdraw() noexcept;
  /// The same as detach() if it is attached, and holds `target`; kNoEnt otherwise.
  Result<void> detach_attached();
  Result<void> detach_from(const Object& target);
  /// flags: BPF_F_REPLACE; old: only with it. Errors: behaviour.md A.5.3, D.4.2.
  Result<void> update_prog(Ref<Object> new_prog, Ref<Object> old_prog, std::uint32_t flags);
  Result<void> update_map(Ref<Object> new_map, Ref<Object> old_map, std::uint32_t flags);
  /// type, id, prog_id and the kind's own fields.
  void fill_info(uapi::bpf_link_info& info) const;

  bool hung_up() const { return state() == LinkState::kDetached; }
  /// A descriptor of its own for the caller that polls as the link does: nothing while attached, POLLHUP
  /// after detach. Errors: kPerm the kind is not pollable (as epoll_ctl says); kMFile.
  Result<int> poll_fd();

 protected:
  Link(const LinkOps& ops, std::uint32_t attach_type, Ref<Object> target, ObjectTable& table, Birth birth);
  ~Link() override;
  /// Calls ops().release.
  void last_ref() noexcept override;

  bool abandoned() const { return !given_.load(std::memory_order_relaxed); }

  /// For kind callbacks, under the mutex.
  const Ref<Object>& target_locked() const RING3_REQUIRES(mutex_) { return target_; }
  void set_target_locked(Ref<Object> target) RING3_REQUIRES(mutex_) { target_ = std::move(target); }
  mutable Mutex mutex_;

 private:
  /// What it held goes to `held`, to be dropped without the mutex.
  void end_locked(Ref<Object>& held) noexcept RING3_REQUIRES(mutex_);
  Result<void> detach_locked(Ref<Object>& held) RING3_REQUIRES(mutex_);
  void hang_up() noexcept RING3_REQUIRES(mutex_);

  const LinkOps& ops_;
  const std::uint32_t attach_type_;
  std::atomic<LinkState> state_{LinkState::kPending};
  std::atomic<bool> given_{false};
  Ref<Object> target_ RING3_GUARDED_BY(mutex_);
  // A pipe, made when somebody first wants to poll; closing the write end is the event.
  int poll_read_fd_ RING3_GUARDED_BY(mutex_) = -1;
  int poll_write_fd_ RING3_GUARDED_BY(mutex_) = -1;
};

}  // namespace ring3::attach
