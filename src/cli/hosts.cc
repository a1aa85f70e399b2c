// hosts: who listens on this machine.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/table.h"
#include "control/module_client.h"
#include "control/place.h"

namespace ring3::cli {
namespace {

ExitCode list_hosts(bool as_json) {
  nlohmann::json records = nlohmann::json::array();
  Table table({{"HOST"}, {"PID", Table::Align::kRight}, {"UID", Table::Align::kRight}, {"MODULES", Table::Align::kRight}, {"SOCKET"}});
  for (const std::string& host : control::known_hosts()) {
    std::string why;
    const Result<std::unique_ptr<control::Client>> client = control::Client::connect(host, why);
    if (!client.ok()) continue;  // a socket its host has left behind, or one that does not admit us
    const Result<std::vector<module::ModuleInfo>> modules = control::modules(**client);
    const std::size_t count = modules.ok() ? modules->size() : 0;
    const control::HostInfo& info = (*client)->host();
    table.row({info.name, std::to_string(info.pid), std::to_string(info.uid), std::to_string(count), info.path});
    records.push_back({{"host", info.name}, {"pid", info.pid}, {"uid", info.uid}, {"modules", count}, {"socket", info.path}});
  }
  fmt::print("{}", as_json ? records.dump(2) + "\n" : table.text());
  return ExitCode::kDone;
}

}  // namespace

void add_hosts(CLI::App& app, Commands& commands) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("hosts", "list the hosts that run on this machine");
  command->add_flag("--json", *as_json, "as JSON");
  command->callback([&commands, as_json] { commands.chosen = [as_json] { return list_hosts(*as_json); }; });
}

}  // namespace ring3::cli
