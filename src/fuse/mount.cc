#include "fuse/mount.h"

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "base/try.h"
#include "fuse/operations.h"

namespace ring3::fuse {
namespace {

struct FuseArgs {
  FuseArgs() = default;
  FuseArgs(const FuseArgs&) = delete;
  FuseArgs& operator=(const FuseArgs&) = delete;
  ~FuseArgs() { fuse_opt_free_args(&args); }
  bool add(const char* text) { return fuse_opt_add_arg(&args, text) == 0; }
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
};

Result<std::string> absolute(const std::string& directory) {
  char path[PATH_MAX];
  if (::realpath(directory.c_str(), path) == nullptr) return errno == EACCES ? Errno::kAcces : Errno::kNoEnt;
  return std::string(path);
}

}  // namespace

struct Mounted::Session {
  Session(bpffs::Backend& backend, const std::string& process) : operations(backend, process) {}
  ~Session() {
    if (session == nullptr) return;
    if (signals) fuse_remove_signal_handlers(session);
    if (mounted) fuse_session_unmount(session);
    fuse_session_destroy(session);
  }

  Operations operations;
  fuse_session* session = nullptr;
  OwnedFd stop;
  bool mounted = false, signals = false;
};

Mounted::Mounted(std::unique_ptr<Session> session) : session_(std::move(session)) {}

namespace {

/// The directory, absolute. Errors, with words in why: kNoDev, kNotDir, kNoEnt, kAcces.
Result<std::string> check_place(const std::string& directory, std::string& why) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    why = "/dev/fuse is not there for this user; load the fuse module, or ask for the device";
    return Errno::kNoDev;
  }
  Result<std::string> where = absolute(directory);
  struct stat st;
  if (where.ok() && ::stat(where->c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return where;
  why = directory + " is no directory that can be mounted on";
  return where.ok() ? Errno::kNotDir : where.error();
}

bpffs::Request begin_request(const MountPlan& plan, const std::string& where) {
  bpffs::Request begin;
  begin.op = bpffs::Op::kMount;
  begin.name = plan.seen_as.empty() ? where : plan.seen_as;
  begin.flags = (plan.own_tree ? bpffs::kMountNew : 0) | (plan.foreign ? bpffs::kMountForeign : 0);
  begin.who.uid = ::geteuid();
  begin.who.gid = ::getegid();
  return begin;
}

}  // namespace

Result<std::unique_ptr<Mounted>> Mounted::mount(bpffs::Backend& backend, MountPlan plan, std::string& why) {
  std::string where = plan.device ? plan.directory : RING3_TRY(check_place(plan.directory, why));
  auto session = std::make_unique<Session>(backend, plan.mounted_by == 0 ? "self" : std::to_string(plan.mounted_by));
  bpffs::Request begin = begin_request(plan, where);
  begin.who = session->operations.host_ids(begin.who);
  begin.text = RING3_TRY(session->operations.host_options(plan.options, why));
  if (Result<bpffs::Reply> begun = backend.call(begin); !begun.ok()) return begun.error();

  FuseArgs args;
  const char* options = plan.allow_other ? "fsname=bpf,subtype=bpf,default_permissions,nosuid,nodev,noexec,allow_other"
                                         : "fsname=bpf,subtype=bpf,default_permissions,nosuid,nodev,noexec";
  if (!args.add("ring3") || !args.add("-o") || !args.add(options)) return Errno::kNoMem;
  session->stop = OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!session->stop) return Errno::kMFile;
  session->session = fuse_session_new(&args.args, &Operations::table(), sizeof(fuse_lowlevel_ops), &session->operations);
  if (session->session == nullptr) return Errno::kNoMem;
  if (plan.device) where = "/dev/fd/" + std::to_string(plan.device.get());
  if (fuse_session_mount(session->session, where.c_str()) != 0) {
    why = "cannot mount on " + where + ": neither the right to mount nor fusermount3";
    return Errno::kPerm;
  }
  (void)plan.device.release();  // the session's now
  session->mounted = true;
  const int device = fuse_session_fd(session->session);
  ::fcntl(device, F_SETFL, ::fcntl(device, F_GETFL) | O_NONBLOCK);
  if (plan.handle_signals) session->signals = fuse_set_signal_handlers(session->session) == 0;
  std::unique_ptr<Mounted> out(new Mounted(std::move(session)));
  bpffs::Request describe;
  describe.op = bpffs::Op::kDescribe;
  if (Result<bpffs::Reply> text = backend.call(describe); text.ok()) out->options_text_ = std::move(text->text);
  return out;
}

Mounted::~Mounted() = default;

// libfuse's own loop cannot be ended from outside while it waits, so this one waits for two things.
void Mounted::serve() {
  fuse_buf buffer{};
  pollfd waiting[] = {{fuse_session_fd(session_->session), POLLIN, 0}, {session_->stop.get(), POLLIN, 0}};
  while (!fuse_session_exited(session_->session)) {
    if (::poll(waiting, 2, -1) < 0) continue;  // a signal: its handler may have ended the session
    if (waiting[1].revents != 0) break;
    const int bytes = fuse_session_receive_buf(session_->session, &buffer);
    if (bytes == -EAGAIN || bytes == -EINTR) continue;
    if (bytes <= 0) break;  // unmounted
    fuse_session_process_buf(session_->session, &buffer);
  }
  std::free(buffer.mem);
}

void Mounted::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(session_->stop.get(), &one, sizeof one);
}

}  // namespace ring3::fuse
