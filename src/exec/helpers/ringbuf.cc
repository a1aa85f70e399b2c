// Ring buffers, as bpf-helpers(7) describes them; the buffer itself is maps/ringbuf.h.
#include "maps/ringbuf.h"

#include "exec/helpers/rows.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

maps::Map& map_of(std::uint64_t r) { return *pointer_register<maps::Map>(r); }

std::uint64_t output(std::uint64_t map, std::uint64_t data, std::uint64_t size, std::uint64_t flags, std::uint64_t,
                     RunContext&) {
  return to_register(maps::ringbuf_output(map_of(map), pointer_register<void>(data), size, flags));
}
std::uint64_t reserve(std::uint64_t map, std::uint64_t size, std::uint64_t flags, std::uint64_t, std::uint64_t,
                      RunContext&) {
  return reinterpret_cast<std::uint64_t>(maps::ringbuf_reserve(map_of(map), size, flags));
}
std::uint64_t submit(std::uint64_t sample, std::uint64_t flags, std::uint64_t, std::uint64_t, std::uint64_t,
                     RunContext&) {
  maps::ringbuf_submit(pointer_register<void>(sample), flags);
  return 0;
}
std::uint64_t discard(std::uint64_t sample, std::uint64_t flags, std::uint64_t, std::uint64_t, std::uint64_t,
                      RunContext&) {
  maps::ringbuf_discard(pointer_register<void>(sample), flags);
  return 0;
}
std::uint64_t query(std::uint64_t map, std::uint64_t what, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return maps::ringbuf_query(map_of(map), what);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(ringbuf_output, output),   RING3_HELPER(ringbuf_reserve, reserve),
    RING3_HELPER(ringbuf_submit, submit),   RING3_HELPER(ringbuf_discard, discard),
    RING3_HELPER(ringbuf_query, query),
};

}  // namespace

HelperRows ringbuf_helpers() { return kRows; }

}  // namespace ring3::exec
