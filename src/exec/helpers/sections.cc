// Sections that programs open themselves. A run stands in a read section from its first instruction to its last
// (program_entry.h), and one that touches per-CPU state holds its slot as long: both are there already, and the verifier
// sees to it that they are used in pairs.
#include "exec/helpers/kfunc_rows.h"

namespace ring3::exec {
namespace {

std::uint64_t nothing(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 0; }

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_rcu_read_lock", nothing},
    {"bpf_rcu_read_unlock", nothing},
    {"bpf_preempt_disable", nothing},
    {"bpf_preempt_enable", nothing},
};

}  // namespace

KfuncRows section_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
