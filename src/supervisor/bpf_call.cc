#include "supervisor/calls.h"
#include "uapi/bpf.h"

namespace ring3::supervisor {

BpfCall bpf_call(const Notification& n) {
  BpfCall call{n.int_arg(0), n.args[1], n.u32_arg(2), {}};
  // Without the bit the last two registers are noise.
  if ((call.command & uapi::BPF_COMMON_ATTRS) != 0) call.common = {n.args[3], n.u32_arg(4)};
  return call;
}

Answer answer_bpf(Intercept& call) {
  const BpfCall asked = bpf_call(call.n);
  std::optional<LongCalls::Stay> stay;
  if ((asked.command & ~static_cast<int>(uapi::BPF_COMMON_ATTRS)) == uapi::BPF_PROG_TEST_RUN) stay.emplace(call.long_calls, call.n, call.caller);
  const BpfOutcome out = call.door.bpf(call.listener, call.n, call.caller, asked);
  call.report.count_bpf(asked.command, out.result, out.text);
  return out.result;
}

}  // namespace ring3::supervisor
