#include "exec/packet.h"

#include <algorithm>
#include <new>

#include "base/fault_point.h"

namespace ring3::exec {

Result<std::unique_ptr<Packet>> Packet::make(std::span<const std::byte> bytes, std::size_t headroom,
                                             std::size_t tailroom) {
  std::unique_ptr<Packet> packet(fault_point() ? nullptr : new (std::nothrow) Packet);
  if (packet == nullptr) return Errno::kNoMem;
  const std::size_t room = headroom + bytes.size() + tailroom;
  packet->memory_.reset(new (std::nothrow) std::byte[room]{});
  if (packet->memory_ == nullptr) return Errno::kNoMem;
  rewrite::PacketRecord& r = packet->record_;
  r.room_start = packet->memory_.get();
  r.room_end = r.room_start + room;
  r.data = r.data_meta = r.room_start + headroom;
  r.data_end = std::copy(bytes.begin(), bytes.end(), r.data);
  return packet;
}

}  // namespace ring3::exec
