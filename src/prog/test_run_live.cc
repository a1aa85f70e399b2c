// Live frames: each run's frame goes where the program says. A host that takes frames (RuntimeOptions::frames) gets those that pass, that
// go back and that are redirected to a device it has; the others, and all of them where nobody takes any, are dropped and counted.
//
// Every frame starts as the client gave it. (Linux recycles frames, so that its programs may meet what they wrote before.)
#include <array>
#include <string>

#include "exec/packet.h"
#include "exec/redirect.h"
#include "object/rcu.h"
#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

struct Counts {
  std::uint64_t dropped = 0, passed = 0, sent = 0, not_taken = 0, invalid = 0;
};

class LiveFrames {
 public:
  LiveFrames(const TestRunRequest& request, const LiveRun& live) : request_(request), live_(live) {}

  /// One frame through the program, and on its way.
  Result<void> run(const Program& program) {
    auto packet = RING3_TRY(exec::Packet::make_frame(live_.bytes, live_.metadata_bytes));
    packet->record().abi.xdp.ingress_ifindex = live_.ingress;
    exec::last_redirect() = {};
    devices_.clear();
    std::uint32_t action = 0;
    {
      rcu::ReadSection section;  // the map of a redirect may be one inside another
      action = static_cast<std::uint32_t>(program.entry()->run({.ctx = &packet->record()}));
      if (action == uapi::XDP_REDIRECT) RING3_TRY(find_devices(exec::last_redirect()));
    }
    send(*packet, action);
    return {};
  }
  const Counts& counts() const { return counts_; }

 private:
  Result<void> find_devices(const exec::Redirect& to);
  void send(const exec::Packet& packet, std::uint32_t action);
  void give(const exec::Packet& packet, LiveFrame::Way way, std::uint32_t device, std::uint64_t& taken);

  const TestRunRequest& request_;
  const LiveRun& live_;
  std::vector<std::uint32_t> devices_;  // of the current frame
  Counts counts_;
};

constexpr std::size_t kMaxValueBytes = 8;

Result<void> LiveFrames::find_devices(const exec::Redirect& to) {
  if (to.map == nullptr) {
    devices_.push_back(to.device);
    return {};
  }
  auto& map = const_cast<maps::Map&>(*to.map);
  const maps::ControlOps& ops = map.ops().control;
  std::array<std::byte, 4> key{};
  std::array<std::byte, kMaxValueBytes> value{};
  std::span<const std::byte> before;
  // A map that others change meanwhile may begin anew; it has no more elements than it may have.
  for (std::uint32_t i = 0; i < map.max_entries(); ++i) {
    std::array<std::byte, 4> next{};
    if (!ops.next_key(map, before, next).ok()) break;
    key = next;
    before = key;
    std::uint32_t device = 0;
    if (!ops.lookup(map, key, std::span(value).first(map.value_size()), 0).ok()) continue;
    std::memcpy(&device, value.data(), sizeof device);
    if (!(to.spares_ingress && device == live_.ingress)) devices_.push_back(device);
  }
  return {};
}

void LiveFrames::give(const exec::Packet& packet, LiveFrame::Way way, std::uint32_t device, std::uint64_t& taken) {
  const bool there = device != 0 && has_device(request_, device);
  const bool took = there && request_.frames != nullptr && request_.frames->take({way, device, packet.bytes(), packet.metadata()});
  ++(took ? taken : counts_.not_taken);
}

void LiveFrames::send(const exec::Packet& packet, std::uint32_t action) {
  using Way = LiveFrame::Way;
  switch (action) {
    case uapi::XDP_PASS: return give(packet, Way::kStack, live_.ingress, counts_.passed);
    case uapi::XDP_TX: return give(packet, Way::kDevice, live_.ingress, counts_.sent);
    case uapi::XDP_REDIRECT:
      for (const std::uint32_t device : devices_) give(packet, Way::kDevice, device, counts_.sent);
      if (devices_.empty()) ++counts_.not_taken;
      return;
    case uapi::XDP_ABORTED:
    case uapi::XDP_DROP: ++counts_.dropped; return;
    default: ++counts_.invalid;
  }
}

}  // namespace

Result<TestRunResult> run_on_live_frames(Program& program, const TestRunRequest& request, exec::HostServices& host, const LiveRun& live) {
  LiveFrames frames(request, live);
  const std::uint32_t repeat = std::max(request.repeat, 1u);
  const std::uint64_t start_ns = host.ktime_ns();
  Patience patience(request.waiter);
  for (std::uint32_t i = 0; i < repeat; ++i) {
    if (i != 0 && patience.is_over()) return Errno::kIntr;
    RING3_TRY(frames.run(program));
  }
  const std::uint64_t mean_ns = (host.ktime_ns() - start_ns) / repeat;

  TestRunResult result;  // Linux tells no answer of a program's, and gives back what it was given
  result.duration_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(mean_ns, UINT32_MAX));
  result.data_out.assign(live.bytes.begin(), live.bytes.end());
  const Counts& n = frames.counts();
  if (request.why != nullptr) {
    request.why->write("live frames: " + std::to_string(n.passed) + " passed, " + std::to_string(n.sent) + " sent, " + std::to_string(n.dropped) +
                       " dropped by the program, " + std::to_string(n.not_taken) + " taken by nobody, " + std::to_string(n.invalid) + " with an invalid action");
  }
  return result;
}

}  // namespace ring3::prog
