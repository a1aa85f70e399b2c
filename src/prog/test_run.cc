#include "prog/test_run.h"

#include <algorithm>

#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

using Runner = Result<TestRunResult> (*)(Program&, const TestRunRequest&, exec::HostServices&);

Result<TestRunResult> refuse_member(Program&, const TestRunRequest&, exec::HostServices&) { return Errno::kOpNotSupp; }

constexpr struct {
  uapi::bpf_prog_type type;
  Runner run;
} kRunners[] = {
    {uapi::BPF_PROG_TYPE_SOCKET_FILTER, &run_on_skb}, {uapi::BPF_PROG_TYPE_SCHED_CLS, &run_on_skb},
    {uapi::BPF_PROG_TYPE_SCHED_ACT, &run_on_skb},     {uapi::BPF_PROG_TYPE_CGROUP_SKB, &run_on_skb},
    {uapi::BPF_PROG_TYPE_LWT_IN, &run_on_skb},        {uapi::BPF_PROG_TYPE_LWT_OUT, &run_on_skb},
    {uapi::BPF_PROG_TYPE_LWT_XMIT, &run_on_skb},      {uapi::BPF_PROG_TYPE_XDP, &run_on_xdp},
    {uapi::BPF_PROG_TYPE_SYSCALL, &run_as_syscall},   {uapi::BPF_PROG_TYPE_STRUCT_OPS, &refuse_member},
};

constexpr std::size_t kMaxSyscallCtxBytes = UINT16_MAX;

}  // namespace

std::uint32_t run_repeatedly(const Program& program, void* ctx, const TestRunRequest& request,
                             exec::HostServices& host, TestRunResult& result) {
  const std::uint32_t repeat = std::max(request.repeat, 1u);
  std::uint64_t returned = 0;
  const std::uint64_t start_ns = host.ktime_ns();
  for (std::uint32_t i = 0; i < repeat; ++i)
    returned = program.entry()->run(exec::RunArgs{.ctx = ctx, .client = request.client});
  const std::uint64_t mean_ns = (host.ktime_ns() - start_ns) / repeat;
  result.duration_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(mean_ns, UINT32_MAX));
  result.retval = static_cast<std::uint32_t>(returned);
  return result.retval;
}

Result<TestRunResult> test_run(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (!program.runnable()) return Errno::kNotSupp;
  for (const auto& row : kRunners)
    if (row.type == program.type()) return row.run(program, request, host);
  return Errno::kNotSupp;
}

/// behaviour.md E.2: a block of bytes in and out, nothing else.
Result<TestRunResult> run_as_syscall(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (request.has_data_in || request.has_data_out || request.has_ctx_out || request.repeat != 0 || request.flags != 0 ||
      request.batch_size != 0)
    return Errno::kInval;
  const std::size_t bytes = request.ctx_in.size();
  if (bytes < program.about().max_ctx_offset || bytes > kMaxSyscallCtxBytes) return Errno::kInval;
  TestRunResult result;
  result.ctx_out = request.ctx_in;
  run_repeatedly(program, bytes != 0 ? result.ctx_out.data() : nullptr, request, host, result);
  return result;
}

}  // namespace ring3::prog
