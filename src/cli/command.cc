#include "cli/command.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "control/place.h"

namespace ring3::cli {
namespace {

std::string_view without_newlines(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// Sockets whose host is alive.
std::vector<std::string> living_hosts() {
  std::vector<std::string> living;
  for (const std::string& host : control::known_hosts()) {
    std::string why;
    if (control::Client::connect(host, why).ok()) living.push_back(host);
  }
  return living;
}

}  // namespace

ExitCode fail(ExitCode code, std::string_view message) {
  fmt::print(stderr, "ring3: {}\n", without_newlines(message));
  return code;
}

std::unique_ptr<control::Client> connect(const Commands& commands, ExitCode& code) {
  std::string host = commands.host;
  if (host.empty()) {
    const std::vector<std::string> living = living_hosts();
    if (living.empty()) code = fail(ExitCode::kUnreachable, "no host is running (ring3 -H HOST names one by its socket's path)");
    if (living.size() > 1)
      code = fail(ExitCode::kUsage, fmt::format("several hosts are running, say which one with -H: {}", fmt::join(living, ", ")));
    if (living.size() != 1) return nullptr;
    host = living.front();
  }
  std::string why;
  Result<std::unique_ptr<control::Client>> client = control::Client::connect(host, why);
  if (client.ok()) return std::move(client).value();
  const bool denied = client.error() == Errno::kPerm || client.error() == Errno::kAcces;
  code = fail(denied ? ExitCode::kDenied : ExitCode::kUnreachable, why);
  return nullptr;
}

ExitCode fail_request(const control::Client& client, Errno error, std::string_view what) {
  const std::string text = client.text();
  return fail(exit_code_of(error), text.empty() ? fmt::format("{}: {}", what, errno_name(error)) : text);
}

}  // namespace ring3::cli
