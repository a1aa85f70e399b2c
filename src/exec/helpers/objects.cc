// Objects of programs' own types: made, counted, ended, and the copies of per-CPU ones. maps/allocated_type.h does it.
#include "maps/allocated_type.h"

#include "exec/helpers/kfunc_rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"
#include "model/host_symbols.h"

namespace ring3::exec {
namespace {

using maps::AllocatedType;

const AllocatedType& type_of(std::uint64_t r) { return *pointer_register<const AllocatedType>(r); }

std::uint64_t obj_new(std::uint64_t, std::uint64_t type, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(type_of(type).allocate());
}
std::uint64_t obj_drop(std::uint64_t object, std::uint64_t type, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  type_of(type).drop(pointer_register<void>(object));
  return 0;
}
std::uint64_t percpu_obj_new(std::uint64_t, std::uint64_t type, std::uint64_t, std::uint64_t, std::uint64_t,
                             RunContext& run) {
  return address_register(type_of(type).allocate_percpu(run.host->possible_cpus()));
}
std::uint64_t percpu_obj_drop(std::uint64_t object, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  AllocatedType::drop_percpu(pointer_register<void>(object));
  return 0;
}
std::uint64_t refcount_acquire(std::uint64_t object, std::uint64_t type, std::uint64_t, std::uint64_t, std::uint64_t,
                               RunContext&) {
  return type_of(type).acquire(pointer_register<void>(object)) ? object : 0;
}

/// Types are the verifier's business.
std::uint64_t same(std::uint64_t pointer, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return pointer;
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_obj_new_impl", obj_new},
    {"bpf_obj_drop_impl", obj_drop},
    {"bpf_percpu_obj_new_impl", percpu_obj_new},
    {"bpf_percpu_obj_drop_impl", percpu_obj_drop},
    {"bpf_refcount_acquire_impl", refcount_acquire},
    {"bpf_cast_to_kern_ctx", same},
    {"bpf_rdonly_cast", same},
};

/// A CPU's copy of a variable of the host or of an object of the program.
std::uint64_t copy_of(std::uint64_t named, std::uint32_t cpu) {
  if (const model::HostVariable* variable = model::percpu_variable(named))
    return address_register(static_cast<const std::byte*>(variable->first) + std::size_t{variable->stride_bytes} * cpu);
  return address_register(AllocatedType::percpu_copy(pointer_register<void>(named), cpu));
}

/// Null for a CPU that cannot be.
std::uint64_t per_cpu_ptr(std::uint64_t object, std::uint64_t cpu, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext& run) {
  const auto number = static_cast<std::uint32_t>(cpu);
  if (number >= run.host->possible_cpus()) return 0;
  return copy_of(object, number);
}
std::uint64_t this_cpu_ptr(std::uint64_t object, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                           RunContext& run) {
  return copy_of(object, current_cpu(*run.machine));
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(per_cpu_ptr, per_cpu_ptr),
    RING3_HELPER(this_cpu_ptr, this_cpu_ptr),
};

}  // namespace

KfuncRows object_kfuncs() { return kKfuncs; }
HelperRows object_helpers() { return kRows; }

}  // namespace ring3::exec
