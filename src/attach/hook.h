// Places of the host where clients attach programs, in order or one alone: one HookPoint per device and direction, made by the host and
// there until the host takes it away: links then are detached. What kinds of place there are, which programs they take and how a run goes on
// from one program to the next are rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "attach/link.h"
#include "attach/ordered_list.h"
#include "base/mutex.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::attach {

struct HookKind {
  uapi::bpf_attach_type attach;
  uapi::bpf_prog_type program;
  uapi::bpf_link_type link;
  const char* name;    // of the link kind
  std::uint32_t next;  // a program's answer that lets the following one run
  /// One program, which a link holds; PROG_ATTACH and its like know nothing of it. Its links take flags of their own.
  bool is_alone = false;
  std::uint32_t alone_flags = 0;
  std::uint32_t chain_end = 0;  // what a chain of programs answers when none decided
};

/// Null: no ordered hook has this attach type.
const HookKind* find_hook_kind(std::uint32_t attach_type);

class HookPoint {
 public:
  /// chains: where one program would be alone, many run one after the other, as each says itself (run_config.h).
  HookPoint(const HookKind& kind, std::uint32_t ifindex, std::string name, bool chains)
      : kind_(kind), ifindex_(ifindex), name_(std::move(name)), chains_(chains), list_(kind.is_alone && !chains ? 1 : kMostOrdered) {}
  const HookKind& kind() const { return kind_; }
  std::uint32_t ifindex() const { return ifindex_; }
  const std::string& name() const { return name_; }
  bool chains() const { return chains_; }
  OrderedList& list() { return list_; }
  /// Runs what is attached; kind().next when there is nothing, or nobody decided and they are no chain. Any thread.
  std::uint32_t run(void* ctx) const noexcept { return list_.run(ctx, kind_.next, chains_ ? kind_.chain_end : kind_.next); }

 private:
  const HookKind& kind_;
  const std::uint32_t ifindex_;
  const std::string name_;
  const bool chains_;
  OrderedList list_;
};

/// The points of one runtime. Thread-safe.
class Hooks {
 public:
  /// Errors: kInval no ordered hook has this attach type, device 0, or a chain where programs are ordered by their owners; kExist the device
  /// has this point already.
  Result<std::shared_ptr<HookPoint>> add(std::uint32_t attach_type, std::uint32_t ifindex, std::string name, bool chains = false);
  /// What is attached there goes, links become detached. Errors: kNoEnt it was removed already; kNoMem.
  Result<void> remove(HookPoint& point);
  /// Null: the host has no such point.
  std::shared_ptr<HookPoint> find(std::uint32_t attach_type, std::uint32_t ifindex) const;
  /// Those of an attach type, in no order.
  std::vector<std::shared_ptr<HookPoint>> all(std::uint32_t attach_type) const;
  bool has_device(std::uint32_t ifindex) const;

 private:
  std::shared_ptr<HookPoint> find_locked(std::uint32_t attach_type, std::uint32_t ifindex) const RING3_REQUIRES(mutex_);
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<HookPoint>> points_ RING3_GUARDED_BY(mutex_);
};

/// Where a new link wants to stand.
struct OrderWish {
  std::uint32_t flags = 0;
  Relative to;
  std::uint64_t revision = 0;
  std::optional<RunConfig> config = std::nullopt;  // in a chain
};

/// Unpublished, pending, one reference; attach() asks for the place (kBusy: it is taken, where one program is alone).
/// Errors: kInval the program is of another type than the point's, or flags that links do not take.
Result<Ref<Link>> create_hook_link(std::shared_ptr<HookPoint> point, Ref<prog::Program> program, OrderWish wish, Birth birth);

/// It holds a program among others that say themselves where they run: the next one must say so as well.
bool stands_in_chain(const Link& link);

}  // namespace ring3::attach
