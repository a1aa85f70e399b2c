#include "verifier/explore/checkpoints.h"

#include <algorithm>

namespace ring3::verifier {

Checkpoint* Checkpoints::add(std::uint32_t idx, PathState&& state) {
  all_.push_back(std::make_unique<Checkpoint>(Checkpoint{.state = std::move(state)}));
  Checkpoint* checkpoint = all_.back().get();
  at_[idx].push_back(checkpoint);
  most_ = std::max(most_, static_cast<std::uint32_t>(at_[idx].size()));
  return checkpoint;
}

void Checkpoints::path_ended(Checkpoint* from) {
  while (from != nullptr && --from->open_paths == 0) from = from->state.parent;
}

void Checkpoints::clear() {
  for (auto& list : at_) list.clear();
  all_.clear();
}

}  // namespace ring3::verifier
