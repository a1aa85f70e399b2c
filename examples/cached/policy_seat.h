// Which policy is in charge of a Store: a client's module, or the native LRU.
//
// The control thread swaps tables at any moment; the cache's thread notices at its next request (Turn) and then
// rebinds: the new policy's init runs, and every cached object is shown to it by age. So one
// request is served by one policy from beginning to end.
//
// Soundness of noticing: a table is the same as before when its address and the generation are. The address alone
// would not do, since a freed table's address may come back; the generation is raised before a new table is put
// in charge, and a Turn reads the address first.
//
// A module's exit runs on the runtime's reclaim thread once nobody is inside any more; what it is told was counted
// by the cache's thread in that module's Tenure.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "native_lru.h"
#include "ring3/runtime.h"
#include "store.h"

namespace cached {

/// What happened while one policy was in charge. Written by the cache's thread alone.
struct Tenure {
  std::atomic<std::uint64_t> hits{0}, misses{0}, evictions{0};
  std::uint64_t bad_choices = 0;  // evict named an object that is not there
};

class PolicySeat {
 public:
  explicit PolicySeat(Store& store) : store_(store), tenure_(std::make_shared<Tenure>()) {}
  PolicySeat(const PolicySeat&) = delete;
  PolicySeat& operator=(const PolicySeat&) = delete;

  /// Offers cache_policy_ops and the functions a policy may call to the runtime's clients. Once, before the first Turn.
  /// The runtime must end before the seat does.
  ring3::Result<void> offer(ring3::Runtime& runtime);

  /// The policy for one request; on the cache's thread.
  class Turn {
   public:
    explicit Turn(PolicySeat& seat) : seat_(seat), guard_(seat.point_.enter()), ops_(seat.follow(guard_.get())) {}
    const cache_policy_ops* operator->() const { return ops_; }
    Tenure& tenure() const { return *seat_.tenure_; }

   private:
    PolicySeat& seat_;
    const ring3::StructOpsGuard<cache_policy_ops> guard_;
    const cache_policy_ops* const ops_;
  };

  /// How often a policy took over, the first time included.
  std::uint64_t takeovers() const { return takeovers_; }

 private:
  const cache_policy_ops* follow(const cache_policy_ops* table);
  void rebind(const cache_policy_ops* table);

  ring3::Result<void> activating(const cache_policy_ops& ops);
  void retired(const cache_policy_ops& ops);

  struct Seated {
    const cache_policy_ops* table;
    std::shared_ptr<Tenure> tenure;
  };

  Store& store_;
  ring3::StructOpsPoint<cache_policy_ops> point_;
  std::atomic<std::uint64_t> generation_{0};
  std::mutex seated_mutex_;
  std::vector<Seated> seated_;  // modules that are, were or are about to be in charge; seated_mutex_

  // The cache's thread alone:
  const cache_policy_ops* bound_ = nullptr;  // what the point said
  const cache_policy_ops* used_ = nullptr;   // bound_, or the fallback when bound_ declined
  std::uint64_t bound_generation_ = 0;
  std::uint64_t takeovers_ = 0;
  std::shared_ptr<Tenure> tenure_;
};

}  // namespace cached
