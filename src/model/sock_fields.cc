#include "model/sock_fields.h"

#include "model/ctx_layout.h"

namespace ring3::model {
namespace {

enum SockPointer : std::uint8_t {
  kCommonSock = 1, kFullSock = 2, kTcpSock = 4, kXdpSock = 8,
  kAnySock = kCommonSock | kFullSock,
};

struct Row {
  std::uint16_t off, bytes;
  std::uint8_t reads, kinds;
};
constexpr Row kRows[] = {
#define RING3_SOCK_FIELD(owner, name, off, bytes, reads, kinds) {off, bytes, reads, kinds},
#include "model/sock_fields.def"
#undef RING3_SOCK_FIELD
};

std::uint8_t pointer_bit(RegKind kind) {
  switch (kind) {
    case RegKind::kSockCommon: return kCommonSock;
    case RegKind::kSocket: return kFullSock;
    case RegKind::kTcpSock: return kTcpSock;
    case RegKind::kXdpSock: return kXdpSock;
    default: return 0;
  }
}

bool allows(const Row& row, std::uint32_t off, std::uint32_t size) {
  if ((row.reads & size) == 0 || off % size != 0) return false;
  if (size > 4 || (row.reads & kAtStart) == 0 || size == row.bytes) return true;
  return off == row.off;
}

}  // namespace

bool sock_field_readable(RegKind kind, std::int32_t off, std::uint32_t size) {
  const std::uint8_t bit = pointer_bit(kind);
  if (off < 0 || (size != 1 && size != 2 && size != 4 && size != 8)) return false;
  const auto at = static_cast<std::uint32_t>(off);
  for (const Row& row : kRows) {
    if ((row.kinds & bit) == 0 || at < row.off || at >= row.off + row.bytes) continue;
    return allows(row, at, size);
  }
  return false;
}

}  // namespace ring3::model
