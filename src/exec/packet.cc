#include "exec/packet.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/fault_point.h"

namespace ring3::exec {

Result<std::unique_ptr<Packet>> Packet::make(std::span<const std::byte> bytes, std::size_t headroom,
                                             std::size_t tailroom) {
  auto packet = with_memory(headroom + bytes.size() + tailroom);
  if (!packet) return packet;
  rewrite::PacketRecord& r = (*packet)->record_;
  r.data = r.data_meta = r.room_start + headroom;
  r.data_end = std::copy(bytes.begin(), bytes.end(), r.data);
  return packet;
}

// Linux keeps a struct of its own at the head of each frame, which the packet cannot grow into; metadata a client gives may.
constexpr std::size_t kReservedBytes = 40;

Result<std::unique_ptr<Packet>> Packet::make_frame(std::span<const std::byte> bytes, std::size_t metadata_bytes) {
  const std::size_t first = std::min(bytes.size(), kFirstBufferBytes + metadata_bytes);
  const std::size_t rest = bytes.size() - first;
  constexpr std::size_t kRoom = kBufferBytes - kPacketTailroom;
  auto packet = with_memory(kRoom + (rest + kBufferBytes - 1) / kBufferBytes * kBufferBytes);
  if (!packet) return packet;
  rewrite::PacketRecord& r = (*packet)->record_;
  std::byte* const start = r.room_start;
  r.room_start = start + kReservedBytes;
  r.room_end = start + kRoom;
  r.data = start + kPacketHeadroom;
  r.data_meta = r.data - metadata_bytes;
  r.data_end = std::copy_n(bytes.begin(), first, r.data_meta);
  if (rest == 0) return packet;
  r.more = r.room_end;
  r.more_bytes = static_cast<std::uint32_t>(rest);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(first), rest, r.more);
  return packet;
}

Result<std::unique_ptr<Packet>> Packet::with_memory(std::size_t room) {
  std::unique_ptr<Packet> packet(fault_point() ? nullptr : new (std::nothrow) Packet);
  if (packet == nullptr) return Errno::kNoMem;
  packet->memory_.reset(new (std::nothrow) std::byte[room]{});
  if (packet->memory_ == nullptr) return Errno::kNoMem;
  packet->record_.room_start = packet->memory_.get();
  packet->record_.room_end = packet->record_.room_start + room;
  return packet;
}

std::uint32_t sum_bytes(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::uint16_t word = 0;  // an odd last byte stands alone
    std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(2, bytes.size() - i));
    sum += word;
  }
  return static_cast<std::uint32_t>((sum & UINT32_MAX) + (sum >> 32));
}

}  // namespace ring3::exec
