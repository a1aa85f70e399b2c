// Packets of sockets' kind: copying out of and into them, checksums. The context is a rewrite::PacketRecord; such packets are one
// piece of memory, so "pull" and "linear" have nothing to do. XDP's are in frame.cc.
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

/// Of bytes that stand `off` bytes behind where summing begins.
std::uint32_t sum_at(const std::byte* from, std::size_t bytes, std::size_t off) {
  const std::uint32_t sum = sum_bytes({from, bytes});
  return off % 2 == 0 ? sum : (sum << 8 | sum >> 24);  // words fall apart the other way
}

constexpr std::uint64_t kRecompute = 1, kStoreFlags = kRecompute | 2;  // BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH

std::uint64_t skb_store_bytes(std::uint64_t ctx, std::uint64_t off, std::uint64_t from, std::uint64_t size,
                              std::uint64_t flags, RunContext&) {
  if ((flags & ~kStoreFlags) != 0) return error_register(Errno::kInval);
  PacketRecord& p = packet_of(ctx);
  std::byte* const to = range(p, off, size);
  if (to == nullptr) return error_register(Errno::kFault);
  const auto bytes = static_cast<std::uint32_t>(size);
  const bool keeps_sum = p.is_summed && (flags & kRecompute) != 0;
  const auto from_start = static_cast<std::size_t>(to - p.data);
  if (keeps_sum) p.sum = add_sums(p.sum, ~sum_at(to, bytes, from_start));
  std::memcpy(to, pointer_register<void>(from), bytes);
  if (keeps_sum) p.sum = add_sums(p.sum, sum_at(to, bytes, from_start));
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

/// Packets that carry a sum over their bytes are those of test runs that ask for it.
std::uint64_t csum_update(std::uint64_t ctx, std::uint64_t by, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  PacketRecord& p = packet_of(ctx);
  if (!p.is_summed) return error_register(Errno::kNotSupp);
  p.sum = add_sums(p.sum, static_cast<std::uint32_t>(by));
  return p.sum;
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
