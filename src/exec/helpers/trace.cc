// What a tracing program may ask about its attachment, and about the call it runs for.
#include "exec/detour.h"
#include "exec/helpers/rows.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

std::uint64_t func_ip(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.func_ip;
}
std::uint64_t attach_cookie(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.attach_cookie;
}

/// Errors in the register: kInval there is no such argument.
std::uint64_t func_arg(std::uint64_t, std::uint64_t n, std::uint64_t to, std::uint64_t, std::uint64_t, RunContext& run) {
  const TracedCall* const call = run.traced;
  const auto arg = static_cast<std::uint32_t>(n);
  if (call == nullptr || arg >= call->args) return error_register(Errno::kInval);
  *pointer_register<std::uint64_t>(to) = call->slots[arg];
  return 0;
}

/// Errors in the register: kOpNotSupp the function has not returned yet.
std::uint64_t func_ret(std::uint64_t, std::uint64_t to, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  const TracedCall* const call = run.traced;
  if (call == nullptr || !call->has_result) return error_register(Errno::kOpNotSupp);
  *pointer_register<std::uint64_t>(to) = call->slots[call->args];
  return 0;
}

std::uint64_t func_arg_cnt(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.traced != nullptr ? run.traced->args : 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_func_ip, func_ip),
    RING3_HELPER(get_attach_cookie, attach_cookie),
    RING3_HELPER(get_func_arg, func_arg),
    RING3_HELPER(get_func_ret, func_ret),
    RING3_HELPER(get_func_arg_cnt, func_arg_cnt),
};

}  // namespace

HelperRows trace_helpers() { return kRows; }

}  // namespace ring3::exec
