// The families of helpers. Each file names its own in one list of rows; table.cc joins them by number.
#pragma once

#include <span>

#include "ring3/errno.h"
#include "rewrite/xlated.h"
#include "uapi/bpf.h"

namespace ring3::exec {

using HelperRows = std::span<const rewrite::HelperCall>;

HelperRows map_helpers();
HelperRows lock_helpers();
HelperRows callback_helpers();
HelperRows clock_helpers();
HelperRows machine_clock_helpers();  // in the place of clock_helpers()
HelperRows tail_call_helpers();      // not among the numbers of enum bpf_func_id
HelperRows cpu_helpers();
HelperRows task_helpers();
HelperRows print_helpers();
HelperRows packet_helpers();
HelperRows network_helpers();
HelperRows vlan_helpers();
HelperRows frame_helpers();
HelperRows redirect_helpers();
HelperRows xdp_redirect_helpers();  // nor is this one
HelperRows packet_load_helpers();  // not among the numbers of enum bpf_func_id
HelperRows weak_helpers();         // nor are these
HelperRows text_helpers();
HelperRows probe_helpers();
HelperRows ringbuf_helpers();
HelperRows trace_helpers();
HelperRows storage_helpers();
HelperRows event_helpers();
HelperRows packet_event_helpers();  // not among the numbers of enum bpf_func_id
HelperRows object_helpers();
HelperRows deferred_helpers();
HelperRows dynptr_helpers();
HelperRows seq_helpers();
HelperRows show_helpers();
HelperRows stack_helpers();
HelperRows syscall_helpers();

/// What a helper returns for an error: the negated errno as a 64-bit register.
constexpr std::uint64_t error_register(Errno e) { return static_cast<std::uint64_t>(std::int64_t{to_syscall(e)}); }
constexpr std::uint64_t to_register(long value) { return static_cast<std::uint64_t>(value); }
template <typename T>
T* pointer_register(std::uint64_t r) {
  return reinterpret_cast<T*>(r);
}

}  // namespace ring3::exec

/// A row: RING3_HELPER(ktime_get_ns, function).
#define RING3_HELPER(name, function) \
  ::ring3::rewrite::HelperCall { ::ring3::uapi::BPF_FUNC_##name, "bpf_" #name, function }
/// Of a function that never looks at the run (HelperCall::needs_run).
#define RING3_RUNLESS_HELPER(name, function) \
  ::ring3::rewrite::HelperCall { ::ring3::uapi::BPF_FUNC_##name, "bpf_" #name, function, false }
