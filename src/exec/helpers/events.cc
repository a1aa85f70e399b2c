// Output into event buffers. A packet's bytes cannot be appended by flag (BPF_F_CTXLEN_MASK) yet: -EINVAL.
#include "maps/event_buffer.h"

#include "exec/helpers/rows.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

std::uint64_t perf_event_output(std::uint64_t, std::uint64_t map, std::uint64_t flags, std::uint64_t data,
                                std::uint64_t size, RunContext&) {
  return to_register(maps::event_output(*pointer_register<maps::Map>(map), flags,
                                        {pointer_register<const std::byte>(data), static_cast<std::size_t>(size)}));
}

constexpr rewrite::HelperCall kRows[] = {RING3_HELPER(perf_event_output, perf_event_output)};

}  // namespace

HelperRows event_helpers() { return kRows; }

}  // namespace ring3::exec
