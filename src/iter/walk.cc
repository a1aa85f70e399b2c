#include "iter/walk.h"

namespace ring3::iter {

std::size_t argument_count(model::IterTarget target) { return target == model::IterTarget::kMapElem ? 3 : 1; }

std::unique_ptr<Walk> make_walk(model::IterTarget target, const WalkWorld& world, const WalkScope& scope) {
  switch (target) {
    case model::IterTarget::kMap: return walk_maps(world);
    case model::IterTarget::kMapElem: return walk_elements(world, scope.map);
    case model::IterTarget::kProg: return walk_programs(world);
    case model::IterTarget::kLink: return walk_links(world);
    case model::IterTarget::kTask: return walk_tasks(world, scope);
  }
  return nullptr;
}

}  // namespace ring3::iter
