// Pages of arenas, as Linux's functions give and take them; maps/arena.h has them.
#include "maps/arena.h"

#include "exec/helpers/kfunc_rows.h"
#include "maps/map.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

/// Null: a map of another kind. The verifier lets any map through, as Linux does.
maps::Map* arena_register(std::uint64_t map) {
  auto* const named = pointer_register<maps::Map>(map);
  return named->spec().type == uapi::BPF_MAP_TYPE_ARENA ? named : nullptr;
}

std::uint64_t alloc_pages(std::uint64_t map, std::uint64_t at, std::uint64_t pages, std::uint64_t node, std::uint64_t flags,
                          RunContext&) {
  (void)node;  // one kind of memory
  maps::Map* const arena = arena_register(map);
  if (flags != 0 || arena == nullptr) return 0;
  return maps::arena_alloc_pages(*arena, at, static_cast<std::uint32_t>(pages));
}
std::uint64_t free_pages(std::uint64_t map, std::uint64_t at, std::uint64_t pages, std::uint64_t, std::uint64_t, RunContext&) {
  if (maps::Map* const arena = arena_register(map)) maps::arena_free_pages(*arena, at, static_cast<std::uint32_t>(pages));
  return 0;
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_arena_alloc_pages", alloc_pages},
    {"bpf_arena_free_pages", free_pages},
};

}  // namespace

KfuncRows arena_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
