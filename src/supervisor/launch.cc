#include "supervisor/launch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/try.h"
#include "control/packet.h"
#include "control/wire.h"

namespace ring3::supervisor {
namespace {

/// The child's packets: what it is about, then (errno, text). A file comes with kListener and kFuse.
enum class Step : std::uint32_t { kFuse = 1, kListener, kFailed, kExecFailed };

using control::WireReader;
using control::WireWriter;

void tell(int channel, Step step, Errno error, const std::string& text, bool placed, int file) {
  WireWriter message;
  message.put(step).put(static_cast<std::int32_t>(error)).put(static_cast<std::uint32_t>(placed)).text(text);
  (void)control::send_packet(channel, message.bytes(), file);
}

/// What main() of a command expects to find, whatever this process has set for itself.
void restore_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
}

/// True: all overlays are in place.
bool furnish(const LaunchPlan& plan, int channel, std::string& remarks) {
  const auto remark = [&](const std::string& why) { remarks += why + "\n"; };
  std::string why;
  if (!plan.namespaces) return false;
  if (!enter_namespaces(why).ok()) {
    remark("no namespaces of its own (" + why + "): files of the kernel are the machine's");
    return false;
  }
  bool placed = true;
  for (const Overlay& overlay : plan.overlays) {
    if (lay_over(overlay, why).ok() || overlay.optional) continue;
    remark("nothing put over " + why);
    placed = false;
  }
  if (!plan.files.empty() && !lay_over_files(plan.files, why).ok()) remark("nothing put over " + why);
  for (const std::string& directory : plan.writable)
    if (!make_writable(directory, why).ok()) remark("no files of its own in " + why);
  if (plan.bpffs) {
    const Result<OwnedFd> fuse = mount_fuse("/sys/fs/bpf", "bpf", why);
    if (fuse.ok()) {
      if (!show_bpffs_in_mounts("/sys/fs/bpf", why).ok()) remark("the table of mounts is the machine's (" + why + ")");
      tell(channel, Step::kFuse, Errno{}, "", placed, fuse->get());
    }
    else remark("no file system of pins at /sys/fs/bpf (" + why + ")");
  }
  return placed;
}

[[noreturn]] void run_child(const LaunchPlan& plan, const Filter& filter, int channel) {
  std::vector<char*> argv;
  for (const std::string& word : plan.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::string remarks;
  const bool placed = furnish(plan, channel, remarks);
  std::string why;
  Result<OwnedFd> listener = filter.install(why);
  if (!listener.ok()) {
    tell(channel, Step::kFailed, listener.error(), why, false, -1);
    ::_exit(1);
  }
  tell(channel, Step::kListener, Errno{}, remarks, placed, listener->get());
  listener->reset();
  if (!control::receive_packet(channel).ok()) ::_exit(1);  // the supervisor is gone
  restore_signals();
  ::execvp(argv[0], argv.data());
  tell(channel, Step::kExecFailed, static_cast<Errno>(errno), "", false, -1);
  ::_exit(127);
}

/// Takes the child's packets until the listener. The child's own errno when it failed.
Result<void> meet(Child& child, std::string& why) {
  for (;;) {
    control::Packet packet = RING3_TRY(control::receive_packet(child.channel.get()));
    WireReader in(packet.bytes);
    const auto step = in.get<Step>();
    const auto error = static_cast<Errno>(in.get<std::int32_t>());
    const bool placed = in.get<std::uint32_t>() != 0;
    std::string text = in.text();
    if (!in.finished()) return Errno::kProto;
    switch (step) {
      case Step::kFuse: child.fuse = std::move(packet.file); break;
      case Step::kListener:
        child.listener = std::move(packet.file);
        child.remarks = std::move(text);
        child.overlays_placed = placed;
        return child.listener ? Result<void>() : Errno::kMFile;
      case Step::kFailed:
      case Step::kExecFailed: why = std::move(text); return error;
    }
  }
}

}  // namespace

Result<Child> launch(const LaunchPlan& plan, const Filter& filter, std::string& why) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Errno::kMFile;
  OwnedFd mine(ends[0]), theirs(ends[1]);
  Child child;
  child.pid = ::fork();
  if (child.pid < 0) {
    why = "no process can be started";
    return static_cast<Errno>(errno);
  }
  if (child.pid == 0) {
    mine.reset();
    run_child(plan, filter, theirs.get());
  }
  theirs.reset();
  child.channel = std::move(mine);
  child.pidfd = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  const Result<void> met = meet(child, why);
  if (met.ok() && child.pidfd) return child;
  if (why.empty()) why = "the command's process ended before it began";
  child.channel.reset();  // ends a child that waits
  ::waitpid(child.pid, nullptr, 0);
  return met.ok() ? Errno::kMFile : met.error();
}

Result<void> go(Child& child) {
  const std::byte word{1};
  RING3_TRY(control::send_packet(child.channel.get(), {&word, 1}));
  // Exec closes the child's end; words mean that it failed.
  const Result<control::Packet> packet = control::receive_packet(child.channel.get());
  if (!packet.ok()) return {};
  WireReader in(packet->bytes);
  return in.get<Step>() == Step::kExecFailed ? static_cast<Errno>(in.get<std::int32_t>()) : Errno::kProto;
}

}  // namespace ring3::supervisor
