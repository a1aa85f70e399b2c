#include "supervisor/run.h"

#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/try.h"
#include "supervisor/kernel_files.h"
#include "supervisor/launch.h"
#include "supervisor/loop.h"

namespace ring3::supervisor {
namespace {

/// The terminal sends these to the command as well; it decides what they mean. Others are passed on.
Result<OwnedFd> take_signals() {
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  sigset_t passed_on;
  ::sigemptyset(&passed_on);
  for (const int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaddset(&passed_on, signal);
  ::sigprocmask(SIG_BLOCK, &passed_on, nullptr);
  OwnedFd signals(::signalfd(-1, &passed_on, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return Errno::kMFile;
  return signals;
}

/// The device of what is mounted at a directory as a process sees it, without asking the file system; 0: nothing is.
dev_t mounted_device(pid_t pid, const std::string& directory) {
  std::ifstream mounts("/proc/" + std::to_string(pid) + "/mountinfo");
  dev_t device = 0;
  for (std::string line; std::getline(mounts, line);) {
    // 36 35 98:0 /root /mount-point options …
    std::istringstream words(line);
    std::string id, parent, number, root, point;
    words >> id >> parent >> number >> root >> point;
    unsigned major = 0, minor = 0;
    if (point == directory && std::sscanf(number.c_str(), "%u:%u", &major, &minor) == 2) device = ::makedev(major, minor);
  }
  return device;
}

/// Starts the file system of pins, and learns how to know it again.
void serve_pins(PinServer& pins, Child& child, Surroundings& around, bool verbose) {
  std::string why;
  if (!pins.serve(std::move(child.fuse), child.pid, why).ok()) {
    if (verbose) std::fprintf(stderr, "no file system of pins at /sys/fs/bpf: %s\n", why.c_str());
    return;
  }
  around.bpffs_device = mounted_device(child.pid, "/sys/fs/bpf");
  around.pins = around.bpffs_device != 0 ? &pins : nullptr;
}

/// What stands over the kernel's files, by the types in a file; none: those are the machine's.
std::vector<FileOverlay> files_over(const OwnedFd& types, std::uint32_t cpus) {
  const auto own = static_cast<std::uint32_t>(::get_nprocs_conf());
  if (cpus == own) cpus = 0;
  struct stat st;
  if (!types || ::fstat(types.get(), &st) != 0 || st.st_size <= 0) return kernel_files({}, cpus);
  const auto bytes = static_cast<std::size_t>(st.st_size);
  void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, types.get(), 0);
  if (at == MAP_FAILED) return kernel_files({}, cpus);
  std::vector<FileOverlay> files = kernel_files({static_cast<const std::byte*>(at), bytes}, cpus);
  ::munmap(at, bytes);
  return files;
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Result<RunEnd> run(const RunOptions& options, Door& door, Report& report, std::string& why) {
  std::vector<Intercepted> sent;
  for (const CallRow& row : calls())
    if (row.only_with == nullptr || options.extras.*row.only_with) sent.push_back(row.when);
  const Filter filter = RING3_TRY(Filter::build(sent));
  const OwnedFd types = RING3_TRY(door.types());

  LaunchPlan plan;
  plan.command = options.command;
  plan.namespaces = options.namespaces;
  plan.bpffs = options.pins != nullptr;
  if (types) plan.overlays.push_back({"/sys/kernel/btf", {{"vmlinux", types.get()}}});
  // Who writes probes there would put them into the machine's kernel, for programs that are not in it.
  for (const char* probes : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) plan.overlays.push_back({probes, {}, true});
  // Where xdp-loader keeps its lock.
  if (options.extras.devices) plan.writable.push_back("/run");
  plan.files = files_over(types, door.cpus());
  Child child = RING3_TRY(launch(plan, filter, why));
  if (options.verbose && !child.remarks.empty()) std::fprintf(stderr, "%s", child.remarks.c_str());

  const OwnedFd signals = RING3_TRY(take_signals());
  const Listener listener(std::move(child.listener));
  const std::unique_ptr<TaskTable> tasks = RING3_TRY(TaskTable::create());
  Surroundings around;
  around.types_placed = child.overlays_placed;
  if (child.fuse) serve_pins(*options.pins, child, around, options.verbose);
  Loop loop(listener, door, *tasks, around, report, child.pidfd.get(), signals.get());
  RING3_TRY(loop.start());
  const Result<void> gone = go(child);
  loop.wait_for_end();
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  RunEnd end{exit_code(status), !loop.finish()};
  if (options.pins != nullptr) options.pins->stop();
  if (!gone.ok()) {
    why = options.command.front() + ": " + std::strerror(static_cast<int>(gone.error()));
    if (!end.must_exit) return gone.error();
  }
  return end;
}

}  // namespace ring3::supervisor
