// Frames of XDP: moving their ends, copying out of and into them. The context is a rewrite::PacketRecord. The head and the metadata are
// always in the first buffer; the tail is in the last one.
#include <algorithm>
#include <cstring>

#include "exec/frame.h"
#include "exec/helpers/rows.h"

namespace ring3::exec {
namespace {

using rewrite::PacketRecord;

PacketRecord& frame_of(std::uint64_t ctx) { return *pointer_register<PacketRecord>(ctx); }
std::int32_t signed_argument(std::uint64_t r) { return static_cast<std::int32_t>(r); }
constexpr auto kLeast = static_cast<std::ptrdiff_t>(kEthernetHeader);

std::uint64_t adjust_head(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = frame_of(ctx);
  const std::ptrdiff_t meta_bytes = p.data - p.data_meta;
  const std::ptrdiff_t new_off = p.data - p.room_start + signed_argument(delta);
  if (new_off < meta_bytes || new_off > p.data_end - p.room_start - kLeast) return error_register(Errno::kInval);
  std::byte* const data = p.room_start + new_off;
  std::memmove(data - meta_bytes, p.data_meta, static_cast<std::size_t>(meta_bytes));
  p.data_meta = data - meta_bytes;
  p.data = data;
  return 0;
}

/// Of the first buffer.
std::uint64_t move_first_tail(PacketRecord& p, std::int64_t by) {
  const std::int64_t length = p.data_end - p.data + by;
  if (length < kLeast || length > p.room_end - p.data) return error_register(Errno::kInval);
  if (by > 0) std::memset(p.data_end, 0, static_cast<std::size_t>(by));
  p.data_end = p.data + length;
  return 0;
}

/// A frame grows in its last buffer only.
std::uint64_t grow_last(PacketRecord& p, std::uint32_t by) {
  const std::uint32_t used = p.more_bytes % kBufferBytes;
  if (by > (used == 0 ? 0 : kBufferBytes - used)) return error_register(Errno::kInval);
  std::memset(p.more + p.more_bytes, 0, by);
  p.more_bytes += by;
  return 0;
}

/// It shrinks across them, down to a header.
std::uint64_t shrink(PacketRecord& p, std::int64_t by) {
  if (by > static_cast<std::int64_t>(frame_bytes(p)) - kLeast) return error_register(Errno::kInval);
  const std::int64_t from_more = std::min<std::int64_t>(by, p.more_bytes);
  p.more_bytes -= static_cast<std::uint32_t>(from_more);
  p.data_end -= by - from_more;
  return 0;
}

std::uint64_t adjust_tail(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = frame_of(ctx);
  const std::int64_t by = signed_argument(delta);
  if (p.more_bytes == 0) return move_first_tail(p, by);
  return by < 0 ? shrink(p, -by) : grow_last(p, static_cast<std::uint32_t>(by));
}

constexpr std::ptrdiff_t kMaxMetadata = 255;

std::uint64_t adjust_meta(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = frame_of(ctx);
  const std::ptrdiff_t new_off = p.data_meta - p.room_start + signed_argument(delta);
  const std::ptrdiff_t meta_bytes = p.data - p.room_start - new_off;
  if (new_off < 0 || meta_bytes < 0) return error_register(Errno::kInval);
  if (meta_bytes % 4 != 0 || meta_bytes > kMaxMetadata) return error_register(Errno::kAcces);
  p.data_meta = p.room_start + new_off;
  return 0;
}

std::uint64_t frame_length(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return frame_bytes(frame_of(ctx));
}

constexpr std::uint32_t kMaxReach = UINT16_MAX;

/// Whether [off, off + size) of the frame is within a helper's reach. Errors: kFault numbers of no frame, kInval outside of this one.
Result<void> check_reach(const PacketRecord& p, std::uint64_t off, std::uint64_t size) {
  const auto from = static_cast<std::uint32_t>(off), bytes = static_cast<std::uint32_t>(size);
  if (from > kMaxReach || bytes > kMaxReach) return Errno::kFault;
  return frame_holds(p, from, bytes) ? Result<void>() : Result<void>(Errno::kInval);
}

std::uint64_t load_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t to, std::uint64_t size, std::uint64_t,
                         RunContext&) {
  const PacketRecord& p = frame_of(ctx);
  if (const Result<void> ok = check_reach(p, off, size); !ok) {
    std::memset(pointer_register<void>(to), 0, static_cast<std::uint32_t>(size));  // to the verifier it is written
    return error_register(ok.error());
  }
  copy_from_frame(p, static_cast<std::uint32_t>(off), pointer_register<void>(to), static_cast<std::uint32_t>(size));
  return 0;
}

std::uint64_t store_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t from, std::uint64_t size, std::uint64_t,
                          RunContext&) {
  const PacketRecord& p = frame_of(ctx);
  if (const Result<void> ok = check_reach(p, off, size); !ok) return error_register(ok.error());
  copy_to_frame(p, static_cast<std::uint32_t>(off), pointer_register<void>(from), static_cast<std::uint32_t>(size));
  return 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(xdp_adjust_head, adjust_head),   RING3_HELPER(xdp_adjust_tail, adjust_tail),
    RING3_HELPER(xdp_adjust_meta, adjust_meta),   RING3_HELPER(xdp_get_buff_len, frame_length),
    RING3_HELPER(xdp_load_bytes, load_bytes),     RING3_HELPER(xdp_store_bytes, store_bytes),
};

}  // namespace

HelperRows frame_helpers() { return kRows; }

}  // namespace ring3::exec
