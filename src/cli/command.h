// What the subcommands share: how they are added to the parser, how they reach the host, how they fail.
//
// A subcommand is one file with one add_…() that declares its options; what it does runs after parsing and
// answers with an exit code. Output for scripts goes to stdout, words to stderr.
#pragma once

#include <CLI/CLI.hpp>  // and std::function

#include <memory>
#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "control/client.h"

namespace ring3::cli {

/// Options before the subcommand, and what the chosen subcommand will do.
struct Commands {
  std::string host;
  std::function<ExitCode()> chosen;
};

/// "ring3: …" on stderr; a message of several lines is kept as it is. Returns `code`.
ExitCode fail(ExitCode code, std::string_view message);

/// The host that -H or RING3_HOST names, or the only one there is. Null: has failed, code says how.
std::unique_ptr<control::Client> connect(const Commands& commands, ExitCode& code);

/// Fails with the host's words about a request, or `what` and the errno when it had none.
ExitCode fail_request(const control::Client& client, Errno error, std::string_view what);

void add_insmod(CLI::App& app, Commands& commands);
void add_replace(CLI::App& app, Commands& commands);
void add_rmmod(CLI::App& app, Commands& commands);
void add_lsmod(CLI::App& app, Commands& commands);
void add_modinfo(CLI::App& app, Commands& commands);
void add_top(CLI::App& app, Commands& commands);
void add_logs(CLI::App& app, Commands& commands);
void add_hosts(CLI::App& app, Commands& commands);
void add_refs(CLI::App& app, Commands& commands);
void add_run(CLI::App& app, Commands& commands);
void add_dump(CLI::App& app, Commands& commands);
void add_mount(CLI::App& app, Commands& commands);
void add_verify(CLI::App& app, Commands& commands);
void add_sign(CLI::App& app, Commands& commands);

}  // namespace ring3::cli
