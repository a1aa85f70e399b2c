// One walk over the elements of a target, in order, from where it stands. A walk keeps what it shows alive until it
// moves on or lets go; what goes meanwhile is passed over, what comes may be seen.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "btf/btf.h"
#include "maps/map.h"
#include "model/iter_targets.h"
#include "object/object_table.h"
#include "ring3/result.h"

namespace ring3::exec {
class Tasks;
}

namespace ring3::iter {

/// What a link may narrow a walk to.
struct WalkScope {
  Ref<maps::Map> map;      // bpf_map_elem
  std::uint32_t tid = 0;   // task: this one
  std::uint32_t pid = 0;   // task: the threads of this process
  std::uint32_t map_fd = 0;  // what the client named, until `map` is found
};

class Walk {
 public:
  virtual ~Walk() = default;
  /// Holds the element at the walk's place, or the next there is. False: the end. Errors: kNoMem, the system's.
  virtual Result<bool> hold() = 0;
  /// Lets go of what is held; the place stays.
  virtual void let_go() noexcept {}
  /// The place behind what is held.
  virtual void step() = 0;
  /// What the program gets behind the meta data for the element held; zeros at the end.
  virtual void arguments(std::span<std::uint64_t> out) = 0;
  /// The map that the first of them shows; null: it shows none.
  virtual const maps::Map* shown_map() const { return nullptr; }
};

/// How many arguments() a target has.
std::size_t argument_count(model::IterTarget target);

struct WalkWorld {
  ObjectTable& objects;
  const btf::Btf& btf;  // the host's; outlives the walk
  exec::Tasks& tasks;
};
std::unique_ptr<Walk> make_walk(model::IterTarget target, const WalkWorld& world, const WalkScope& scope);

// One file each.
std::unique_ptr<Walk> walk_maps(const WalkWorld& world);
std::unique_ptr<Walk> walk_programs(const WalkWorld& world);
std::unique_ptr<Walk> walk_links(const WalkWorld& world);
std::unique_ptr<Walk> walk_tasks(const WalkWorld& world, const WalkScope& scope);
std::unique_ptr<Walk> walk_elements(const WalkWorld& world, Ref<maps::Map> map);

}  // namespace ring3::iter
