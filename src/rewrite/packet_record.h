// What the context of a packet program points to. It begins with the context struct exactly as the ABI shows
// it, so that numbers are read and written in place; only the packet pointers, which the ABI squeezes into
// 32 bits, stand behind it at full width, and convert_context redirects their loads.
//
// Whoever runs the program (exec/packet.h) fills in both parts; helpers that move the packet's ends change
// `data`, `data_end` and `data_meta` here. One run, one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uapi/bpf.h"

namespace ring3::rewrite {

struct PacketRecord {
  union Abi {
    uapi::__sk_buff skb;
    uapi::xdp_md xdp;
  } abi;
  std::byte* data_meta;
  std::byte* data;
  std::byte* data_end;
  // What programs never see: the memory the packet may grow into.
  std::byte* room_start;
  std::byte* room_end;
  // Where headers begin, for legacy loads relative to them; null: not known.
  std::byte* link_layer;
  std::byte* network;
  // Flow dissectors: struct bpf_flow_keys.
  std::byte* flow_keys;
  // Frames of more than one buffer: what is in the ones behind the first, whole pages but for the last, side by side. Null: there
  // are none. Programs reach them by helpers only.
  std::byte* more;
  std::uint32_t more_bytes;
  // Packets whose bytes were summed up (BPF_F_TEST_SKB_CHECKSUM_COMPLETE): the sum, which helpers keep.
  std::uint32_t sum;
  bool is_summed;
};
/// Helpers no program can name (as those of rewrite/xlated.h): bpf_perf_event_output where the context is a packet, or a frame of XDP.
inline constexpr std::uint32_t kPacketEventHelper = 0x86000000;
inline constexpr std::uint32_t kFrameEventHelper = 0x87000000;

static_assert(offsetof(PacketRecord, abi) == 0, "a context pointer is a record pointer");

}  // namespace ring3::rewrite
