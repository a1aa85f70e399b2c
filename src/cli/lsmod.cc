// lsmod and modinfo: what is loaded, as tables or as JSON.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "cli/command.h"
#include "cli/table.h"
#include "control/module_client.h"

namespace ring3::cli {
namespace {

using Align = Table::Align;
using module::ModuleInfo;

struct Options {
  bool as_json = false;
  std::string name;
};

/// The host's clock: both ends are on one machine.
std::uint64_t age_ns(const ModuleInfo& module) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
  return now_ns > module.loaded_ns ? now_ns - module.loaded_ns : 0;
}

std::string ops_text(const ModuleInfo& module) {
  std::vector<std::string> names;
  for (const module::OpsRow& ops : module.ops) names.push_back(ops.type + ":" + ops.name);
  return names.empty() ? "-" : fmt::format("{}", fmt::join(names, ","));
}

std::string users_text(const ModuleInfo& module) {
  return module.users.empty() ? std::to_string(module.used_by) : fmt::format("{} {}", module.used_by, fmt::join(module.users, ","));
}

void print_json(JsonWriter& writer) { fmt::print("{}\n", nlohmann::json::parse(writer.take()).dump(2)); }

std::string module_table(const std::vector<ModuleInfo>& modules) {
  Table table({{"ID", Align::kRight}, {"NAME"}, {"STATE"}, {"LIFETIME"}, {"USED", Align::kRight}, {"PROGS", Align::kRight},
               {"MAPS", Align::kRight}, {"MEMORY", Align::kRight}, {"RUNS", Align::kRight}, {"UID/PID"}, {"AGE", Align::kRight}, {"OPS"}});
  for (const ModuleInfo& m : modules)
    table.row({std::to_string(m.id), m.name, m.state, lifetime_name(m.lifetime), users_text(m), std::to_string(m.programs.size()),
               std::to_string(m.maps.size()), bytes_text(m.memory_bytes), std::to_string(m.runs), fmt::format("{}/{}", m.uid, m.pid),
               age_text(age_ns(m)), ops_text(m)});
  return table.text();
}

ExitCode list_all(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  const Result<std::vector<ModuleInfo>> modules = control::modules(*client);
  if (!modules.ok()) return fail_request(*client, modules.error(), "lsmod");
  if (!options.as_json) {
    fmt::print("{}", module_table(*modules));
    return ExitCode::kDone;
  }
  JsonWriter json;
  json.begin_object().field("host", client->host().name).key("modules").begin_array();
  for (const ModuleInfo& module : *modules) write_json(json, module);
  json.end_array().end_object();
  print_json(json);
  return ExitCode::kDone;
}

void print_facts(const ModuleInfo& m) {
  const auto line = [](std::string_view key, std::string_view value) { fmt::print("{:<10} {}\n", key, terminal_text(value)); };
  line("name", m.name);
  line("id", std::to_string(m.id));
  line("state", m.state);
  line("lifetime", lifetime_name(m.lifetime));
  line("source", m.source);
  line("sha256", m.digest);
  line("loaded by", fmt::format("uid {}, pid {}, {} ago", m.uid, m.pid, age_text(age_ns(m))));
  if (!m.replaced.empty()) line("replaced", m.replaced);
  line("used by", users_text(m));
  line("memory", fmt::format("{} bytes", m.memory_bytes));
  line("runs", std::to_string(m.runs));
}

std::string program_table(const ModuleInfo& m) {
  Table table({{"PROGRAM"}, {"ID", Align::kRight}, {"TAG"}, {"INSNS", Align::kRight}, {"RUNS", Align::kRight}, {"MEMORY", Align::kRight}, {"SIGNED"}});
  for (const module::ProgramRow& p : m.programs)
    table.row({p.name, std::to_string(p.id), p.tag, std::to_string(p.insns), std::to_string(p.runs), bytes_text(p.memory_bytes),
               p.signer.empty() ? p.verdict : p.verdict + ": " + p.signer});
  return table.text();
}

std::string map_table(const ModuleInfo& m) {
  Table table({{"MAP"}, {"ID", Align::kRight}, {"TYPE"}, {"ENTRIES", Align::kRight}, {"MEMORY", Align::kRight}});
  for (const module::MapRow& map : m.maps)
    table.row({map.name, std::to_string(map.id), map.type, std::to_string(map.max_entries), bytes_text(map.memory_bytes)});
  return table.text();
}

std::string ops_table(const ModuleInfo& m) {
  Table table({{"OPS"}, {"TYPE"}, {"MAP", Align::kRight}, {"LINK", Align::kRight}, {"HOST REFS", Align::kRight}});
  for (const module::OpsRow& o : m.ops)
    table.row({o.name, o.type, std::to_string(o.map_id), o.link_id == 0 ? "-" : std::to_string(o.link_id), std::to_string(o.users)});
  return table.text();
}

ExitCode describe(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  const Result<ModuleInfo> module = control::module_info(*client, options.name);
  if (!module.ok()) return fail_request(*client, module.error(), "modinfo " + options.name);
  if (options.as_json) {
    JsonWriter json;
    write_json(json, *module);
    print_json(json);
    return ExitCode::kDone;
  }
  print_facts(*module);
  if (!module->programs.empty()) fmt::print("\n{}", program_table(*module));
  if (!module->maps.empty()) fmt::print("\n{}", map_table(*module));
  if (!module->ops.empty()) fmt::print("\n{}", ops_table(*module));
  return ExitCode::kDone;
}

}  // namespace

void add_lsmod(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("lsmod", "list the host's modules");
  command->add_flag("--json", options->as_json, "everything, as JSON");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return list_all(commands, *options); }; });
}

void add_modinfo(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("modinfo", "everything about one module");
  command->add_option("NAME", options->name)->required();
  command->add_flag("--json", options->as_json, "as JSON");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return describe(commands, *options); }; });
}

}  // namespace ring3::cli
