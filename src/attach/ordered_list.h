// Ordered multi-attach (behaviour.md D.5): up to 64 programs in one place, each by itself or owned by a link, in the order
// their owners asked for. One algorithm for every ordered hook; who resolves descriptors and ids is the caller.
//
// Positions are gaps: -1 before the first entry, i+1 behind entry i. BEFORE and AFTER each derive one; when both are given,
// or a replaced entry fixes the place, they must coincide. Programs that say themselves where they run (run_config.h) stand by that, and one that
// replaces another stands where that stood.
//
// Runs see a whole list: every change publishes a new one, and run() takes whichever is published when it starts.
// Locking: changes and queries hold mutex_; runs are inside a read section.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "attach/link.h"
#include "attach/run_config.h"
#include "attach/turn.h"
#include "base/mutex.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "ring3/result.h"

namespace ring3::attach {

inline constexpr std::size_t kMostOrdered = 64;

/// Flags of an attachment that the list knows; the caller has refused others.
inline constexpr std::uint32_t kOrderFlags =
    uapi::BPF_F_REPLACE | uapi::BPF_F_BEFORE | uapi::BPF_F_AFTER | uapi::BPF_F_ID | uapi::BPF_F_LINK_ATTACH;

/// What a position is relative to; both null: nothing. With `link`, only the entry that link owns.
struct Relative {
  Ref<prog::Program> program;
  const Link* link = nullptr;
  Ref<Object> keep = nullptr;  // what `link` points to
};

struct OrderedEntry {
  Ref<prog::Program> program;
  const Link* link = nullptr;  // owner; null: attached by itself
  std::uint32_t link_id = 0;
  std::optional<RunConfig> config = std::nullopt;  // present in a chain
};

class OrderedList {
 public:
  /// most: 1: whoever comes second gets kBusy.
  explicit OrderedList(std::size_t most = kMostOrdered) : most_(most) {}
  /// Everything has been detached by links; what is left goes.
  ~OrderedList();
  OrderedList(const OrderedList&) = delete;
  OrderedList& operator=(const OrderedList&) = delete;

  /// revision: the one expected, 0: any. replaced: with BPF_F_REPLACE, the program that goes. config: of programs in a chain.
  /// Errors: kStale; kExist the program is here already; kNoEnt, kBusy `replaced` or `to` is not here, or is a link's;
  /// kRange positions that do not coincide, or the list is full; kInval `to` without a direction.
  Result<void> attach(Ref<prog::Program> program, const Link* link, const prog::Program* replaced, std::uint32_t flags,
                      const Relative& to, std::uint64_t revision, std::optional<RunConfig> config = std::nullopt);
  /// program null: by position. Errors: kInval BPF_F_REPLACE, or `to` without a direction; kStale; kNoEnt; kBusy; kRange.
  Result<void> detach(const prog::Program* program, const Link* link, std::uint32_t flags, const Relative& to,
                      std::uint64_t revision);

  /// A link goes, for good: its program gets no further turn. Allocates where it can and does without where it cannot.
  void leave(const Link* link) noexcept;
  /// The place is taken away: no program runs there from now on, and none comes (kNoDev). Gives the links that stood here, those whose last
  /// reference is not going at this moment; they are detached by the caller. Errors: kNoMem, and nothing has changed.
  Result<std::vector<Ref<Link>>> close();

  struct View {
    std::uint64_t revision;
    std::vector<OrderedEntry> entries;
  };
  View view() const;

  /// Runs the programs in order until one answers something else than `next` or its chain goes on with. `next` when there are none, `end`
  /// when none decided. Any thread.
  std::uint32_t run(void* ctx, std::uint32_t next, std::uint32_t end) const noexcept;

 private:
  struct Published {
    rcu::Deferred retired;  // first: the deferred call gets its address
    std::vector<Turn> turns;
  };
  static constexpr int kNowhere = -1000;

  int before(const Relative& to) const RING3_REQUIRES(mutex_);
  int after(const Relative& to) const RING3_REQUIRES(mutex_);
  Result<int> exact(const prog::Program& program, const Link* link) const RING3_REQUIRES(mutex_);
  /// `place`, narrowed by the directions in flags. Errors: kNoEnt, kRange.
  Result<int> directed(int place, std::uint32_t flags, const Relative& to) const RING3_REQUIRES(mutex_);
  /// Behind the last one that does not run after it.
  int place_of(const RunConfig& config) const RING3_REQUIRES(mutex_);
  /// These are the entries now. std::bad_alloc: nothing has changed.
  void publish(std::vector<OrderedEntry> next) RING3_REQUIRES(mutex_);
  static Published* make(const std::vector<OrderedEntry>& entries);
  void swap_in(Published* fresh) RING3_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<OrderedEntry> entries_ RING3_GUARDED_BY(mutex_);
  std::uint64_t revision_ RING3_GUARDED_BY(mutex_) = 1;
  const std::size_t most_;
  bool closed_ RING3_GUARDED_BY(mutex_) = false;
  std::atomic<Published*> published_{nullptr};
};

}  // namespace ring3::attach
