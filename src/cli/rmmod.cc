// rmmod: takes modules out and waits until their last caller has left.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/command.h"
#include "control/module_client.h"

namespace ring3::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool force = false;
  bool no_wait = false;
  unsigned timeout_s = 10;
};

/// Whether the host still lists it, as unloading.
bool still_there(control::Client& client, std::uint32_t id) {
  const Result<std::vector<module::ModuleInfo>> modules = control::modules(client);
  if (!modules.ok()) return false;  // the host went, and the module with it
  return std::any_of(modules->begin(), modules->end(), [&](const module::ModuleInfo& m) { return m.id == id; });
}

/// False: callers are still inside.
bool wait_until_gone(control::Client& client, std::uint32_t id, std::chrono::seconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (auto pause = std::chrono::milliseconds(1); still_there(client, id); pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

ExitCode remove(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  for (const std::string& name : options.names) {
    const Result<std::uint32_t> id = control::remove(*client, name, options.force);
    if (!id.ok()) return fail_request(*client, id.error(), "rmmod " + name);
    if (!options.no_wait && !wait_until_gone(*client, *id, std::chrono::seconds(options.timeout_s)))
      fmt::print(stderr, "ring3: module {} is out, but calls are still inside it (id {}, listed as unloading)\n", name, *id);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_rmmod(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("rmmod", "take modules out of the host");
  command->add_option("NAME", options->names, "the modules, in this order")->required();
  command->add_flag("-f,--force", options->force, "also when others use it; its memory goes when they let go");
  command->add_flag("--no-wait", options->no_wait, "do not wait until running callers have left");
  command->add_option("--timeout", options->timeout_s, "how long to wait for them, in seconds")->capture_default_str();
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return remove(commands, *options); }; });
}

}  // namespace ring3::cli
