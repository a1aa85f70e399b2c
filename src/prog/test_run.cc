#include "prog/test_run.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

using Runner = Result<TestRunResult> (*)(Program&, const TestRunRequest&, exec::HostServices&);

/// A run of a tracing program does not run it: Linux calls some functions of its own, so that what is attached to them runs. Here
/// are no such functions to attach to, so that nothing runs, and entries and exits end with 0 as they do in Linux then. Functions
/// whose result a program may change would have one; iterators and typed tracepoints have no run there either.
Result<TestRunResult> run_test_functions(Program& program, const TestRunRequest& request, exec::HostServices&) {
  if (!is_plain(request)) return Errno::kInval;
  const std::uint32_t at = program.attach_type();
  if (at == uapi::BPF_TRACE_FENTRY || at == uapi::BPF_TRACE_FEXIT) return TestRunResult{.has_data = false};
  if (at != uapi::BPF_MODIFY_RETURN) return Errno::kFault;
  return refuse_run(request, Errno::kNotSupp, "a run of tracing programs calls test functions of a kernel, which this host has not");
}

struct RunnerRow {
  uapi::bpf_prog_type type;
  Runner run;
  bool gives_context;  // as an output of its own
};
constexpr RunnerRow kRunners[] = {
    {uapi::BPF_PROG_TYPE_SOCKET_FILTER, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_SCHED_CLS, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_SCHED_ACT, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_CGROUP_SKB, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_LWT_IN, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_LWT_OUT, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_LWT_XMIT, &run_on_skb, true},
    {uapi::BPF_PROG_TYPE_XDP, &run_on_xdp, true},
    {uapi::BPF_PROG_TYPE_SK_LOOKUP, &run_on_lookup, true},
    {uapi::BPF_PROG_TYPE_FLOW_DISSECTOR, &run_on_flow, true},
    {uapi::BPF_PROG_TYPE_NETFILTER, &run_on_netfilter, false},
    {uapi::BPF_PROG_TYPE_RAW_TRACEPOINT, &run_on_arguments, false},
    {uapi::BPF_PROG_TYPE_TRACING, &run_test_functions, false},
    {uapi::BPF_PROG_TYPE_SYSCALL, &run_as_syscall, false},
    {uapi::BPF_PROG_TYPE_STRUCT_OPS, &run_as_member, false},
};

const RunnerRow* find_runner(std::uint32_t type) {
  for (const RunnerRow& row : kRunners)
    if (static_cast<std::uint32_t>(row.type) == type) return &row;
  return nullptr;
}

constexpr std::size_t kMaxSyscallCtxBytes = UINT16_MAX;

}  // namespace

Errno refuse_run(const TestRunRequest& request, Errno e, std::string_view why) {
  if (request.why != nullptr) request.why->write(why);
  return e;
}

bool Patience::look() {
  constexpr std::uint64_t kMs = 1'000'000;
  constexpr std::uint32_t kMostRuns = 1u << 16;
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // the host's clock may stand still
  const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  const std::uint64_t since_ns = now_ns - std::exchange(looked_ns_, now_ns);
  if (since_ns < kMs) stride_ = std::min(stride_ * 2, kMostRuns);
  if (since_ns > 10 * kMs) stride_ = std::max(stride_ / 4, 1u);
  until_look_ = stride_;
  if (now_ns - asked_ns_ < 10 * kMs) return false;
  asked_ns_ = now_ns;
  return waiter_->gave_up();
}

std::uint32_t run_repeatedly(const Program& program, const exec::RunArgs& args, const TestRunRequest& request,
                             exec::HostServices& host, TestRunResult& result, void (*reset)(void* ctx)) {
  const std::uint32_t repeat = std::max(request.repeat, 1u);
  std::uint64_t returned = 0;
  Patience patience(request.waiter);
  const std::uint64_t start_ns = host.ktime_ns();
  for (std::uint32_t i = 0; i < repeat; ++i) {
    if (i != 0 && patience.is_over()) {
      result.cut_short = true;
      break;
    }
    if (reset != nullptr) reset(args.ctx);
    returned = program.entry()->run(args);
  }
  const std::uint64_t mean_ns = (host.ktime_ns() - start_ns) / repeat;
  result.duration_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(mean_ns, UINT32_MAX));
  result.retval = static_cast<std::uint32_t>(returned);
  return result.retval;
}

bool has_device(const TestRunRequest& request, std::uint32_t ifindex) {
  return ifindex <= kLoopback || (request.devices != nullptr && request.devices->has_device(ifindex));
}

bool gives_context(std::uint32_t prog_type) {
  const RunnerRow* row = find_runner(prog_type);
  return row != nullptr && row->gives_context;
}

Result<TestRunResult> test_run(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  const RunnerRow* row = find_runner(program.type());
  if (row == nullptr) return refuse_run(request, Errno::kNotSupp, "programs of this type have no test run");
  const bool traced = row->run == &run_test_functions;  // whether it could run makes no difference
  if (!program.runnable() && !traced) return refuse_run(request, Errno::kNotSupp, "it was verified, and cannot run here");
  Result<TestRunResult> ran = row->run(program, request, host);
  if (ran.ok() && ran->cut_short) return Errno::kIntr;
  return ran;
}

Result<void> check_context_size(const Program& program, std::uint32_t bytes) {
  constexpr std::uint32_t kMaxArguments = 12 * sizeof(std::uint64_t);
  std::uint32_t most = 0;
  if (program.type() == uapi::BPF_PROG_TYPE_SYSCALL) most = kMaxSyscallCtxBytes;
  else if (program.type() == uapi::BPF_PROG_TYPE_RAW_TRACEPOINT) most = kMaxArguments;
  else return {};
  if (bytes < program.about().max_ctx_offset || bytes > most) return Errno::kInval;
  return {};
}

/// behaviour.md E.2: a block of bytes in and out, nothing else.
Result<TestRunResult> run_as_syscall(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (request.has_data_in || request.has_data_out || request.has_ctx_out || request.repeat != 0 || request.duration != 0 ||
      request.flags != 0 || request.batch_size != 0)
    return Errno::kInval;
  const std::size_t bytes = request.ctx_in.size();
  if (bytes < program.about().max_ctx_offset || bytes > kMaxSyscallCtxBytes) return Errno::kInval;
  if (program.entry()->runs_here()) return Errno::kBusy;  // it reached the host, which runs it again
  TestRunResult result;
  result.ctx_out = request.ctx_in;
  run_repeatedly(program, {.ctx = bytes != 0 ? result.ctx_out.data() : nullptr, .client = request.client}, request, host, result);
  return result;
}

}  // namespace ring3::prog
