// `ring3 run`: ring3-run(1).
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/btf_file.h"
#include "cli/command.h"
#include "cli/run_pins.h"
#include "cli/run_preload.h"
#include "control/place.h"
#include "supervisor/host_door.h"
#include "supervisor/run.h"
#include "supervisor/runtime_door.h"

namespace ring3::cli {
namespace {

constexpr const char* kMachineTypes = "/sys/kernel/btf/vmlinux";

/// As env(1), timeout(1) and others that run a command: its own codes stay free.
enum class RunExit : int { kFailed = 125, kCannotExecute = 126, kNoCommand = 127 };

struct Options {
  std::string btf;
  bool report = false;
  bool no_namespaces = false;
  bool verbose = false;
  bool preload = false;
  supervisor::Extras extras;
  std::vector<std::string> limits;
  std::vector<std::string> command;
};

/// The runtime's lines, for --verbose.
class StderrLog final : public Log {
 public:
  void line(Severity, std::string_view module, std::string_view text) override {
    fmt::print(stderr, "ring3 run: {}{}{}\n", module, module.empty() ? "" : ": ", text);
  }
};

ExitCode as_exit(RunExit code) { return static_cast<ExitCode>(code); }

/// NAME=N of --limit. Errors, with words in why: kInval.
Result<ClientLimits> read_limits(const std::vector<std::string>& words, std::string& why) {
  ClientLimits limits;
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    const std::string name = word.substr(0, sign);
    const char* digits = sign == std::string::npos ? "" : word.c_str() + sign + 1;
    char* end = nullptr;
    const std::uint64_t value = *digits >= '0' && *digits <= '9' ? std::strtoull(digits, &end, 0) : 0;
    bool known = end != nullptr && *end == '\0' && (name == "bytes" || value <= UINT32_MAX);
    if (name == "bytes") limits.bytes = value;
    else if (name == "maps") limits.maps = static_cast<std::uint32_t>(value);
    else if (name == "programs") limits.programs = static_cast<std::uint32_t>(value);
    else if (name == "links") limits.links = static_cast<std::uint32_t>(value);
    else if (name == "btfs") limits.btfs = static_cast<std::uint32_t>(value);
    else known = false;
    if (known) continue;
    why = "--limit " + word + ": it is maps=N, programs=N, links=N, btfs=N or bytes=N";
    return Errno::kInval;
  }
  return limits;
}

std::unique_ptr<supervisor::Door> open_door(const Commands& commands, const Options& options, Log* log, std::string& why) {
  const Result<ClientLimits> limits = read_limits(options.limits, why);
  if (!limits.ok()) return nullptr;
  if (!commands.host.empty()) {
    if (!options.limits.empty()) {
      why = "--limit is for a command without a host: a host sets its own limits";
      return nullptr;
    }
    if (!options.btf.empty()) {
      why = "--btf is for a command without a host: a host has types of its own";
      return nullptr;
    }
    auto door = supervisor::HostDoor::open(commands.host, why);
    return door.ok() ? std::move(*door) : nullptr;
  }
  if (options.btf.empty()) {
    // Read when the first call comes: a command that makes none does not wait for megabytes of types.
    if (::access(kMachineTypes, R_OK) != 0) {
      why = std::string(kMachineTypes) + ": " + std::strerror(errno) + " (this machine shows no types: name a file with --btf)";
      return nullptr;
    }
    return std::make_unique<supervisor::RuntimeDoor>([](std::string& said) { return read_btf_file(kMachineTypes, said); }, log, *limits);
  }
  auto btf = read_btf_file(options.btf, why);
  if (!btf.ok()) return nullptr;
  return std::make_unique<supervisor::RuntimeDoor>(std::move(*btf), log, *limits);
}

/// 125, 126 or 127, with the reason.
ExitCode fail_run(const Options& options, Errno error, std::string why) {
  if (why.empty()) why = errno_name(error);
  RunExit code = RunExit::kFailed;
  if (why.starts_with(options.command.front() + ": "))
    code = error == Errno::kNoEnt ? RunExit::kNoCommand : RunExit::kCannotExecute;
  return fail(as_exit(code), "run: " + why);
}

/// A folder for the socket of the command's own runtime.
struct SocketFolder {
  SocketFolder() : path(::mkdtemp(text)) {}
  ~SocketFolder() { ::rmdir(text); }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;
  char text[32] = "/tmp/ring3-run-XXXXXX";
  const char* path;  // null: it could not be made
};

ExitCode preload_command(const Commands& commands, const Options& options) {
  StderrLog log;
  std::string why, socket;
  const SocketFolder folder;
  std::unique_ptr<supervisor::Door> door = open_door(commands, options, options.verbose ? &log : nullptr, why);
  if (door == nullptr) return fail(as_exit(RunExit::kFailed), "run: " + why);
  if (!commands.host.empty()) {
    socket = control::socket_path(commands.host);
  } else {
    socket = std::string(folder.path == nullptr ? "" : folder.path) + "/host.sock";
    const Result<Runtime*> runtime = static_cast<supervisor::RuntimeDoor&>(*door).runtime();
    if (!runtime.ok()) return fail_run(options, runtime.error(), "the command's runtime does not start");
    const Result<void> listening = (*runtime)->listen({.path = socket, .policy = nullptr});
    if (!listening.ok()) return fail_run(options, listening.error(), "no socket at " + socket);
  }
  const Result<int> code = run_preloaded(options.command, socket, why);
  door.reset();
  return code.ok() ? static_cast<ExitCode>(*code) : fail_run(options, code.error(), why);
}

ExitCode run_command(const Commands& commands, const Options& options) {
  if (options.preload) return preload_command(commands, options);
  StderrLog log;
  std::string why;
  std::unique_ptr<supervisor::Door> door = open_door(commands, options, options.verbose ? &log : nullptr, why);
  if (door == nullptr) return fail(as_exit(RunExit::kFailed), "run: " + why);
  supervisor::Report report;
  const std::unique_ptr<supervisor::PinServer> pins =
      commands.host.empty() ? serve_pins_of(static_cast<supervisor::RuntimeDoor&>(*door)) : serve_pins_of(commands.host);
  const supervisor::RunOptions run{options.command, !options.no_namespaces, options.verbose, options.extras, pins.get()};
  const Result<supervisor::RunEnd> end = supervisor::run(run, *door, report, why);
  if (options.report) fmt::print(stderr, "ring3 run: {}", report.text());
  if (!end.ok()) return fail_run(options, end.error(), why);
  if (end->must_exit) {
    std::fflush(nullptr);
    std::_Exit(end->code);
  }
  return static_cast<ExitCode>(end->code);
}

}  // namespace

void add_run(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "run a command whose bpf(2) calls go to the host, or to a runtime of its own");
  command->add_option("--btf", options->btf, "the types of the command's own runtime: raw BTF, or an ELF file with it");
  command->add_flag("--report", options->report, "at the end, say on stderr which calls failed and why");
  command->add_flag("--no-namespaces", options->no_namespaces, "leave the command in this user and mount namespace");
  command->add_flag("--devices", options->extras.devices,
                    "XDP programs at the host's devices are set and shown by netlink too (xdp-loader, bpftool net); every send costs a look");
  command->add_flag("--fdinfo", options->extras.fdinfo, "/proc/self/fdinfo shows what Linux shows of objects; every open for reading costs a look");
  command->add_option("--limit", options->limits, "NAME=N: how much the command's own runtime lets it hold (maps, programs, links, btfs, bytes)")
      ->allow_extra_args(false);
  command->add_flag("--preload", options->preload, "by LD_PRELOAD, where seccomp listeners are forbidden: dynamically linked programs only");
  command->add_flag("-v,--verbose", options->verbose, "say what is missing, and print the runtime's log");
  command->add_option("COMMAND", options->command, "the command and its arguments, after --")->required();
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return run_command(commands, *options); }; });
}

}  // namespace ring3::cli
