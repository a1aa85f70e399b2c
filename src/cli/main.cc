// `ring3`: what an operator does with the modules of running hosts. ring3(1) is the manual.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>

#include "cli/command.h"

namespace {

using ring3::cli::Commands;
using ring3::cli::ExitCode;

void add_commands(CLI::App& app, Commands& commands) {
  app.add_option("-H,--host", commands.host, "the host: its name, or the path of its socket")->envname("RING3_HOST");
  app.set_version_flag("--version", "ring3 " RING3_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  add_insmod(app, commands);
  add_replace(app, commands);
  add_rmmod(app, commands);
  add_lsmod(app, commands);
  add_modinfo(app, commands);
  add_top(app, commands);
  add_logs(app, commands);
  add_hosts(app, commands);
  add_refs(app, commands);
  add_run(app, commands);
  add_dump(app, commands);
  add_mount(app, commands);
  add_verify(app, commands);
  add_sign(app, commands);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Loads, lists, replaces and removes BPF modules of running ring3 hosts.", "ring3"};
  app.footer("Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 refused by the verifier,\n"
             "6 incompatible, 7 in use, 8 host unreachable.");
  Commands commands;
  try {
    add_commands(app, commands);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  try {
    return static_cast<int>(commands.chosen());
  } catch (const std::exception& e) {
    return static_cast<int>(ring3::cli::fail(ExitCode::kFailed, e.what()));
  }
}
