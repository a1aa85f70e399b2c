// Packets: moving their ends, copying out of and into them, checksums. The context is a
// rewrite::PacketRecord; packets are one piece of memory, so "pull" and "linear" have nothing to do.
#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/helpers/rows.h"
#include "exec/packet.h"

namespace ring3::exec {
namespace {

using rewrite::PacketRecord;

PacketRecord& packet_of(std::uint64_t ctx) { return *pointer_register<PacketRecord>(ctx); }
std::int32_t signed_argument(std::uint64_t r) { return static_cast<std::int32_t>(r); }

std::uint64_t adjust_head(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = packet_of(ctx);
  const std::int32_t by = signed_argument(delta);
  const std::ptrdiff_t meta_bytes = p.data - p.data_meta;
  const std::ptrdiff_t new_off = p.data - p.room_start + by;
  if (new_off < meta_bytes || new_off > p.data_end - p.room_start - static_cast<std::ptrdiff_t>(kEthernetHeader))
    return error_register(Errno::kInval);
  std::byte* const data = p.room_start + new_off;
  std::memmove(data - meta_bytes, p.data_meta, static_cast<std::size_t>(meta_bytes));
  p.data_meta = data - meta_bytes;
  p.data = data;
  return 0;
}

std::uint64_t adjust_tail(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = packet_of(ctx);
  const std::int32_t by = signed_argument(delta);
  const std::ptrdiff_t length = p.data_end - p.data + by;
  if (length < static_cast<std::ptrdiff_t>(kEthernetHeader) || length > p.room_end - p.data)
    return error_register(Errno::kInval);
  if (by > 0) std::memset(p.data_end, 0, static_cast<std::size_t>(by));
  p.data_end = p.data + length;
  return 0;
}

constexpr std::ptrdiff_t kMaxMetadata = 255;

std::uint64_t adjust_meta(std::uint64_t ctx, std::uint64_t delta, std::uint64_t, std::uint64_t, std::uint64_t,
                          RunContext&) {
  PacketRecord& p = packet_of(ctx);
  const std::ptrdiff_t new_off = p.data_meta - p.room_start + signed_argument(delta);
  const std::ptrdiff_t meta_bytes = p.data - p.room_start - new_off;
  if (new_off < 0 || meta_bytes < 0) return error_register(Errno::kInval);
  if (meta_bytes % 4 != 0 || meta_bytes > kMaxMetadata) return error_register(Errno::kAcces);
  p.data_meta = p.room_start + new_off;
  return 0;
}

std::uint64_t packet_length(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return static_cast<std::uint64_t>(packet_of(ctx).data_end - packet_of(ctx).data);
}

/// Bytes [off, off + size) of the packet, or null.
std::byte* range(PacketRecord& p, std::uint64_t off, std::uint64_t size) {
  const std::uint64_t from = static_cast<std::uint32_t>(off), bytes = static_cast<std::uint32_t>(size);
  return from + bytes <= static_cast<std::uint64_t>(p.data_end - p.data) ? p.data + from : nullptr;
}

/// error: what the packet kind answers for a range outside.
std::uint64_t load(std::uint64_t ctx, std::uint64_t off, std::uint64_t to, std::uint64_t size, Errno error) {
  const std::byte* const from = range(packet_of(ctx), off, size);
  if (from != nullptr) {
    std::memcpy(pointer_register<void>(to), from, static_cast<std::uint32_t>(size));
    return 0;
  }
  std::memset(pointer_register<void>(to), 0, static_cast<std::uint32_t>(size));
  return error_register(error);
}

std::uint64_t skb_load_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t to, std::uint64_t size, std::uint64_t,
                             RunContext&) {
  return load(ctx, off, to, size, Errno::kFault);
}

std::uint64_t xdp_load_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t to, std::uint64_t size, std::uint64_t,
                             RunContext&) {
  const std::byte* const from = range(packet_of(ctx), off, size);
  if (from == nullptr) return error_register(Errno::kInval);
  std::memcpy(pointer_register<void>(to), from, static_cast<std::uint32_t>(size));
  return 0;
}

std::uint64_t xdp_store_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t from, std::uint64_t size,
                              std::uint64_t, RunContext&) {
  std::byte* const to = range(packet_of(ctx), off, size);
  if (to == nullptr) return error_register(Errno::kInval);
  std::memcpy(to, pointer_register<void>(from), static_cast<std::uint32_t>(size));
  return 0;
}

constexpr std::uint64_t kStoreFlags = 1 | 2;  // BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH: no checksum or hash is kept

std::uint64_t skb_store_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t from, std::uint64_t size,
                              std::uint64_t flags, RunContext&) {
  if ((flags & ~kStoreFlags) != 0) return error_register(Errno::kInval);
  std::byte* const to = range(packet_of(ctx), off, size);
  if (to == nullptr) return error_register(Errno::kFault);
  std::memcpy(to, pointer_register<void>(from), static_cast<std::uint32_t>(size));
  return 0;
}

std::uint64_t skb_pull_data(std::uint64_t ctx, std::uint64_t size, std::uint64_t, std::uint64_t, std::uint64_t,
                            RunContext&) {
  return range(packet_of(ctx), 0, size) != nullptr ? 0 : error_register(Errno::kNoMem);
}

/// Room in front of a packet of sockets' kind, filled with zeroes. Linux also bounds it by the device's largest packet.
std::uint64_t skb_change_head(std::uint64_t ctx, std::uint64_t size, std::uint64_t flags, std::uint64_t, std::uint64_t,
                              RunContext&) {
  PacketRecord& p = packet_of(ctx);
  const std::uint32_t bytes = static_cast<std::uint32_t>(size);
  if (flags != 0) return error_register(Errno::kInval);
  if (bytes > static_cast<std::uint64_t>(p.data - p.room_start)) return error_register(Errno::kNoMem);
  p.data -= bytes;
  p.data_meta = p.data;
  std::memset(p.data, 0, bytes);
  p.abi.skb.len += bytes;
  return 0;
}

/// Packets here carry no sum over their bytes: Linux's answer for those.
std::uint64_t csum_update(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return error_register(Errno::kNotSupp);
}

constexpr std::size_t kHashedBytes = 64;  // the headers: packets of one flow begin alike

/// The packet's hash, made from its head the first time. Never 0.
std::uint64_t get_hash_recalc(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  PacketRecord& p = packet_of(ctx);
  if (p.abi.skb.hash == 0) {
    std::uint32_t hash = 0x811c9dc5;  // FNV-1a
    const std::size_t bytes = std::min(kHashedBytes, static_cast<std::size_t>(p.data_end - p.data));
    for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ std::to_integer<std::uint32_t>(p.data[i])) * 0x01000193;
    p.abi.skb.hash = hash == 0 ? 1 : hash;
  }
  return p.abi.skb.hash;
}

std::uint64_t set_hash(std::uint64_t ctx, std::uint64_t hash, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  packet_of(ctx).abi.skb.hash = static_cast<std::uint32_t>(hash);
  return 0;
}

std::uint64_t set_hash_invalid(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  packet_of(ctx).abi.skb.hash = 0;
  return 0;
}

/// One's complement sum of 32-bit words, folded to 32 bits.
std::uint64_t add_words(std::uint64_t sum, std::uint64_t address, std::uint32_t bytes, bool subtract) {
  const std::byte* const from = pointer_register<std::byte>(address);
  for (std::uint32_t i = 0; i < bytes; i += 4) {
    std::uint32_t word;
    std::memcpy(&word, from + i, sizeof(word));
    sum += subtract ? ~word : word;
  }
  return sum;
}

constexpr std::uint32_t kMaxChecksumBytes = 512;

/// Checksum of `to` minus that of `from`, on top of a seed: a 32-bit sum that is not folded to 16 bits.
std::uint64_t csum_diff(std::uint64_t from, std::uint64_t from_size, std::uint64_t to, std::uint64_t to_size,
                        std::uint64_t seed, RunContext&) {
  const std::uint32_t from_bytes = static_cast<std::uint32_t>(from_size), to_bytes = static_cast<std::uint32_t>(to_size);
  if ((from_bytes | to_bytes) % 4 != 0 || std::uint64_t{from_bytes} + to_bytes > kMaxChecksumBytes)
    return error_register(Errno::kInval);
  std::uint64_t sum = static_cast<std::uint32_t>(seed);
  sum = add_words(sum, from, from_bytes, true);
  sum = add_words(sum, to, to_bytes, false);
  sum = (sum & UINT32_MAX) + (sum >> 32);
  return (sum + (sum >> 32)) & UINT32_MAX;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(xdp_adjust_head, adjust_head),
    RING3_HELPER(xdp_adjust_tail, adjust_tail),
    RING3_HELPER(xdp_adjust_meta, adjust_meta),
    RING3_HELPER(xdp_get_buff_len, packet_length),
    RING3_HELPER(xdp_load_bytes, xdp_load_bytes),
    RING3_HELPER(xdp_store_bytes, xdp_store_bytes),
    RING3_HELPER(skb_load_bytes, skb_load_bytes),
    RING3_HELPER(skb_store_bytes, skb_store_bytes),
    RING3_HELPER(skb_pull_data, skb_pull_data),
    RING3_HELPER(skb_change_head, skb_change_head),
    RING3_HELPER(csum_diff, csum_diff),
    RING3_HELPER(csum_update, csum_update),
    RING3_HELPER(get_hash_recalc, get_hash_recalc),
    RING3_HELPER(set_hash, set_hash),
    RING3_HELPER(set_hash_invalid, set_hash_invalid),
};

}  // namespace

HelperRows packet_helpers() { return kRows; }

namespace {

// Offsets below zero count from a header, each in a range of its own.
constexpr std::int64_t kFromNetwork = -0x100000, kFromLinkLayer = -0x200000;

const std::byte* place_of(PacketRecord& p, std::int32_t off, std::size_t size) {
  if (off >= 0) return range(p, static_cast<std::uint32_t>(off), size);
  const bool network = off >= kFromNetwork;
  const std::byte* const header = network ? p.network : p.link_layer;
  const std::int64_t from = off - (network ? kFromNetwork : kFromLinkLayer);
  if (header == nullptr || from < 0) return nullptr;
  return from + static_cast<std::int64_t>(size) <= p.data_end - header ? header + from : nullptr;
}

/// The legacy loads: a number in network order, or something below zero outside of the packet.
template <typename Number>
std::uint64_t load_number(std::uint64_t ctx, std::uint64_t off, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const std::byte* const from = place_of(packet_of(ctx), signed_argument(off), sizeof(Number));
  if (from == nullptr) return error_register(Errno::kFault);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) number = number << 8 | std::to_integer<std::uint64_t>(from[i]);
  return number;
}

constexpr rewrite::HelperCall kLoadRows[] = {
    {rewrite::kPacketLoadHelper | 1, "packet load of 1 byte", load_number<std::uint8_t>},
    {rewrite::kPacketLoadHelper | 2, "packet load of 2 bytes", load_number<std::uint16_t>},
    {rewrite::kPacketLoadHelper | 4, "packet load of 4 bytes", load_number<std::uint32_t>},
};

}  // namespace

HelperRows packet_load_helpers() { return kLoadRows; }

}  // namespace ring3::exec
