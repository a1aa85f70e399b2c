// bpf_map_sum_elem_count().
#include "exec/helpers/kfunc_rows.h"
#include "exec/run_context.h"
#include "exec/seq_output.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

/// shown (the verifier says): `map` is a struct of the host's, which stands for the map that the run is shown and for no other. The
/// host's own structs of that type are maps of no kind that counts.
std::uint64_t sum_elem_count(std::uint64_t map, std::uint64_t shown, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  if (shown == 0) return pointer_register<maps::Map>(map)->element_count();
  if (run.seq == nullptr || pointer_register<void>(map) != run.seq->shown.as) return 0;
  return run.seq->shown.map->element_count();
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_map_sum_elem_count", sum_elem_count},
};

}  // namespace

KfuncRows map_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
