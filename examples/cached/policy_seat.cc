#include "policy_seat.h"

#include <algorithm>
#include <cstdio>

namespace cached {

using ring3::Errno;
using ring3::Result;

namespace {

/// What programs may keep: counted by ring3, printed as "cache_obj #ID".
ring3::KptrOptions<cache_obj> counted_objects() {
  auto options = ring3::counted_kptr<cache_obj, Entry>();
  options.print = [](const cache_obj* object, char* text, std::size_t bytes) {
    return std::snprintf(text, bytes, "%llu", object->id);
  };
  return options;
}

}  // namespace

Result<void> PolicySeat::offer(ring3::Runtime& runtime) {
  using namespace ring3::kfunc;
  for (const Result<void>& added : {
           runtime.kptr<cache_obj>(counted_objects()),
           runtime.kfunc<&cache_obj_get>({.flags = kTrustedArgs | kAcquire | kRetNull}),
           runtime.kfunc<&cache_obj_put>({.flags = kRelease}),
       })
    if (!added.ok()) return added.error();

  ring3::StructOpsOptions<cache_policy_ops> options;
  options.required = {&cache_policy_ops::evict};
  options.writable = {ring3::writable(&cache_obj::freq), ring3::writable(&cache_obj::note)};
  options.fallback = &kNativeLru;
  options.context = this;
  options.validate = [](void*, const cache_policy_ops& ops) -> Result<void> {
    return ops.name[0] != 0 ? Result<void>() : Errno::kInval;
  };
  options.activating = [](void* seat, const cache_policy_ops& ops) {
    return static_cast<PolicySeat*>(seat)->activating(ops);
  };
  options.retired = [](void* seat, const cache_policy_ops& ops) { static_cast<PolicySeat*>(seat)->retired(ops); };
  Result<ring3::StructOpsPoint<cache_policy_ops>> point = runtime.struct_ops(options);
  if (!point.ok()) return point.error();
  point_ = *point;
  return {};
}

Result<void> PolicySeat::activating(const cache_policy_ops& ops) {
  auto tenure = std::make_shared<Tenure>();
  {
    const std::lock_guard lock(seated_mutex_);
    seated_.push_back({&ops, std::move(tenure)});
  }
  generation_.fetch_add(1, std::memory_order_release);
  return {};
}

void PolicySeat::retired(const cache_policy_ops& ops) {
  cache_exit_info info{};
  {
    const std::lock_guard lock(seated_mutex_);
    // The same table may have been seated again since: the oldest entry is the one that ends.
    auto it = std::find_if(seated_.begin(), seated_.end(), [&](const Seated& s) { return s.table == &ops; });
    if (it == seated_.end()) return;
    info = {it->tenure->hits, it->tenure->misses, it->tenure->evictions};
    seated_.erase(it);
  }
  ops.exit(&info);
}

const cache_policy_ops* PolicySeat::follow(const cache_policy_ops* table) {
  const std::uint64_t generation = generation_.load(std::memory_order_acquire);
  if (table != bound_ || generation != bound_generation_) {
    bound_generation_ = generation;
    rebind(table);
  }
  return used_;
}

void PolicySeat::rebind(const cache_policy_ops* table) {
  // The generation is raised shortly before the table changes: then this is still the one that is bound.
  std::shared_ptr<Tenure> tenure;
  {
    const std::lock_guard lock(seated_mutex_);
    for (const Seated& s : seated_)
      if (s.table == table) tenure = s.tenure;
  }
  if (table == bound_ && (tenure == nullptr || tenure == tenure_)) return;

  bound_ = used_ = table;
  tenure_ = tenure != nullptr ? std::move(tenure) : std::make_shared<Tenure>();
  ++takeovers_;
  if (table->init(store_.view()) != 0) {
    point_.eject(*table);
    used_ = &kNativeLru;
    tenure_ = std::make_shared<Tenure>();
  }
  store_.for_each_by_age([&](Entry* entry) {
    entry->freq = 0;
    entry->note[0] = entry->note[1] = 0;
    used_->on_insert(store_.view(), entry);
  });
}

}  // namespace cached
