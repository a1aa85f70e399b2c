// Running flow dissectors on a packet a client gives: what comes back is the keys.
#include "exec/packet.h"
#include "prog/test_run_kinds.h"

namespace ring3::prog {
namespace {

/// struct bpf_flow_keys of the ABI.
struct FlowKeys {
  std::uint16_t network_off, transport_off, address_protocol;
  std::uint8_t is_fragment, is_first_fragment, is_encapsulated, ip_protocol;
  std::uint16_t protocol, source_port, destination_port;  // network order
  std::uint32_t addresses[8];
  std::uint32_t flags, flow_label;
};
static_assert(sizeof(FlowKeys) == 56 && offsetof(FlowKeys, flags) == 48);

/// The context, and what it starts from each time.
struct FlowRun {
  rewrite::PacketRecord record;  // first: what the program gets
  FlowKeys initial, keys;
};

void start_again(void* ctx) {
  auto& run = *static_cast<FlowRun*>(ctx);
  run.keys = run.initial;
}

}  // namespace

Result<TestRunResult> run_on_flow(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (!is_plain(request)) return Errno::kInval;
  const std::size_t bytes = request.data_in.size();
  if (bytes < exec::kEthernetHeader || bytes > kPageBytes) return Errno::kInval;
  if (request.data_faults) return Errno::kFault;
  const FlowKeys given = RING3_TRY(read_context<FlowKeys>(request));
  constexpr std::size_t kFlagsEnd = offsetof(FlowKeys, flags) + sizeof(FlowKeys::flags);
  if (!is_zero(given, 0, offsetof(FlowKeys, flags)) || !is_zero(given, kFlagsEnd, sizeof given)) return Errno::kInval;

  auto packet = RING3_TRY(exec::Packet::make(request.data_in, 0, 0));
  FlowRun run{packet->record(), {}, {}};
  run.record.flow_keys = reinterpret_cast<std::byte*>(&run.keys);
  run.initial.network_off = run.initial.transport_off = exec::kEthernetHeader;
  run.initial.flags = given.flags;
  std::memcpy(&run.initial.protocol, request.data_in.data() + exec::kEthernetHeader - sizeof(std::uint16_t), sizeof(std::uint16_t));

  TestRunResult result;
  run_repeatedly(program, {.ctx = &run}, request, host, result, &start_again);
  // A program may say anything; offsets stay inside the packet and in order.
  const auto end = static_cast<std::uint16_t>(bytes);
  run.keys.network_off = std::clamp<std::uint16_t>(run.keys.network_off, exec::kEthernetHeader, end);
  run.keys.transport_off = std::clamp(run.keys.transport_off, run.keys.network_off, end);
  result.data_out = bytes_of(run.keys);
  if (request.has_ctx_out) result.ctx_out = bytes_of(given);
  return result;
}

}  // namespace ring3::prog
