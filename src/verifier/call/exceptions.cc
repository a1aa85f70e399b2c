// bpf_throw on a path: nothing is owned or held, and without an exception callback the thrown number is what the program
// returns. Who may throw at all is flow/exceptions.cc's to say.
#include <algorithm>

#include "verifier/call/kfunc_call.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {

Result<void> throw_exception(Step& step) {
  const auto& subprogs = step.prog.subprogs;
  const bool caught = std::any_of(subprogs.begin(), subprogs.end(), [](const SubprogInfo& s) { return s.is_exception_callback; });
  if (!caught) RING3_TRY(check_program_result(step, 1));
  RING3_TRY(check_no_section(step, "bpf_throw"));
  RING3_TRY(check_no_leak(step, true));
  step.path_ended = true;
  return {};
}

}  // namespace ring3::verifier
