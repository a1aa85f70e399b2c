// Hooks: places of the host where clients attach programs one after the other, as they do at a network device of Linux
// (tcx, netkit). The host makes them, clients order their programs there (LINK_CREATE, PROG_ATTACH, PROG_QUERY), and the
// host runs them on packets of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ring3/result.h"

namespace ring3 {

class Runtime;

namespace attach {
class HookPoint;
}

enum class HookKind : std::uint32_t { kTcxIngress = 46, kTcxEgress = 47, kNetkitPrimary = 54, kNetkitPeer = 55 };

struct HookDef {
  HookKind kind = HookKind::kTcxIngress;
  std::uint32_t device = 0;  // the number clients name it by (ifindex); not 0
  std::string name = {};     // for people
};

/// What programs answer when they leave the decision to the next one, and what run() gives when all did.
inline constexpr std::uint32_t kHookNext = UINT32_MAX;

/// One such place; stays as long as its runtime. Copies mean the same place.
class Hook {
 public:
  /// Makes a place. Errors: kInval device 0 or another kind; kExist the device has it already.
  static Result<Hook> add(Runtime& runtime, const HookDef& def);

  /// Runs what is attached, in order, on a copy of a packet that starts with its link-layer header (at least 14 bytes);
  /// the first answer other than kHookNext is the result. Thread-safe; never blocks unless a program does.
  /// Errors: kInval a packet without a header; kNoMem.
  Result<std::uint32_t> run(std::span<const std::byte> packet) const;
  /// Programs that are attached now.
  std::size_t size() const;

 private:
  explicit Hook(std::shared_ptr<attach::HookPoint> point) : point_(std::move(point)) {}
  std::shared_ptr<attach::HookPoint> point_;
};

}  // namespace ring3
