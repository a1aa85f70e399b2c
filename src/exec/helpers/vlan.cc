// VLAN tags. The outermost one stands beside the packet, in its record; those below it are in its bytes, behind the two
// addresses of the Ethernet header. What is pushed goes beside the packet and what was there goes in; what is popped
// leaves from beside it and the next one comes out.
#include <cstring>

#include "exec/helpers/rows.h"
#include "exec/packet.h"

namespace ring3::exec {
namespace {

using rewrite::PacketRecord;

constexpr std::size_t kAddresses = 12, kTagBytes = 4;

constexpr std::uint16_t in_network_order(std::uint16_t value) { return static_cast<std::uint16_t>(value << 8 | value >> 8); }
constexpr std::uint16_t kTagged = in_network_order(0x8100), kServiceTagged = in_network_order(0x88a8);  // 802.1Q, 802.1ad

bool is_tag(std::uint32_t protocol) { return protocol == kTagged || protocol == kServiceTagged; }

std::uint64_t put_tag_inside(PacketRecord& p) {
  if (p.data - p.room_start < static_cast<std::ptrdiff_t>(kTagBytes)) return error_register(Errno::kNoMem);
  if (p.data_end - p.data < static_cast<std::ptrdiff_t>(kEthernetHeader)) return error_register(Errno::kInval);
  const auto protocol = static_cast<std::uint16_t>(p.abi.skb.vlan_proto);
  const auto tag = in_network_order(static_cast<std::uint16_t>(p.abi.skb.vlan_tci));
  std::memmove(p.data - kTagBytes, p.data, kAddresses);
  p.data -= kTagBytes;
  p.data_meta = p.data;
  std::memcpy(p.data + kAddresses, &protocol, sizeof(protocol));
  std::memcpy(p.data + kAddresses + sizeof(protocol), &tag, sizeof(tag));
  if (p.is_summed) p.sum = add_sums(p.sum, sum_bytes({p.data + kAddresses, kTagBytes}));
  p.abi.skb.protocol = protocol;
  p.abi.skb.len += static_cast<std::uint32_t>(kTagBytes);
  return 0;
}

/// The outermost tag in the bytes; what the packet is without it becomes its protocol.
std::uint64_t take_tag_out(PacketRecord& p, std::uint16_t& tag) {
  if (p.data_end - p.data < static_cast<std::ptrdiff_t>(kEthernetHeader + kTagBytes)) return error_register(Errno::kInval);
  std::uint16_t protocol = 0;
  if (p.is_summed) p.sum = add_sums(p.sum, ~sum_bytes({p.data + kAddresses, kTagBytes}));
  std::memcpy(&tag, p.data + kAddresses + sizeof(protocol), sizeof(tag));
  tag = in_network_order(tag);
  std::memcpy(&protocol, p.data + kAddresses + kTagBytes, sizeof(protocol));
  std::memmove(p.data + kTagBytes, p.data, kAddresses);
  p.data += kTagBytes;
  p.data_meta = p.data;
  p.abi.skb.protocol = protocol;
  p.abi.skb.len -= static_cast<std::uint32_t>(kTagBytes);
  return 0;
}

std::uint64_t vlan_push(std::uint64_t ctx, std::uint64_t protocol, std::uint64_t tag, std::uint64_t, std::uint64_t, RunContext&) {
  PacketRecord& p = *pointer_register<PacketRecord>(ctx);
  const auto asked = static_cast<std::uint16_t>(protocol);
  if (p.abi.skb.vlan_present != 0) {
    const std::uint64_t problem = put_tag_inside(p);
    if (problem != 0) return problem;
  }
  p.abi.skb.vlan_present = 1;
  p.abi.skb.vlan_proto = is_tag(asked) ? asked : kTagged;
  p.abi.skb.vlan_tci = static_cast<std::uint16_t>(tag);
  return 0;
}

std::uint64_t vlan_pop(std::uint64_t ctx, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  PacketRecord& p = *pointer_register<PacketRecord>(ctx);
  std::uint16_t tag = 0;
  if (p.abi.skb.vlan_present != 0) {
    p.abi.skb.vlan_present = p.abi.skb.vlan_proto = p.abi.skb.vlan_tci = 0;
  } else {
    if (!is_tag(p.abi.skb.protocol)) return 0;
    const std::uint64_t problem = take_tag_out(p, tag);
    if (problem != 0) return problem;
  }
  if (!is_tag(p.abi.skb.protocol)) return 0;
  const std::uint32_t next = p.abi.skb.protocol;
  const std::uint64_t problem = take_tag_out(p, tag);
  if (problem != 0) return problem;
  p.abi.skb.vlan_present = 1;
  p.abi.skb.vlan_proto = next;
  p.abi.skb.vlan_tci = tag;
  return 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(skb_vlan_push, vlan_push),
    RING3_HELPER(skb_vlan_pop, vlan_pop),
};

}  // namespace

HelperRows vlan_helpers() { return kRows; }

}  // namespace ring3::exec
