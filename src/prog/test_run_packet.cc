// Running socket filters, tc and XDP programs on bytes a client gives. Which fields of a context may be given,
// and which sizes, is Linux's (its test_run behaviour is what client libraries probe).
#include "exec/packet.h"
#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

constexpr std::size_t kMaxMetadataBytes = 255;  // multiple of 4
constexpr std::uint32_t kMaxWireBytes = 65536;
constexpr std::uint32_t kMaxSegments = 65535;
constexpr std::uint32_t kMaxLiveBatch = 256;

/// Bytes [first, last) of a context that a client may set.
struct Settable {
  std::size_t first, last;
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

/// The loopback is everywhere; other devices are the host's.
bool has_device(const TestRunRequest& request, std::uint32_t ifindex) {
  return ifindex <= kLoopback || (request.devices != nullptr && request.devices->has_device(ifindex));
}

Result<void> check_data(const TestRunRequest& request) {
  if (request.data_in.size() < exec::kEthernetHeader ||
      request.data_in.size() > kPageBytes - exec::kPacketHeadroom - exec::kPacketTailroom)
    return Errno::kInval;
  return {};
}

Result<void> check_skb_context(const uapi::__sk_buff& ctx) {
  const auto bytes = std::as_bytes(std::span(&ctx, 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool settable = std::any_of(std::begin(kSkbFields), std::end(kSkbFields),
                                      [i](const Settable& f) { return i >= f.first && i < f.last; });
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
  if (!request.has_ctx_in) skb.wire_len = 0;
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

/// The metadata a client asks for stands at the head of its data.
Result<std::size_t> metadata_bytes(const uapi::xdp_md& ctx, const TestRunRequest& request) {
  if (!request.has_ctx_in) return std::size_t{0};
  const bool bad_metadata = ctx.data > kMaxMetadataBytes || ctx.data % 4 != 0;
  if (ctx.data_meta != 0 || ctx.data_end != request.data_in.size() || ctx.data > ctx.data_end || bad_metadata)
    return Errno::kInval;
  if (ctx.egress_ifindex != 0 || (ctx.ingress_ifindex == 0 && ctx.rx_queue_index != 0)) return Errno::kInval;
  if (!has_device(request, ctx.ingress_ifindex)) return Errno::kNoDev;
  if (ctx.rx_queue_index != 0) return Errno::kInval;
  return std::size_t{ctx.data};
}

}  // namespace

Result<TestRunResult> run_on_skb(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  constexpr std::uint32_t kKnownFlags = uapi::BPF_F_TEST_SKB_CHECKSUM_COMPLETE;
  if ((request.flags & ~kKnownFlags) != 0 || request.cpu != 0 || request.batch_size != 0) return Errno::kInval;
  RING3_TRY(check_data(request));
  if (request.flags != 0) return refuse_run(request, Errno::kOpNotSupp, "packets here carry no checksum to check");
  const std::span data(request.data_in);
  const std::size_t hidden = sees_link_layer(program) ? 0 : exec::kEthernetHeader;
  auto packet = RING3_TRY(exec::Packet::make(data));
  rewrite::PacketRecord& record = packet->record();
  record.link_layer = record.data;
  record.network = record.data + exec::kEthernetHeader;
  record.data = record.data_meta = record.link_layer + hidden;
  uapi::__sk_buff& skb = record.abi.skb;
  RING3_TRY(fill_skb(skb, request, static_cast<std::uint32_t>(data.size() - hidden)));

  TestRunResult result;
  run_repeatedly(program, {.ctx = &record}, request, host, result);
  result.data_out.assign(hidden, std::byte{0});
  result.data_out.insert(result.data_out.end(), packet->bytes().begin(), packet->bytes().end());
  if (request.has_ctx_out) result.ctx_out = bytes_of(skb);
  return result;
}

Result<TestRunResult> run_on_xdp(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  constexpr std::uint32_t kLive = uapi::BPF_F_TEST_XDP_LIVE_FRAMES;
  const bool live = (request.flags & kLive) != 0;
  if ((request.flags & ~kLive) != 0 || (!live && request.batch_size != 0)) return Errno::kInval;
  if (request.batch_size > kMaxLiveBatch) return Errno::kTooBig;
  if (request.data_in.size() < exec::kEthernetHeader) return Errno::kInval;
  const uapi::xdp_md ctx = RING3_TRY(read_context<uapi::xdp_md>(request));
  const std::size_t metadata = RING3_TRY(metadata_bytes(ctx, request));
  if (live && request.has_ctx_in && (request.has_data_out || request.has_ctx_out)) return Errno::kInval;
  const bool jumbo = request.data_in.size() > kPageBytes - exec::kPacketHeadroom - exec::kPacketTailroom;
  if (live && jumbo) return Errno::kInval;
  if (live) return refuse_run(request, Errno::kOpNotSupp, "live frames go to devices, which this host has not");
  if (jumbo) return refuse_run(request, Errno::kOpNotSupp, "frames of more than one buffer are not supported");
  auto packet = RING3_TRY(exec::Packet::make(request.data_in));
  rewrite::PacketRecord& record = packet->record();
  record.data = record.data_meta + metadata;
  record.abi.xdp.ingress_ifindex = ctx.ingress_ifindex != 0 ? ctx.ingress_ifindex : kLoopback;

  TestRunResult result;
  run_repeatedly(program, {.ctx = &record}, request, host, result);
  result.data_out.assign(record.data_meta, record.data_end);
  if (request.has_ctx_out) {
    uapi::xdp_md out = record.abi.xdp;
    out.data_meta = 0;
    out.data = static_cast<std::uint32_t>(record.data - record.data_meta);
    out.data_end = static_cast<std::uint32_t>(record.data_end - record.data_meta);
    result.ctx_out = bytes_of(out);
  }
  return result;
}

}  // namespace ring3::prog
