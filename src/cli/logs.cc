// logs: the newest lines of the host's log, and what its programs print.
#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/table.h"

namespace ring3::cli {
namespace {

struct Options {
  bool follow = false;
  bool as_json = false;
  std::string module;
  std::size_t lines = 0;  // 0: all that the host has kept
};

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kInfo: return "info";
    case Severity::kDebug: return "debug";
  }
  return "?";
}

void print_line(const control::HostLogLine& line, bool as_json) {
  if (as_json) {
    const nlohmann::json record{{"position", line.position}, {"time_ns", line.time_ns}, {"severity", severity_name(line.severity)},
                                {"module", line.module}, {"text", line.text}};
    fmt::print("{}\n", record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  const auto seconds = static_cast<std::time_t>(line.time_ns / 1'000'000'000);
  const std::string from = line.module.empty() ? "" : line.module + ": ";
  // Programs print what they like: what looks like a line of its own is none.
  std::string shown;
  for (std::string_view rest = line.text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    shown += (shown.empty() ? "" : "\n    ") + terminal_text(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  fmt::print("{:%Y-%m-%d %H:%M:%S}.{:03} {:<7} {}{}\n", fmt::localtime(seconds), line.time_ns / 1'000'000 % 1000,
             severity_name(line.severity), terminal_text(from), shown);
}

/// All lines from `position` on that are there now; position moves behind them.
Result<std::vector<control::HostLogLine>> read_all(control::Client& client, std::uint64_t& position) {
  std::vector<control::HostLogLine> all;
  for (;;) {
    Result<std::vector<control::HostLogLine>> some = client.log(position, false);
    if (!some.ok()) return some.error();
    if (some->empty()) return all;
    position = some->back().position + 1;
    all.insert(all.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
  }
}

ExitCode show(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  std::uint64_t position = 0;
  Result<std::vector<control::HostLogLine>> lines = read_all(*client, position);
  if (lines.ok()) std::erase_if(*lines, [&](const auto& line) { return !options.module.empty() && line.module != options.module; });
  if (lines.ok() && options.lines != 0 && lines->size() > options.lines)
    lines->erase(lines->begin(), lines->end() - static_cast<std::ptrdiff_t>(options.lines));
  for (;;) {
    if (!lines.ok()) return fail_request(*client, lines.error(), "logs");
    for (const control::HostLogLine& line : *lines)
      if (options.module.empty() || line.module == options.module) print_line(line, options.as_json);
    if (std::fflush(stdout) != 0 || !options.follow) return ExitCode::kDone;
    lines = client->log(position, true);
    if (lines.ok() && !lines->empty()) position = lines->back().position + 1;
  }
}

}  // namespace

void add_logs(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("logs", "what the host and its modules said");
  command->add_option("MODULE", options->module, "only lines of this module");
  command->add_flag("-f,--follow", options->follow, "go on until interrupted");
  command->add_option("-n,--lines", options->lines, "only the newest N");
  command->add_flag("--json", options->as_json, "one JSON record a line");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return show(commands, *options); }; });
}

}  // namespace ring3::cli
