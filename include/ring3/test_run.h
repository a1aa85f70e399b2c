#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ring3 {

/// A frame that leaves a live test run (BPF_F_TEST_XDP_LIVE_FRAMES, `bpftool` and libxdp's traffic generators).
struct LiveFrame {
  enum class Way : std::uint8_t {
    kStack,   ///< the program let it pass (XDP_PASS): it is for whoever receives what comes in by `device`
    kDevice,  ///< it is to be sent by `device` (XDP_TX: the one it came in by; XDP_REDIRECT)
  };
  Way way = Way::kStack;
  std::uint32_t device = 0;  ///< interface number; 1 is the loopback
  std::span<const std::byte> bytes = {};     ///< the packet, link-layer header first; valid during the call
  std::span<const std::byte> metadata = {};  ///< what the program left in front of it; valid during the call
};

/// Takes such frames: a host that has devices, or plays them.
class FrameTaker {
 public:
  /// Called on the client's thread, one frame at a time; several clients' at once. Returns false for a frame it does not take, which is
  /// dropped and counted. May block, and holds up that client only.
  virtual bool take(const LiveFrame& frame) noexcept = 0;

 protected:
  ~FrameTaker() = default;
};

/// One run of a program on bytes of the host's choosing, as BPF_PROG_TEST_RUN makes it.
struct TestRun {
  const void* data = nullptr;  ///< the packet, link-layer header first; for kinds that work on one
  std::size_t data_bytes = 0;
  /// Kinds with a packet: __sk_buff or xdp_md; syscall programs: their context; struct_ops members: 64 bits for each
  /// argument, of pointers the address of the struct.
  const void* ctx = nullptr;
  std::size_t ctx_bytes = 0;
  std::uint32_t repeat = 0;    ///< runs, at least one is made; syscall programs: 0
  std::uint32_t flags = 0;     ///< BPF_F_TEST_*, of the kinds that have some
};

struct TestRunOutcome {
  std::uint32_t retval = 0;
  std::uint32_t duration_ns = 0;  ///< mean of one run
  std::vector<std::byte> data;    ///< the packet as the program left it
  std::vector<std::byte> ctx;
};

}  // namespace ring3
