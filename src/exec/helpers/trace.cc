// What a tracing program may ask about its attachment.
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

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_func_ip, func_ip),
    RING3_HELPER(get_attach_cookie, attach_cookie),
};

}  // namespace

HelperRows trace_helpers() { return kRows; }

}  // namespace ring3::exec
