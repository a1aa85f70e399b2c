// Running socket filters, tc programs and their like on bytes a client gives. Which fields of a context may be given,
// and which sizes, is Linux's (its test_run behaviour is what client libraries probe).
#include <cerrno>
#include <utility>

#include "exec/packet.h"
#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

constexpr std::uint32_t kMaxWireBytes = 65536;
constexpr std::uint32_t kMaxSegments = 65535;

/// Bytes [first, last) of a context that a client may set.
struct Settable {
  std::ptrdiff_t first, last;
};
#define RING3_FIELD(record, field) Settable{offsetof(record, field), offsetof(record, field) + sizeof(record::field)}
constexpr Settable kSkbFields[] = {
    RING3_FIELD(uapi::__sk_buff, mark),     RING3_FIELD(uapi::__sk_buff, priority),
    RING3_FIELD(uapi::__sk_buff, ingress_ifindex), RING3_FIELD(uapi::__sk_buff, ifindex),
    RING3_FIELD(uapi::__sk_buff, cb),       RING3_FIELD(uapi::__sk_buff, tstamp),
    RING3_FIELD(uapi::__sk_buff, wire_len), RING3_FIELD(uapi::__sk_buff, gso_segs),
    RING3_FIELD(uapi::__sk_buff, gso_size), RING3_FIELD(uapi::__sk_buff, hwtstamp),
};
#undef RING3_FIELD

Result<void> check_data(const TestRunRequest& request) {
  if (request.data_in.size() < exec::kEthernetHeader ||
      request.data_in.size() > kPageBytes - exec::kPacketHeadroom - exec::kPacketTailroom)
    return Errno::kInval;
  return request.data_faults ? Result<void>(Errno::kFault) : Result<void>();
}

/// A packet that says IP has at least such a header.
Result<void> check_network_header(const TestRunRequest& request) {
  constexpr std::size_t kIpHeader = 20, kIp6Header = 40;
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(request.data_in[i]); };
  const unsigned protocol = at(exec::kEthernetHeader - 2) << 8 | at(exec::kEthernetHeader - 1);
  const std::size_t least = protocol == 0x0800 ? kIpHeader : protocol == 0x86dd ? kIp6Header : 0;
  return request.data_in.size() < exec::kEthernetHeader + least ? Result<void>(Errno::kInval) : Result<void>();
}

Result<void> check_skb_context(const uapi::__sk_buff& ctx) {
  const auto bytes = std::as_bytes(std::span(&ctx, 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool settable = std::any_of(std::begin(kSkbFields), std::end(kSkbFields),
                                      [i](const Settable& f) { return std::cmp_greater_equal(i, f.first) && std::cmp_less(i, f.last); });
    if (!settable && bytes[i] != std::byte{0}) return Errno::kInval;
  }
  return {};
}

/// tc programs see the link-layer header, the others start behind it.
bool sees_link_layer(const Program& program) {
  return program.type() == uapi::BPF_PROG_TYPE_SCHED_CLS || program.type() == uapi::BPF_PROG_TYPE_SCHED_ACT;
}

Result<void> fill_skb(uapi::__sk_buff& skb, const TestRunRequest& request, std::uint32_t seen_bytes) {
  skb = RING3_TRY(read_context<uapi::__sk_buff>(request));
  RING3_TRY(check_skb_context(skb));
  const auto whole = static_cast<std::uint32_t>(request.data_in.size());
  // Linux sets this one from a context alone.
  if (!request.has_ctx_in && !request.has_ctx_out) skb.wire_len = 0;
  else if (skb.wire_len == 0) skb.wire_len = whole;
  else if (skb.wire_len < whole || skb.wire_len > kMaxWireBytes) return Errno::kInval;
  if (!has_device(request, skb.ifindex)) return Errno::kNoDev;
  if (skb.gso_segs > kMaxSegments) return Errno::kInval;
  if (skb.ifindex == 0) skb.ifindex = kLoopback;
  skb.len = seen_bytes;
  std::uint16_t protocol = 0;  // stays in network order
  std::memcpy(&protocol, request.data_in.data() + exec::kEthernetHeader - sizeof(protocol), sizeof(protocol));
  skb.protocol = protocol;
  return {};
}

/// What comes back: what may be given, as the program left it, in what was given.
uapi::__sk_buff shown(uapi::__sk_buff given, const uapi::__sk_buff& left) {
  const auto from = std::as_bytes(std::span(&left, 1));
  const auto to = std::as_writable_bytes(std::span(&given, 1));
  for (const Settable& field : kSkbFields) std::copy(from.begin() + field.first, from.begin() + field.last, to.begin() + field.first);
  return given;
}

/// What a device that sums up all of a packet would say of it: without the link layer.
std::uint32_t sum_of(const rewrite::PacketRecord& record) {
  return exec::sum_bytes({std::min(record.network, record.data_end), record.data_end});
}

std::uint16_t folded(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum + (sum >> 16));
}

}  // namespace

Result<TestRunResult> run_on_skb(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  constexpr std::uint32_t kKnownFlags = uapi::BPF_F_TEST_SKB_CHECKSUM_COMPLETE;
  if ((request.flags & ~kKnownFlags) != 0 || request.cpu != 0 || request.batch_size != 0) return Errno::kInval;
  RING3_TRY(check_data(request));
  const std::span data(request.data_in);
  const std::size_t hidden = sees_link_layer(program) ? 0 : exec::kEthernetHeader;
  auto packet = RING3_TRY(exec::Packet::make(data));
  rewrite::PacketRecord& record = packet->record();
  record.link_layer = record.data;
  record.network = record.data + exec::kEthernetHeader;
  record.data = record.data_meta = record.link_layer + hidden;
  uapi::__sk_buff& skb = record.abi.skb;
  RING3_TRY(fill_skb(skb, request, static_cast<std::uint32_t>(data.size() - hidden)));
  RING3_TRY(check_network_header(request));

  record.is_summed = (request.flags & uapi::BPF_F_TEST_SKB_CHECKSUM_COMPLETE) != 0;
  if (record.is_summed) record.sum = sum_of(record);

  TestRunResult result;
  run_repeatedly(program, {.ctx = &record}, request, host, result);
  if (record.is_summed && folded(record.sum) != folded(sum_of(record)))
    return refuse_run(request, Errno{EBADMSG}, "the program changed the packet, and did not say so to its checksum");
  result.data_out.assign(hidden, std::byte{0});
  result.data_out.insert(result.data_out.end(), packet->bytes().begin(), packet->bytes().end());
  if (request.has_ctx_out) result.ctx_out = bytes_of(shown(RING3_TRY(read_context<uapi::__sk_buff>(request)), skb));
  return result;
}

}  // namespace ring3::prog
