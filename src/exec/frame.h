// Frames of XDP: one buffer, or several, which programs see as one row of bytes through helpers. The bytes behind the first buffer
// stand side by side (PacketRecord::more), cut into buffers at every kBufferBytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "exec/packet.h"

namespace ring3::exec {

inline std::size_t frame_bytes(const rewrite::PacketRecord& p) {
  return static_cast<std::size_t>(p.data_end - p.data) + p.more_bytes;
}

/// Whether bytes [off, off + bytes) are in the frame.
inline bool frame_holds(const rewrite::PacketRecord& p, std::uint64_t off, std::uint64_t bytes) {
  const std::uint64_t all = frame_bytes(p);
  return off <= all && bytes <= all - off;
}

/// Bytes [off, off + bytes), which the frame holds, where they stand in one buffer; else null.
inline std::byte* piece_of_frame(const rewrite::PacketRecord& p, std::uint64_t off, std::uint64_t bytes) {
  const auto first = static_cast<std::uint64_t>(p.data_end - p.data);
  if (off + bytes <= first) return p.data + off;
  if (off < first) return nullptr;
  const std::uint64_t at = off - first;
  return at % kBufferBytes + bytes <= kBufferBytes ? p.more + at : nullptr;
}

/// Calls copy(where, done, bytes) for the pieces of [off, off + bytes), which the frame holds.
template <typename Copy>
void for_pieces(const rewrite::PacketRecord& p, std::uint64_t off, std::uint64_t bytes, Copy copy) {
  const auto first = static_cast<std::uint64_t>(p.data_end - p.data);
  const std::uint64_t in_first = off < first ? std::min(bytes, first - off) : 0;
  if (in_first != 0) copy(p.data + off, std::size_t{0}, static_cast<std::size_t>(in_first));
  if (in_first < bytes) copy(p.more + (off + in_first - first), static_cast<std::size_t>(in_first), static_cast<std::size_t>(bytes - in_first));
}

inline void copy_from_frame(const rewrite::PacketRecord& p, std::uint64_t off, void* to, std::uint64_t bytes) {
  for_pieces(p, off, bytes, [to](const std::byte* from, std::size_t done, std::size_t n) { std::memmove(static_cast<std::byte*>(to) + done, from, n); });
}
inline void copy_to_frame(const rewrite::PacketRecord& p, std::uint64_t off, const void* from, std::uint64_t bytes) {
  for_pieces(p, off, bytes, [from](std::byte* to, std::size_t done, std::size_t n) { std::memmove(to, static_cast<const std::byte*>(from) + done, n); });
}

}  // namespace ring3::exec
