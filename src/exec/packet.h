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
inline constexpr std::size_t kBufferBytes = 4096;   // of a frame
inline constexpr std::size_t kMaxMoreBuffers = 17;  // behind a frame's first one
/// The most a frame's first buffer holds of it.
inline constexpr std::size_t kFirstBufferBytes = kBufferBytes - kPacketHeadroom - kPacketTailroom;

/// The one's complement sum of 16-bit words that checksums are made of, in the memory's byte order, folded to 32 bits.
std::uint32_t sum_bytes(std::span<const std::byte> bytes);
/// The sum of what two sums are of; of what `a` is of without what `b` is of, with ~b.
constexpr std::uint32_t add_sums(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t sum = std::uint64_t{a} + b;
  return static_cast<std::uint32_t>(sum + (sum >> 32));
}

/// One packet, one thread. Not copied: the record points into it.
class Packet {
 public:
  /// A copy of `bytes`. headroom, tailroom: how far helpers may move the ends. Errors: kNoMem.
  static Result<std::unique_ptr<Packet>> make(std::span<const std::byte> bytes, std::size_t headroom = kPacketHeadroom,
                                              std::size_t tailroom = kPacketTailroom);

  /// A copy of `bytes` as XDP has them, of which the first `metadata_bytes` (at most 252) are metadata: what does not fit into the first
  /// buffer stands in more of them, at most kMaxMoreBuffers. Ends move inside the first and the last one. Errors: kNoMem.
  static Result<std::unique_ptr<Packet>> make_frame(std::span<const std::byte> bytes, std::size_t metadata_bytes);

  /// The context (r1): the ABI struct, whose numbers the caller sets, with the pointers behind it.
  rewrite::PacketRecord& record() { return record_; }
  /// What the packet's first buffer holds now.
  std::span<const std::byte> bytes() const { return {record_.data, record_.data_end}; }
  /// What stands in front of it (data_meta to data).
  std::span<const std::byte> metadata() const { return {record_.data_meta, record_.data}; }
  /// What is in the buffers behind the first.
  std::span<const std::byte> more() const { return {record_.more, record_.more_bytes}; }

 private:
  Packet() = default;
  static Result<std::unique_ptr<Packet>> with_memory(std::size_t room);
  rewrite::PacketRecord record_{};
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace ring3::exec
