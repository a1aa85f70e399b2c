// Perf events: those of BPF output (PERF_COUNT_SW_BPF_OUTPUT) are buffers of the runtime's, which clients map, wait on and put into perf
// event arrays. Those that programs are attached to (kprobes, uprobes, tracepoints) are the kernel's own hooks: there are none here, and
// the answers say so. All others are counters of the machine, and none of ours.
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "supervisor/calls.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

/// The start of struct perf_event_attr, which every version has.
struct AttrStart {
  std::uint32_t type, size;
  std::uint64_t config;
};

/// Number of a kind of event that the machine's kernel made up; none: it has no such kind.
std::optional<std::uint32_t> dynamic_type(const char* kind) {
  std::ifstream file(std::string("/sys/bus/event_source/devices/") + kind + "/type");
  std::uint32_t type = 0;
  if (!(file >> type)) return std::nullopt;
  return type;
}

/// What programs are attached to.
bool is_hook(std::uint32_t type) {
  if (type == PERF_TYPE_TRACEPOINT) return true;
  if (type < PERF_TYPE_MAX) return false;
  static const std::optional<std::uint32_t> kprobe = dynamic_type("kprobe"), uprobe = dynamic_type("uprobe");
  return type == kprobe || type == uprobe;
}

bool is_event_file(Intercept& call, int fd) {
  return memory_file(call, fd).has_value() && call.door.event_pages(call.listener, call.n, call.caller, fd, 0).ok();
}

constexpr const char* kNoHooks = "the kernel's probes and tracepoints are no attach points of this host";

}  // namespace

Answer answer_perf_event_open(Intercept& call) {
  const Result<AttrStart> attr = NotifiedMemory(call.listener, call.n).read_value<AttrStart>(call.n.args[0]);
  if (!attr.ok()) return std::nullopt;  // the kernel has the right errno
  if (is_hook(attr->type)) {
    call.report.count_refused("perf_event_open", kNoHooks);
    return to_syscall(Errno::kNoEnt);
  }
  if (attr->type != PERF_TYPE_SOFTWARE || attr->config != PERF_COUNT_SW_BPF_OUTPUT) return std::nullopt;
  const Result<OwnedFd> file = call.door.event_file(call.caller);
  if (!file.ok()) return to_syscall(file.error());
  const Result<int> number = call.listener.give_file(call.n, file->get());
  return number.ok() ? Answer(*number) : Answer(to_syscall(number.error()));
}

Answer answer_perf_ioctl(Intercept& call) {
  const int fd = call.n.int_arg(0);
  const auto command = static_cast<unsigned long>(call.n.u32_arg(1));
  if (!is_event_file(call, fd)) {
    // A real event cannot take a program of ours: its descriptor is none of the kernel's.
    if (command == PERF_EVENT_IOC_SET_BPF && memory_file(call, call.n.int_arg(2))) {
      call.report.count_refused("PERF_EVENT_IOC_SET_BPF", kNoHooks);
      return to_syscall(Errno::kOpNotSupp);
    }
    return std::nullopt;
  }
  switch (command) {
    case PERF_EVENT_IOC_ENABLE:
    case PERF_EVENT_IOC_DISABLE:
    case PERF_EVENT_IOC_RESET: return 0;
    case PERF_EVENT_IOC_ID: {
      const std::uint64_t id = memory_file(call, fd)->inode;
      return NotifiedMemory(call.listener, call.n).write_value(call.n.args[2], id).ok() ? 0 : to_syscall(Errno::kFault);
    }
    default: return to_syscall(Errno::kInval);  // as Linux: not an event that programs or filters belong to
  }
}

Answer answer_mmap(Intercept& call) {
  const int fd = call.n.int_arg(4);
  const std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), bytes = call.n.args[1];
  if (fd < 0 || call.n.args[5] != 0 || bytes < 2 * page || !is_event_file(call, fd)) return std::nullopt;
  if (bytes % page != 0 || bytes / page - 1 > UINT32_MAX) return to_syscall(Errno::kInval);
  const Result<void> used =
      call.door.event_pages(call.listener, call.n, call.caller, fd, static_cast<std::uint32_t>(bytes / page - 1));
  return used.ok() ? Answer() : Answer(to_syscall(used.error()));
}

}  // namespace ring3::supervisor
