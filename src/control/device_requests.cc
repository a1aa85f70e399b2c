// DEVICE_PROGRAMS and SET_DEVICE_PROGRAM: what clients ask of rtnetlink that is about programs (syscall/device_programs.h).
#include "base/try.h"
#include "control/requests.h"
#include "syscall/device_programs.h"

namespace ring3::control {

Result<long> answer_device_programs(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  const std::vector<syscall::DeviceProgram> all = syscall::device_programs(with.runtime.kernel());
  for (const syscall::DeviceProgram& each : all) out.body.put(each.device).put(each.program);
  return static_cast<long>(all.size());
}

Result<long> answer_set_device_program(Conversation& with, WireReader& in, Response& out) {
  syscall::DeviceRequest request;
  request.device = in.get<std::uint32_t>();
  request.program = in.get<std::int32_t>();
  request.flags = in.get<std::uint32_t>();
  request.expected = in.get<std::int32_t>();
  if (!in.finished()) return malformed(out);
  syscall::CommonLog common;
  syscall::Call call(with.runtime.kernel(), with.caller, common);
  const Result<void> set = syscall::set_device_program(call, request);
  out.text = with.caller.take_text();
  return set.ok() ? Result<long>(0L) : Result<long>(set.error());
}

}  // namespace ring3::control
