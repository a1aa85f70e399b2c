// Dynptrs: pieces of memory whose size and place are known at run time, as bpf-helpers(7) describes them. One stands in two
// words of the program's stack; a null one (no memory behind it) is all zeros. Slices of packets are direct where they stand in
// one buffer.
#include <cstring>

#include "exec/frame.h"
#include "exec/helpers/kfunc_rows.h"
#include "exec/run_context.h"
#include "maps/map.h"
#include "maps/ringbuf.h"
#include "rewrite/packet_record.h"

namespace ring3::exec {
namespace {

constexpr std::uint64_t kMaxBytes = (1u << 24) - 1;

enum Kind : std::uint8_t { kMemory, kRecord /* of a ring */, kPacket };

/// struct bpf_dynptr.
struct Dynptr {
  void* data;          // kPacket: the rewrite::PacketRecord
  std::uint32_t bytes : 24;
  std::uint32_t kind : 2;
  std::uint32_t read_only : 1;
  std::uint32_t unused : 5;
  std::uint32_t off;
};
static_assert(sizeof(Dynptr) == 16);

Dynptr& dynptr(std::uint64_t r) { return *pointer_register<Dynptr>(r); }

std::uint64_t make_null(Dynptr& p, Errno e) {
  std::memset(&p, 0, sizeof p);
  return error_register(e);
}

void make(Dynptr& p, Kind kind, void* data, std::uint64_t bytes, bool read_only) {
  std::memset(&p, 0, sizeof p);
  p.data = data;
  p.bytes = static_cast<std::uint32_t>(bytes) & 0xffffff;
  p.kind = static_cast<std::uint8_t>(kind) & 3;
  p.read_only = read_only;
}

bool holds(const Dynptr& p, std::uint32_t off, std::uint32_t bytes) { return bytes <= p.bytes && off <= p.bytes - bytes; }

/// The packet, if bytes [from, from + bytes) of it are still there; it may have become shorter.
const rewrite::PacketRecord* packet_with(const Dynptr& p, std::uint64_t from, std::uint32_t bytes) {
  const auto* packet = static_cast<const rewrite::PacketRecord*>(p.data);
  return frame_holds(*packet, from, bytes) ? packet : nullptr;
}

std::uint64_t from_mem(std::uint64_t data, std::uint64_t size, std::uint64_t flags, std::uint64_t to, std::uint64_t,
                       RunContext&) {
  const std::uint64_t bytes = static_cast<std::uint32_t>(size);
  if (bytes > kMaxBytes) return make_null(dynptr(to), Errno::kTooBig);
  if (flags != 0) return make_null(dynptr(to), Errno::kInval);
  make(dynptr(to), kMemory, pointer_register<void>(data), bytes, false);
  return 0;
}

/// To the verifier the memory is written, so it is.
std::uint64_t read_nothing(std::uint64_t to, std::uint32_t bytes, Errno e) {
  std::memset(pointer_register<void>(to), 0, bytes);
  return error_register(e);
}

std::uint64_t read(std::uint64_t to, std::uint64_t length, std::uint64_t from, std::uint64_t off, std::uint64_t flags,
                   RunContext&) {
  const Dynptr& p = dynptr(from);
  const auto bytes = static_cast<std::uint32_t>(length), at = static_cast<std::uint32_t>(off);
  if (p.data == nullptr || flags != 0) return read_nothing(to, bytes, Errno::kInval);
  if (!holds(p, at, bytes)) return read_nothing(to, bytes, Errno::kTooBig);
  const std::uint64_t place = std::uint64_t{p.off} + at;
  if (p.kind != kPacket) {
    std::memmove(pointer_register<void>(to), static_cast<std::byte*>(p.data) + place, bytes);  // the program may read into what it reads from
    return 0;
  }
  const auto* const packet = packet_with(p, place, bytes);
  if (packet == nullptr) return read_nothing(to, bytes, Errno::kFault);
  copy_from_frame(*packet, place, pointer_register<void>(to), bytes);
  return 0;
}

std::uint64_t write(std::uint64_t to, std::uint64_t off, std::uint64_t from, std::uint64_t length, std::uint64_t flags,
                    RunContext&) {
  const Dynptr& p = dynptr(to);
  const auto bytes = static_cast<std::uint32_t>(length), at = static_cast<std::uint32_t>(off);
  // Flags of packets recompute checksums, which packets here do not carry.
  if (p.data == nullptr || p.read_only || (flags != 0 && p.kind != kPacket)) return error_register(Errno::kInval);
  if (!holds(p, at, bytes)) return error_register(Errno::kTooBig);
  const std::uint64_t place = std::uint64_t{p.off} + at;
  if (p.kind != kPacket) {
    std::memmove(static_cast<std::byte*>(p.data) + place, pointer_register<void>(from), bytes);
    return 0;
  }
  const auto* const packet = packet_with(p, place, bytes);
  if (packet == nullptr) return error_register(Errno::kFault);
  copy_to_frame(*packet, place, pointer_register<void>(from), bytes);
  return 0;
}

/// Direct memory; packets are reached by slices.
std::uint64_t data(std::uint64_t from, std::uint64_t off, std::uint64_t length, std::uint64_t, std::uint64_t, RunContext&) {
  const Dynptr& p = dynptr(from);
  const auto bytes = static_cast<std::uint32_t>(length), at = static_cast<std::uint32_t>(off);
  if (p.data == nullptr || p.read_only || p.kind == kPacket || !holds(p, at, bytes)) return 0;
  return address_register(static_cast<std::byte*>(p.data) + p.off + at);
}

std::uint64_t reserve(std::uint64_t ring, std::uint64_t size, std::uint64_t flags, std::uint64_t to, std::uint64_t,
                      RunContext&) {
  const std::uint64_t bytes = static_cast<std::uint32_t>(size);
  if (flags != 0) return make_null(dynptr(to), Errno::kInval);
  if (bytes > kMaxBytes) return make_null(dynptr(to), Errno::kTooBig);
  void* const record = maps::ringbuf_reserve(*pointer_register<maps::Map>(ring), bytes, 0);
  if (record == nullptr) return make_null(dynptr(to), Errno::kInval);
  make(dynptr(to), kRecord, record, bytes, false);
  return 0;
}

template <void (*End)(void*, std::uint64_t) noexcept>
std::uint64_t end_record(std::uint64_t of, std::uint64_t flags, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  Dynptr& p = dynptr(of);
  if (p.data != nullptr) End(p.data, flags);
  std::memset(&p, 0, sizeof p);
  return 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(dynptr_from_mem, from_mem),
    RING3_HELPER(dynptr_read, read),
    RING3_HELPER(dynptr_write, write),
    RING3_HELPER(dynptr_data, data),
    RING3_HELPER(ringbuf_reserve_dynptr, reserve),
    RING3_HELPER(ringbuf_submit_dynptr, end_record<maps::ringbuf_submit>),
    RING3_HELPER(ringbuf_discard_dynptr, end_record<maps::ringbuf_discard>),
};

std::uint64_t from_packet(std::uint64_t ctx, std::uint64_t flags, std::uint64_t to, std::uint64_t read_only, std::uint64_t,
                          RunContext& run) {
  if (flags != 0) return make_null(dynptr(to), Errno::kInval);
  auto* packet = run.packet != nullptr ? run.packet : pointer_register<rewrite::PacketRecord>(ctx);
  make(dynptr(to), kPacket, packet, frame_bytes(*packet), read_only != 0);
  return 0;
}

/// What stands in several buffers is copied into the program's own.
std::uint64_t slice(std::uint64_t of, std::uint64_t off, std::uint64_t buffer, std::uint64_t size, std::uint64_t, RunContext&) {
  const Dynptr& p = dynptr(of);
  const auto bytes = static_cast<std::uint32_t>(size), at = static_cast<std::uint32_t>(off);
  if (p.data == nullptr || !holds(p, at, bytes)) return 0;
  const std::uint64_t place = std::uint64_t{p.off} + at;
  if (p.kind != kPacket) return address_register(static_cast<std::byte*>(p.data) + place);
  const auto* const packet = packet_with(p, place, bytes);
  if (packet == nullptr) return 0;
  if (std::byte* const piece = piece_of_frame(*packet, place, bytes); piece != nullptr) return address_register(piece);
  if (buffer == 0) return 0;
  copy_from_frame(*packet, place, pointer_register<void>(buffer), bytes);
  return buffer;
}
std::uint64_t slice_rdwr(std::uint64_t of, std::uint64_t off, std::uint64_t buffer, std::uint64_t size, std::uint64_t r5,
                         RunContext& run) {
  return dynptr(of).read_only ? 0 : slice(of, off, buffer, size, r5, run);
}

std::uint64_t adjust(std::uint64_t of, std::uint64_t start, std::uint64_t end, std::uint64_t, std::uint64_t, RunContext&) {
  Dynptr& p = dynptr(of);
  const auto from = static_cast<std::uint32_t>(start), to = static_cast<std::uint32_t>(end);
  if (p.data == nullptr || from > to) return error_register(Errno::kInval);
  if (from > p.bytes || to > p.bytes) return error_register(Errno::kRange);
  p.off += from;
  p.bytes = (to - from) & 0xffffff;
  return 0;
}
std::uint64_t is_null(std::uint64_t of, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return dynptr(of).data == nullptr;
}
std::uint64_t is_rdonly(std::uint64_t of, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return dynptr(of).data != nullptr && dynptr(of).read_only;
}
std::uint64_t size(std::uint64_t of, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const Dynptr& p = dynptr(of);
  return p.data == nullptr ? static_cast<std::uint32_t>(error_register(Errno::kInval)) : p.bytes;
}
std::uint64_t clone(std::uint64_t of, std::uint64_t to, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  if (dynptr(of).data == nullptr) return make_null(dynptr(to), Errno::kInval);
  dynptr(to) = dynptr(of);
  return 0;
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_dynptr_from_skb", from_packet}, {"bpf_dynptr_from_xdp", from_packet}, {"bpf_dynptr_slice", slice},
    {"bpf_dynptr_slice_rdwr", slice_rdwr}, {"bpf_dynptr_adjust", adjust},       {"bpf_dynptr_is_null", is_null},
    {"bpf_dynptr_is_rdonly", is_rdonly},   {"bpf_dynptr_size", size},           {"bpf_dynptr_clone", clone},
};

}  // namespace

HelperRows dynptr_helpers() { return kRows; }
KfuncRows dynptr_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
