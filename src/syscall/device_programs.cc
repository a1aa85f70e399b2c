#include "syscall/device_programs.h"

#include <linux/if_link.h>

#include <bit>
#include <string>

#include "attach/hook.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

Result<void> refuse(Call& call, Errno code, std::string_view why) {
  call.explain(why);
  return code;
}

Result<void> check_flags(Call& call, const DeviceRequest& request) {
  if ((request.flags & ~std::uint32_t{XDP_FLAGS_MASK}) != 0) return refuse(call, Errno::kInval, "unknown XDP flags");
  if (std::popcount(request.flags & XDP_FLAGS_MODES) > 1) return refuse(call, Errno::kInval, "an XDP program has one mode");
  return {};
}

/// Null for a negative descriptor.
Result<Ref<prog::Program>> program_for_devices(Call& call, int fd) {
  if (fd < 0) return Ref<prog::Program>();
  Ref<prog::Program> program = RING3_TRY(call.program(fd));
  if (program->type() != uapi::BPF_PROG_TYPE_XDP) return refuse(call, Errno::kInval, "not an XDP program").error();
  if (program->attach_type() == uapi::BPF_XDP_DEVMAP || program->attach_type() == uapi::BPF_XDP_CPUMAP)
    return refuse(call, Errno::kInval, "a program for the entries of a map stands at no device").error();
  RING3_TRY(check_runnable(call, *program));
  return program;
}

/// One attempt. Errors: kStale somebody else changed the place meanwhile.
Result<void> set_once(Call& call, attach::OrderedList& place, const DeviceRequest& request, const Ref<prog::Program>& program,
                      const Ref<prog::Program>& expected) {
  const attach::OrderedList::View now = place.view();
  const attach::OrderedEntry* const stands = now.entries.empty() ? nullptr : &now.entries.front();
  if (stands != nullptr && stands->link != nullptr) return refuse(call, Errno::kBusy, "a link holds the device's program");
  prog::Program* const active = stands != nullptr ? stands->program.get() : nullptr;
  if ((request.flags & XDP_FLAGS_REPLACE) != 0 && active != expected.get())
    return refuse(call, Errno::kExist, "the device's program is not the expected one");
  // Who takes a program away may say this too, as bpftool does.
  if ((request.flags & XDP_FLAGS_UPDATE_IF_NOEXIST) != 0 && program && active != nullptr)
    return refuse(call, Errno::kBusy, "the device has an XDP program already");
  if (active == program.get()) return {};
  if (!program) return place.detach(active, nullptr, 0, {}, now.revision);
  return place.attach(program, nullptr, active, active != nullptr ? std::uint32_t{uapi::BPF_F_REPLACE} : 0, {}, now.revision);
}

}  // namespace

std::vector<DeviceProgram> device_programs(Kernel& kernel) {
  std::vector<DeviceProgram> out;
  for (const auto& point : kernel.hooks().all(uapi::BPF_XDP)) {
    if (point->chains()) continue;
    const attach::OrderedList::View now = point->list().view();
    out.push_back({point->ifindex(), now.entries.empty() ? 0 : now.entries.front().program->id()});
  }
  return out;
}

Result<void> set_device_program(Call& call, const DeviceRequest& request) {
  if (!call.rights().net_admin && !call.rights().sys_admin) return refuse(call, Errno::kPerm, "programs at devices need CAP_NET_ADMIN");
  const auto point = call.kernel().hooks().find(uapi::BPF_XDP, request.device);
  if (!point) return refuse(call, Errno::kNoDev, "the host offers no XDP at device " + std::to_string(request.device));
  if (point->chains()) return refuse(call, Errno::kOpNotSupp, "the device chains programs, which links hold");
  RING3_TRY(check_flags(call, request));
  const Ref<prog::Program> program = RING3_TRY(program_for_devices(call, request.program));
  if (program) RING3_TRY(check_committed(call, *program));
  const bool replaces = (request.flags & XDP_FLAGS_REPLACE) != 0;
  const Ref<prog::Program> expected = RING3_TRY(program_for_devices(call, replaces ? request.expected : -1));
  for (;;) {
    // kStale: another writer got through, so all of them together come to an end.
    const Result<void> set = set_once(call, point->list(), request, program, expected);
    if (set.ok() || set.error() != Errno::kStale) return set;
  }
}

}  // namespace ring3::syscall
