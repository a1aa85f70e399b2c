// insmod and replace: an object file becomes a module of the host.
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "cli/command.h"
#include "cli/loader.h"

namespace ring3::cli {
namespace {

struct Options {
  LoadRequest request;
  std::string lifetime = "resident";
  std::string old_and_object;  // replace: OLD=OBJECT
  bool quiet = false;
};

void add_load_options(CLI::App& command, Options& options) {
  command.add_option("--name", options.request.name, "the module's name (default: the file's, up to its first dot)");
  command.add_option("--lifetime", options.lifetime, "resident: until rmmod; session: as long as this command runs; pinned: until unpinned")
      ->check(CLI::IsMember({"resident", "session", "pinned"}))
      ->capture_default_str();
  command.add_option("--pin", options.request.pin, "where a pinned module's links are pinned (default: /sys/fs/bpf/NAME)");
  command.add_option("--ops", options.request.ops, "also make this table of a '?.struct_ops' section");
  command.add_flag("-v,--verbose", options.request.verbose, "what libbpf says, on stderr");
  command.add_flag("-q,--quiet", options.quiet, "say nothing on success");
}

/// Until a signal comes, or the host goes.
ExitCode stay(control::Client& client) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  for (;;) {
    const timespec second{1, 0};
    if (sigtimedwait(&signals, nullptr, &second) > 0) return ExitCode::kDone;
    if (!control::modules(client).ok()) return fail(ExitCode::kUnreachable, "the host is gone");
  }
}

ExitCode load(const Commands& commands, Options& options) {
  options.request.lifetime = *module::lifetime_by_name(options.lifetime);
  if (!options.request.pin.empty() && options.request.lifetime != module::Lifetime::kPinned)
    return fail(ExitCode::kUsage, "--pin goes with --lifetime pinned");
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  Loader loader(*client);
  if (const std::optional<LoadFailure> failure = loader.load(options.request)) {
    const std::string& path = options.request.object_path;
    fail(failure->code, fmt::format("{}: not loaded into {}", path.substr(path.find_last_of('/') + 1), client->host().name));
    fmt::print(stderr, "{}{}", failure->words, failure->words.ends_with('\n') ? "" : "\n");
    return failure->code;
  }
  if (!options.quiet) {
    const std::string place = options.request.replaces.empty() ? "" : " in the place of " + options.request.replaces;
    fmt::print("module {} (id {}) loaded into {}{}\n", loader.name(), loader.id(), client->host().name, place);
    std::fflush(stdout);
  }
  return options.request.lifetime == module::Lifetime::kSession ? stay(*client) : ExitCode::kDone;
}

}  // namespace

void add_insmod(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("insmod", "verify an object file and load it as a module");
  command->add_option("OBJECT", options->request.object_path, "compiled by clang -target bpf")->required();
  add_load_options(*command, *options);
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return load(commands, *options); }; });
}

void add_replace(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("replace", "load an object file in the place of a module; callers see the one or the other");
  command->add_option("OLD=OBJECT", options->old_and_object, "the module to replace, and the file; or as two words: OLD OBJECT")->required();
  command->add_option("OBJECT", options->request.object_path);
  add_load_options(*command, *options);
  command->callback([&commands, options] {
    commands.chosen = [&commands, options] {
      LoadRequest& request = options->request;
      request.replaces = options->old_and_object;
      const std::size_t equals = request.replaces.find('=');
      if (equals != std::string::npos && request.object_path.empty()) {
        request.object_path = request.replaces.substr(equals + 1);
        request.replaces.resize(equals);
      }
      if (request.object_path.empty() || request.replaces.empty() || request.replaces.find('=') != std::string::npos)
        return fail(ExitCode::kUsage, "replace takes OLD=OBJECT: the module to replace, and the object file");
      return load(commands, *options);
    };
  });
}

}  // namespace ring3::cli
