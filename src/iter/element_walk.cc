// Elements of one map. The keys are those there were when the walk started; elements that went since are passed over.
// A program gets the element's own value, which it may write, or for per-CPU kinds a copy of every CPU's.
//
// Locking: a read section from hold() to let_go(), so that the value stays in memory while the program runs.
#include <algorithm>
#include <optional>
#include <vector>

#include "btf/host_view.h"
#include "iter/object_views.h"
#include "iter/walk.h"
#include "maps/client_access.h"
#include "object/rcu.h"

namespace ring3::iter {
namespace {

class ElementWalk final : public Walk {
 public:
  ElementWalk(const WalkWorld& world, Ref<maps::Map> map) : view_(world.btf, "bpf_map"), map_(std::move(map)) {
    fill_map(view_, *map_);
    per_cpu_ = map_->ops().data.lookup_percpu != nullptr;
    if (per_cpu_) copy_.resize(map_->value_bytes());
    std::vector<std::byte> key(map_->key_size());
    // A key that goes while it is the last one would start the list again: no more than there may be.
    const std::size_t limit = std::size_t{map_->max_entries()} * 2;
    for (auto more = maps::next_key(*map_, {}, key); more.ok() && keys_.size() < limit;) {
      keys_.push_back(key);
      more = maps::next_key(*map_, keys_.back(), key);
    }
  }

  Result<bool> hold() override {
    for (; at_ < keys_.size(); ++at_) {
      section_.emplace();
      value_ = per_cpu_ ? every_copy() : map_->ops().data.lookup(*map_, keys_[at_].data());
      if (value_ != nullptr) return true;
      section_.reset();
    }
    return false;
  }
  void let_go() noexcept override {
    section_.reset();
    value_ = nullptr;
  }
  void step() override {
    let_go();
    ++at_;
  }
  void arguments(std::span<std::uint64_t> out) override {
    out[0] = reinterpret_cast<std::uintptr_t>(view_.data());
    out[1] = value_ != nullptr ? reinterpret_cast<std::uintptr_t>(keys_[at_].data()) : 0;
    out[2] = reinterpret_cast<std::uintptr_t>(value_);
  }
  const maps::Map* shown_map() const override { return map_.get(); }

 private:
  void* every_copy() {
    return maps::lookup_elem(*map_, keys_[at_], copy_, 0).ok() ? copy_.data() : nullptr;
  }

  btf::HostView view_;
  Ref<maps::Map> map_;
  bool per_cpu_ = false;
  std::vector<std::vector<std::byte>> keys_;
  std::vector<std::byte> copy_;
  std::size_t at_ = 0;
  void* value_ = nullptr;
  std::optional<rcu::ReadSection> section_;
};

}  // namespace

std::unique_ptr<Walk> walk_elements(const WalkWorld& world, Ref<maps::Map> map) {
  return std::make_unique<ElementWalk>(world, std::move(map));
}

}  // namespace ring3::iter
