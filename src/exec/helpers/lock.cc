// bpf_spin_lock: the word inside the map value, shared with updates that pass BPF_F_LOCK.
#include "exec/helpers/rows.h"
#include "maps/word_lock.h"

namespace ring3::exec {
namespace {

std::uint64_t spin_lock(std::uint64_t lock, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  maps::word_lock(pointer_register<std::uint32_t>(lock));
  return 0;
}
std::uint64_t spin_unlock(std::uint64_t lock, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  maps::word_unlock(pointer_register<std::uint32_t>(lock));
  return 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_RUNLESS_HELPER(spin_lock, spin_lock),
    RING3_RUNLESS_HELPER(spin_unlock, spin_unlock),
};

}  // namespace

HelperRows lock_helpers() { return kRows; }

}  // namespace ring3::exec
