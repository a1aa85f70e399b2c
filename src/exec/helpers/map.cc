// Map operations. An operation the kind lacks answers with the kind's errno; the verifier has refused
// such calls already, so this is the second lock on the door.
#include "exec/helpers/rows.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

maps::Map& map_of(std::uint64_t r) { return *pointer_register<maps::Map>(r); }

std::uint64_t missing(const maps::Map& map) { return error_register(map.ops().control.missing); }

std::uint64_t lookup(std::uint64_t map, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const auto op = map_of(map).ops().data.lookup;
  return op == nullptr ? 0 : reinterpret_cast<std::uint64_t>(op(map_of(map), pointer_register<void>(key)));
}

std::uint64_t lookup_percpu(std::uint64_t map, std::uint64_t key, std::uint64_t cpu, std::uint64_t, std::uint64_t,
                            RunContext&) {
  const auto op = map_of(map).ops().data.lookup_percpu;
  const std::uint32_t slot = static_cast<std::uint32_t>(cpu);
  if (op == nullptr || slot >= map_of(map).host().possible_cpus()) return 0;
  return reinterpret_cast<std::uint64_t>(op(map_of(map), pointer_register<void>(key), slot));
}

std::uint64_t update(std::uint64_t map, std::uint64_t key, std::uint64_t value, std::uint64_t flags, std::uint64_t,
                     RunContext&) {
  const auto op = map_of(map).ops().data.update;
  if (op == nullptr) return missing(map_of(map));
  return to_register(op(map_of(map), pointer_register<void>(key), pointer_register<void>(value), flags));
}

std::uint64_t erase(std::uint64_t map, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const auto op = map_of(map).ops().data.erase;
  return op == nullptr ? missing(map_of(map)) : to_register(op(map_of(map), pointer_register<void>(key)));
}

std::uint64_t push(std::uint64_t map, std::uint64_t value, std::uint64_t flags, std::uint64_t, std::uint64_t,
                   RunContext&) {
  const auto op = map_of(map).ops().data.push;
  return op == nullptr ? missing(map_of(map)) : to_register(op(map_of(map), pointer_register<void>(value), flags));
}

std::uint64_t pop(std::uint64_t map, std::uint64_t value, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const auto op = map_of(map).ops().data.pop;
  return op == nullptr ? missing(map_of(map)) : to_register(op(map_of(map), pointer_register<void>(value)));
}

std::uint64_t peek(std::uint64_t map, std::uint64_t value, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const auto op = map_of(map).ops().data.peek;
  return op == nullptr ? missing(map_of(map)) : to_register(op(map_of(map), pointer_register<void>(value)));
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(map_lookup_elem, lookup),
    RING3_HELPER(map_lookup_percpu_elem, lookup_percpu),
    RING3_HELPER(map_update_elem, update),
    RING3_HELPER(map_delete_elem, erase),
    RING3_HELPER(map_push_elem, push),
    RING3_HELPER(map_pop_elem, pop),
    RING3_HELPER(map_peek_elem, peek),
};

}  // namespace

HelperRows map_helpers() { return kRows; }

}  // namespace ring3::exec
