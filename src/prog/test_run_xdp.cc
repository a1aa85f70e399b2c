// Running XDP programs on a frame a client gives. What does not fit into the first buffer stands in more of them, whatever the program
// was loaded with: that is how Linux makes its test frames, and programs without BPF_F_XDP_HAS_FRAGS see the first one.
#include "exec/packet.h"
#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

constexpr std::size_t kMaxMetadataBytes = 216;  // multiple of 4; what stands in front of a frame but for Linux's own part
constexpr std::uint32_t kMaxLiveBatch = 256;
constexpr std::size_t kLiveBookkeepingBytes = 112;  // Linux's, in each frame's page

/// The metadata a client asks for stands at the head of its data.
Result<std::size_t> metadata_bytes(const uapi::xdp_md& ctx, const TestRunRequest& request) {
  if (!request.has_ctx_in && !request.has_ctx_out) return std::size_t{0};
  const bool bad_metadata = ctx.data > kMaxMetadataBytes || ctx.data % 4 != 0;
  if (ctx.data_meta != 0 || ctx.data_end != request.data_in.size() || ctx.data > ctx.data_end || bad_metadata)
    return Errno::kInval;
  if (ctx.data_end - ctx.data < exec::kEthernetHeader) return Errno::kInval;
  if (ctx.egress_ifindex != 0 || (ctx.ingress_ifindex == 0 && ctx.rx_queue_index != 0)) return Errno::kInval;
  if (!has_device(request, ctx.ingress_ifindex)) return Errno::kNoDev;
  if (ctx.rx_queue_index != 0) return Errno::kInval;
  return std::size_t{ctx.data};
}

/// Programs that run where frames leave: a frame that came in is none of theirs.
bool is_of_a_target(const Program& program) {
  return program.attach_type() == uapi::BPF_XDP_DEVMAP || program.attach_type() == uapi::BPF_XDP_CPUMAP;
}

}  // namespace

Result<TestRunResult> run_on_xdp(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  constexpr std::uint32_t kLive = uapi::BPF_F_TEST_XDP_LIVE_FRAMES;
  if (is_of_a_target(program)) return refuse_run(request, Errno::kInval, "programs of a device map or a CPU map have no test run");
  const bool live = (request.flags & kLive) != 0;
  if ((request.flags & ~kLive) != 0) return refuse_run(request, Errno::kInval, "the only flag of XDP's test runs is BPF_F_TEST_XDP_LIVE_FRAMES");
  if (!live && request.batch_size != 0) return refuse_run(request, Errno::kInval, "a batch_size is for live frames");
  if (request.batch_size > kMaxLiveBatch) return refuse_run(request, Errno::kTooBig, "a batch has at most 256 frames");
  const uapi::xdp_md ctx = RING3_TRY(read_context<uapi::xdp_md>(request));
  const std::size_t metadata = RING3_TRY(metadata_bytes(ctx, request));
  const bool has_ctx = request.has_ctx_in || request.has_ctx_out;
  if (live && has_ctx && (request.has_data_out || request.has_ctx_out)) return refuse_run(request, Errno::kInval, "live frames are not given back");
  const std::size_t bytes = request.data_in.size(), first = exec::kFirstBufferBytes + metadata;
  if (bytes < exec::kEthernetHeader) return refuse_run(request, Errno::kInval, "a frame has at least the 14 bytes of its link-layer header");
  if (live && bytes > first - kLiveBookkeepingBytes) return refuse_run(request, Errno::kInval, "a live frame is one buffer");
  if (bytes > first + exec::kMaxMoreBuffers * exec::kBufferBytes) return refuse_run(request, Errno::kNoMem, "a frame has at most 18 buffers");
  if (request.data_faults) return Errno::kFault;
  const std::uint32_t ingress = ctx.ingress_ifindex != 0 ? ctx.ingress_ifindex : kLoopback;
  if (live) return run_on_live_frames(program, request, host, {request.data_in, metadata, ingress});

  auto packet = RING3_TRY(exec::Packet::make_frame(request.data_in, metadata));
  rewrite::PacketRecord& record = packet->record();
  record.abi.xdp.ingress_ifindex = ingress;
  TestRunResult result;
  run_repeatedly(program, {.ctx = &record}, request, host, result);
  result.data_out.assign(record.data_meta, record.data_end);
  result.data_out.insert(result.data_out.end(), packet->more().begin(), packet->more().end());
  if (request.has_ctx_out) {
    uapi::xdp_md out = ctx;
    out.data = static_cast<std::uint32_t>(record.data - record.data_meta);
    out.data_end = static_cast<std::uint32_t>(record.data_end - record.data_meta);
    result.ctx_out = bytes_of(out);
  }
  return result;
}

}  // namespace ring3::prog
