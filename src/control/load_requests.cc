// BEGIN and ABORT: a load as a transaction of the connection. It ends with the connection in any case.
#include "control/requests.h"

namespace ring3::control {

Result<long> answer_begin(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  auto& load = with.caller.load();
  if (load != nullptr && load->open()) {
    out.text = "this connection has begun a load already\n";
    return Errno::kBusy;
  }
  load = std::make_unique<syscall::LoadSession>(with.runtime.kernel());
  return 0L;
}

Result<long> answer_abort(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  auto& load = with.caller.load();
  if (load == nullptr) {
    out.text = "this connection has not begun a load\n";
    return Errno::kNoEnt;
  }
  load.reset();
  return 0L;
}

}  // namespace ring3::control
