// refs: who holds references to the host's objects, and where ownership closes a ring.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/table.h"

namespace ring3::cli {
namespace {

using Json = nlohmann::json;
using Align = Table::Align;

struct Options {
  bool as_json = false;
  bool cycles = false;
  std::string object;
};

std::string number_or_dash(const Json& row, const char* key) {
  return row.contains(key) ? std::to_string(row[key].get<std::uint64_t>()) : "-";
}

void print_types(const Json& report) {
  Table table({{"TYPE"}, {"OWNED", Align::kRight}, {"WEAK", Align::kRight}, {"ALIVE", Align::kRight}});
  for (const Json& use : report["types"])
    table.row({use["name"].get<std::string>(), number_or_dash(use, "owned"), number_or_dash(use, "weak"), number_or_dash(use, "alive")});
  table.row({"(of programs)", number_or_dash(report, "program_objects"), "-", "-"});
  fmt::print("{}", table.text());
}

bool wanted(const Json& row, const Options& options) {
  return options.object.empty() || row["object"].get<std::string>().starts_with(options.object);
}

void print_references(const Json& report, const Options& options) {
  Table table({{"OBJECT"}, {"KIND"}, {"REFS", Align::kRight}, {"HOLDER"}});
  bool some = false;
  for (const Json& row : report["references"]) {
    if (!wanted(row, options)) continue;
    some = true;
    table.row({row["object"].get<std::string>(), row["kind"].get<std::string>(), number_or_dash(row, "count"), row["holder"].get<std::string>()});
  }
  if (some) fmt::print("\n{}", table.text());
}

void print_rings(const Json& report) {
  if (report["rings"].empty()) fmt::print("no cycles\n");
  for (const Json& ring : report["rings"]) {
    fmt::print("{} cycle:\n", ring["seen"].get<bool>() ? "a" : "a possible");
    for (const Json& step : ring["steps"]) fmt::print("  {}\n", step.get<std::string>());
    for (const Json& object : ring["leak_candidates"])
      fmt::print("  leak candidate: {}: nothing but storage keeps it\n", object.get<std::string>());
  }
}

ExitCode refs(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  const Result<control::Client::Reply> reply = client->request(control::MessageType::kReferences, {});
  if (!reply.ok()) return fail_request(*client, reply.error(), "refs");
  const auto* text = reinterpret_cast<const char*>(reply->body.data());
  const Json report = Json::parse(text, text + reply->body.size());
  if (options.as_json) {
    fmt::print("{}\n", (options.cycles ? report["rings"] : report).dump(2));
    return ExitCode::kDone;
  }
  if (options.cycles) {
    print_rings(report);
  } else {
    print_types(report);
    print_references(report, options);
  }
  if (report["cut"].get<bool>()) fail(ExitCode::kDone, "there are more references than a host lists at a time");
  return ExitCode::kDone;
}

}  // namespace

void add_refs(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("refs", "who holds references to the host's objects");
  command->add_option("OBJECT", options->object, "only of objects whose text begins so: \"session\", \"session #17\"");
  command->add_flag("--cycles", options->cycles, "rings of ownership and what only they keep");
  command->add_flag("--json", options->as_json, "as JSON");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return refs(commands, *options); }; });
}

}  // namespace ring3::cli
