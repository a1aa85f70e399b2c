// Running netfilter programs on a packet a client gives, at the hook it names. The program gets structs of the host's BTF,
// sk_buff and nf_hook_state; members that a process knows nothing of (devices, sockets, name spaces) read as zero.
#include "btf/host_view.h"
#include "exec/packet.h"
#include "prog/test_run_kinds.h"

namespace ring3::prog {
namespace {

constexpr std::size_t kIpHeader = 20, kIp6Header = 40;
constexpr std::uint8_t kIpv4 = 2, kIpv6 = 10;  // NFPROTO_*
constexpr std::uint8_t kLocalOut = 3;          // NF_INET_LOCAL_OUT
constexpr std::uint16_t kEthIp = 0x0800, kEthIp6 = 0x86dd;
constexpr Errno kNoSuchProtocol{71};           // EPROTO

/// struct nf_hook_state as a client gives it: nothing but the first two may be set.
struct HookState {
  std::uint8_t hook, family;
  std::uint8_t unused[6];
  std::uint64_t in, out, socket, net, okfn;
};
static_assert(sizeof(HookState) == 48);

Result<HookState> hook_state(const TestRunRequest& request) {
  if (!request.has_ctx_in && !request.has_ctx_out) return HookState{.hook = kLocalOut, .family = kIpv4, .unused = {}, .in = 0, .out = 0, .socket = 0, .net = 0, .okfn = 0};
  const HookState state = RING3_TRY(read_context<HookState>(request));
  if (!is_zero(state, offsetof(HookState, in), sizeof state)) return Errno::kInval;
  if (state.family != kIpv4 && state.family != kIpv6) return Errno::kInval;
  return state;
}

std::uint16_t ether_type(std::span<const std::byte> data) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(data[12]) << 8 | std::to_integer<unsigned>(data[13]));
}

/// What stands in front of the network header: locally made packets have no link layer yet.
Result<std::size_t> hidden_bytes(std::span<const std::byte> data, const HookState& state) {
  if (state.hook == kLocalOut) return std::size_t{0};
  if (data.size() < exec::kEthernetHeader + kIpHeader) return Errno::kInval;
  switch (ether_type(data)) {
    case kEthIp:
      if (state.family != kIpv4) return Errno::kInval;
      break;
    case kEthIp6:
      if (state.family != kIpv6 || data.size() < exec::kEthernetHeader + kIp6Header) return Errno::kInval;
      break;
    default: return kNoSuchProtocol;
  }
  return exec::kEthernetHeader;
}

}  // namespace

Result<TestRunResult> run_on_netfilter(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (!is_plain(request)) return Errno::kInval;
  const std::span<const std::byte> data(request.data_in);
  if (data.size() < kIpHeader || data.size() > kPageBytes - exec::kPacketHeadroom - exec::kPacketTailroom) return Errno::kInval;
  if (request.data_faults) return Errno::kFault;
  const HookState state = RING3_TRY(hook_state(request));
  const std::size_t hidden = RING3_TRY(hidden_bytes(data, state));
  auto packet = RING3_TRY(exec::Packet::make(data.subspan(hidden)));

  btf::HostView state_view(*program.host_btf(), "nf_hook_state"), skb_view(*program.host_btf(), "sk_buff");
  state_view.set("hook", state.hook);
  state_view.set("pf", state.family);
  skb_view.set("len", data.size() - hidden);
  skb_view.set("protocol", __builtin_bswap16(state.family == kIpv4 ? kEthIp : kEthIp6));
  const struct {
    const void *state, *skb;
  } ctx{state_view.data(), skb_view.data()};

  TestRunResult result;
  run_repeatedly(program, {.ctx = const_cast<void*>(static_cast<const void*>(&ctx)), .packet = &packet->record()}, request, host, result);
  return result;
}

}  // namespace ring3::prog
