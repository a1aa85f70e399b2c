// bpf_map_sum_elem_count().
#include "exec/helpers/kfunc_rows.h"
#include "exec/run_context.h"
#include "exec/seq_output.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

/// The map, or the struct by which an iterator shows one: the verifier lets nothing else come here (KfuncSpecial::kMapStruct).
std::uint64_t sum_elem_count(std::uint64_t map, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  if (run.seq != nullptr && pointer_register<void>(map) == run.seq->shown.as) return run.seq->shown.map->element_count();
  return pointer_register<maps::Map>(map)->element_count();
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_map_sum_elem_count", sum_elem_count},
};

}  // namespace

KfuncRows map_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
