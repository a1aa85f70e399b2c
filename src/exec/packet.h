// A packet a program runs on: memory with room in front and behind, and the record its context points to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "rewrite/packet_record.h"
#include "ring3/result.h"

namespace ring3::exec {

inline constexpr std::size_t kPacketHeadroom = 256;
inline constexpr std::size_t kPacketTailroom = 320;
inline constexpr std::size_t kEthernetHeader = 14;  // what head and tail moves leave at least

/// One packet, one thread. Not copied: the record points into it.
class Packet {
 public:
  /// A copy of `bytes`. headroom, tailroom: how far helpers may move the ends. Errors: kNoMem.
  static Result<std::unique_ptr<Packet>> make(std::span<const std::byte> bytes, std::size_t headroom = kPacketHeadroom,
                                              std::size_t tailroom = kPacketTailroom);

  /// The context (r1): the ABI struct, whose numbers the caller sets, with the pointers behind it.
  rewrite::PacketRecord& record() { return record_; }
  /// What the packet holds now.
  std::span<const std::byte> bytes() const { return {record_.data, record_.data_end}; }
  /// What stands in front of it (data_meta to data).
  std::span<const std::byte> metadata() const { return {record_.data_meta, record_.data}; }

 private:
  Packet() = default;
  rewrite::PacketRecord record_{};
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace ring3::exec
