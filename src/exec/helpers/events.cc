// Output into event buffers. Programs whose context is a packet may have its first bytes appended (BPF_F_CTXLEN_MASK).
#include "maps/event_buffer.h"

#include <algorithm>

#include "exec/frame.h"
#include "exec/helpers/rows.h"
#include "exec/run_context.h"
#include "rewrite/packet_record.h"

namespace ring3::exec {
namespace {

std::uint64_t output(std::uint64_t map, std::uint64_t flags, std::uint64_t data, std::uint64_t size, std::span<const std::byte> more = {},
                     std::span<const std::byte> rest = {}) {
  return to_register(maps::event_output(*pointer_register<maps::Map>(map), flags,
                                        {pointer_register<const std::byte>(data), static_cast<std::size_t>(size)}, more, rest));
}

std::uint64_t perf_event_output(std::uint64_t, std::uint64_t map, std::uint64_t flags, std::uint64_t data,
                                std::uint64_t size, RunContext&) {
  return output(map, flags, data, size);
}

/// Of a packet or a frame; the latter's bytes go on behind its first buffer. Flags are looked at before the length.
std::uint64_t packet_event_output(std::uint64_t ctx, std::uint64_t map, std::uint64_t flags, std::uint64_t data, std::uint64_t size,
                                  RunContext&) {
  constexpr std::uint64_t kLengthMask = uapi::BPF_F_CTXLEN_MASK, kKnown = kLengthMask | uapi::BPF_F_INDEX_MASK;
  if ((flags & ~kKnown) != 0) return error_register(Errno::kInval);
  const rewrite::PacketRecord& p = *pointer_register<rewrite::PacketRecord>(ctx);
  const std::uint64_t wanted = (flags & kLengthMask) >> 32;
  if (wanted > frame_bytes(p)) return error_register(Errno::kFault);
  const std::uint64_t first = std::min<std::uint64_t>(wanted, static_cast<std::uint64_t>(p.data_end - p.data));
  return output(map, flags & ~kLengthMask, data, size, {p.data, static_cast<std::size_t>(first)},
                {p.more, static_cast<std::size_t>(wanted - first)});
}

constexpr rewrite::HelperCall kRows[] = {RING3_HELPER(perf_event_output, perf_event_output)};
constexpr rewrite::HelperCall kPacketRows[] = {{rewrite::kPacketEventHelper, "bpf_perf_event_output", packet_event_output},
                                               {rewrite::kFrameEventHelper, "bpf_perf_event_output", packet_event_output}};

}  // namespace

HelperRows event_helpers() { return kRows; }
HelperRows packet_event_helpers() { return kPacketRows; }

}  // namespace ring3::exec
