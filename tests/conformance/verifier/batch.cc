#include "batch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace ring3::conformance {

namespace {

/// Closes every descriptor of the child but the standard ones and `fd`: it also has the other batches' pipes, which would not
/// end while it lives. Returns what became of fd.
int only_open(int fd) {
  constexpr int kKept = STDERR_FILENO + 1;
  if (fd != kKept) dup2(fd, kKept);
  close_range(kKept + 1, ~0U, 0);
  return kKept;
}

/// Child side: two lines a case, its index when it starts and JSON when it ends.
[[noreturn]] void run_child(Batch& batch, const std::vector<std::size_t>& cases, std::size_t from, unsigned seconds, int out) {
  batch.start();
  FILE* stream = fdopen(out, "w");
  for (std::size_t i = from; i < cases.size(); ++i) {
    std::fprintf(stream, "%zu\n", i);
    std::fflush(stream);
    alarm(seconds);
    const Verdict v = batch.judge(cases[i]);
    alarm(0);
    const nlohmann::json line = {{"outcome", static_cast<int>(v.outcome)}, {"kind", v.kind}, {"reason", v.reason}, {"log", v.log}};
    std::fprintf(stream, "%s\n", line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).c_str());
    std::fflush(stream);
  }
  std::fclose(stream);
  _exit(0);
}

Verdict parse_verdict(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) return failed("harness", "unreadable result");
  return {static_cast<Outcome>(json["outcome"].get<int>()), json["kind"], json["reason"], json["log"]};
}

/// Cases [from, …) in one child. Returns the index behind the last case that got a verdict.
std::size_t run_some(Batch& batch, const std::vector<std::size_t>& cases, std::size_t from, unsigned seconds,
                     std::vector<Record>& records) {
  int ends[2];
  if (pipe(ends) != 0) return cases.size();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    run_child(batch, cases, from, seconds, only_open(ends[1]));
  }
  close(ends[1]);
  FILE* stream = fdopen(ends[0], "r");
  char* line = nullptr;
  std::size_t room = 0, finished = from;
  while (getline(&line, &room, stream) > 0) {
    const std::size_t started = std::strtoul(line, nullptr, 10);
    if (getline(&line, &room, stream) <= 0) break;
    records.push_back({batch.name(cases[started]), parse_verdict(line)});
    finished = started + 1;
  }
  std::free(line);
  std::fclose(stream);
  int status = 0;
  waitpid(child, &status, 0);
  if (finished == cases.size()) return finished;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  records.push_back({batch.name(cases[finished]),
                     failed("crash", signal == SIGALRM ? "took too long" : "ended the process (signal " + std::to_string(signal) + ")")});
  return finished + 1;
}

}  // namespace

Verdict failed(std::string kind, std::string reason) { return {Outcome::kFailed, std::move(kind), std::move(reason), ""}; }
Verdict skipped(std::string kind, std::string reason) { return {Outcome::kSkipped, std::move(kind), std::move(reason), ""}; }

void judge_apart(Batch& batch, const std::string& filter, unsigned seconds, std::vector<Record>& records) {
  std::vector<std::size_t> cases;
  for (std::size_t i = 0; i < batch.size(); ++i)
    if (batch.name(i).text().find(filter) != std::string::npos) cases.push_back(i);
  for (std::size_t next = 0; next < cases.size();) next = run_some(batch, cases, next, seconds, records);
}

}  // namespace ring3::conformance
