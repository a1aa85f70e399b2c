#include "model/tail_call_kind.h"

#include "model/prog_kind.h"
#include "uapi/bpf.h"

namespace ring3::model {

TailCallKind tail_call_kind(const ProgramFacts& program, std::uint32_t flags, const AttachTarget& target) {
  TailCallKind kind;
  kind.type = program.acts_as;
  kind.view = prog_view(program.acts_as, program.acts_at);
  const ProgKindRow* row = find_prog_kind(program.acts_as);
  if (row == nullptr) return kind;
  const ReturnRange range = return_range(*row, program.acts_at);
  kind.min_result = range.any ? INT32_MIN : range.min;
  kind.max_result = range.any ? INT32_MAX : range.max;
  kind.frags = (flags & uapi::BPF_F_XDP_HAS_FRAGS) != 0;
  if (row->ctx_rule != CtxRule::kBtfArgs) return kind;
  kind.btf = target.btf;
  kind.function = target.type;
  kind.member = target.member;
  return kind;
}

}  // namespace ring3::model
