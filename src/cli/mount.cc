// mount: the host's pins in the machine's file system. In the background until somebody unmounts the directory, or, with
// a command, in namespaces of its own for as long as the command runs. ring3-mount(8) is the manual.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "base/owned_fd.h"
#include "cli/command.h"
#include "control/file_client.h"
#include "fuse/mount.h"

namespace ring3::cli {
namespace {

struct Options {
  std::string directory;
  std::string bpffs_options;
  bool own_tree = false;
  bool allow_other = false;
  bool foreground = false;
  std::vector<std::string> command;
};

std::string system_error(const char* what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

/// A connection and the mount that it is.
struct Served {
  std::unique_ptr<control::Client> client;
  std::unique_ptr<control::RemoteFiles> files;
  std::unique_ptr<fuse::Mounted> mounted;  // ends first
};

ExitCode mount_here(const Commands& commands, const Options& options, bool foreign, Served& out) {
  ExitCode code{};
  out.client = connect(commands, code);
  if (out.client == nullptr) return code;
  out.files = std::make_unique<control::RemoteFiles>(*out.client);
  std::string why;
  fuse::MountPlan plan;
  plan.directory = options.directory;
  plan.options = options.bpffs_options;
  plan.own_tree = options.own_tree;
  plan.foreign = foreign;
  plan.allow_other = options.allow_other;
  plan.handle_signals = options.command.empty();
  auto mounted = fuse::Mounted::mount(*out.files, std::move(plan), why);
  if (mounted.ok()) {
    out.mounted = std::move(mounted).value();
    return ExitCode::kDone;
  }
  if (mounted.error() == Errno::kNoDev || mounted.error() == Errno::kNotDir) return fail(ExitCode::kFailed, why);
  if (!why.empty()) return fail(exit_code_of(mounted.error()), why);
  return fail_request(*out.client, mounted.error(), "mount " + options.directory);
}

ExitCode serve_in_foreground(const Commands& commands, const Options& options) {
  Served served;
  if (const ExitCode code = mount_here(commands, options, false, served); code != ExitCode::kDone) return code;
  served.mounted->serve();
  return ExitCode::kDone;
}

/// The parent ends when the directory is mounted, or with the child's reason.
ExitCode serve_in_background(const Commands& commands, const Options& options) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return fail(ExitCode::kFailed, system_error("pipe"));
  OwnedFd read_end(report[0]), write_end(report[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail(ExitCode::kFailed, system_error("fork"));
  if (child != 0) {
    write_end.reset();
    int code = 0;
    if (::read(read_end.get(), &code, sizeof code) != sizeof code) return fail(ExitCode::kFailed, "the mount ended at once");
    return static_cast<ExitCode>(code);
  }
  ::setsid();
  Served served;
  const ExitCode code = mount_here(commands, options, false, served);
  const int number = static_cast<int>(code);
  [[maybe_unused]] const ssize_t n = ::write(write_end.get(), &number, sizeof number);
  write_end.reset();
  if (code == ExitCode::kDone) {
    const OwnedFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing.get(), fd);
    [[maybe_unused]] const int moved = ::chdir("/");
    served.mounted->serve();
  }
  return code;
}

bool write_file(const char* path, const std::string& text) {
  const OwnedFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// A mount namespace that nothing leaves; for an unprivileged user inside a user namespace where it keeps its ids.
bool enter_namespaces(bool& foreign) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  foreign = ::unshare(CLONE_NEWNS) != 0;
  if (foreign) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    write_file("/proc/self/setgroups", "deny");
    if (!write_file("/proc/self/uid_map", fmt::format("{0} {0} 1\n", uid)) ||
        !write_file("/proc/self/gid_map", fmt::format("{0} {0} 1\n", gid)))
      return false;
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// The command's exit code; 128 and its signal; 127 when it cannot be run.
int run_command(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (error != 0) {
    fmt::print(stderr, "ring3: {}: {}\n", command[0], std::strerror(error));
    return 127;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ExitCode serve_for_command(const Commands& commands, const Options& options) {
  bool foreign = false;
  if (!enter_namespaces(foreign))
    return fail(ExitCode::kDenied, system_error("no mount namespace of one's own to be had (user namespaces may be forbidden here)"));
  Served served;
  if (const ExitCode code = mount_here(commands, options, foreign, served); code != ExitCode::kDone) return code;
  std::thread server([&served] { served.mounted->serve(); });
  const int code = run_command(options.command);
  served.mounted->stop();
  server.join();
  return static_cast<ExitCode>(code);
}

ExitCode run(const Commands& commands, const Options& options) {
  if (!options.command.empty()) return serve_for_command(commands, options);
  return options.foreground ? serve_in_foreground(commands, options) : serve_in_background(commands, options);
}

}  // namespace

void add_mount(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("mount", "show the host's pins as a file system");
  command->add_option("DIR", options->directory, "where to mount")->required();
  command->add_option("CMD", options->command, "run this with the mount in namespaces of its own, then unmount (after --)");
  command->add_option("-o,--options", options->bpffs_options, "uid=, gid=, mode=, delegate_cmds=, …, noviews");
  command->add_flag("--new", options->own_tree, "an empty tree that goes with the mount, instead of the host's");
  command->add_flag("--allow-other", options->allow_other, "other users may look, each with its own rights");
  command->add_flag("-f,--foreground", options->foreground, "serve until unmounted or interrupted");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return run(commands, *options); }; });
}

}  // namespace ring3::cli
