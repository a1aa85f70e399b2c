// ring3-verifier-conformance: the kernel selftests' annotated BPF programs against a verifier.
//
// Every object is judged in a child process, so that a crash or an endless walk costs one case: the
// parent notes it and goes on behind it. Exit status 0 also with failures: the closing line counts them
// (--expect N makes fewer than N passes an error, --xfail FILE every difference to that list).
#include <bpf/libbpf.h>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "file_table.h"
#include "known_failures.h"
#include "runner.h"

namespace ring3::conformance {
namespace {

struct Options {
  std::string objects, sources, btf, backend = "ring3", filter, json, verdicts, xfail, table;
  bool bless = false;
  bool verbose = false;
  bool list_passed = false;
  bool loader_text = false;  // what libbpf has to say, on stderr
  int expect = 0;
  unsigned case_seconds = 60;
};

struct Record {
  Case test;
  Verdict verdict;
};

std::vector<std::string> object_files(const std::string& folder) {
  std::vector<std::string> files;
  if (DIR* dir = opendir(folder.c_str())) {
    while (const dirent* entry = readdir(dir)) {
      const std::string name = entry->d_name;
      if (name.size() > 6 && name.substr(name.size() - 6) == ".bpf.o") files.push_back(folder + "/" + name);
    }
    closedir(dir);
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Child side: one line of JSON a case, written when the case starts (its index) and when it ends.
[[noreturn]] void run_child(const Options& options, const std::string& file, const std::vector<Case>& cases,
                            std::size_t from, int out) {
  std::string problem;
  const std::unique_ptr<Kernel> kernel =
      options.backend == "native" ? native_kernel() : ring3_kernel(options.btf, problem);
  route_to(kernel.get());
  FILE* stream = fdopen(out, "w");
  for (std::size_t i = from; i < cases.size(); ++i) {
    std::fprintf(stream, "%zu\n", i);
    std::fflush(stream);
    alarm(options.case_seconds);
    const Verdict v = kernel ? run_case(*kernel, file, options.sources, cases[i])
                             : Verdict{Outcome::kFailed, "backend", problem, ""};
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
  if (json.is_discarded()) return {Outcome::kFailed, "harness", "unreadable result", ""};
  return {static_cast<Outcome>(json["outcome"].get<int>()), json["kind"], json["reason"], json["log"]};
}

/// Cases [from, …) of one object in one child. Returns the index behind the last case that got a verdict.
std::size_t run_some(const Options& options, const std::string& file, const std::vector<Case>& cases, std::size_t from,
                     std::vector<Record>& records) {
  int ends[2];
  if (pipe(ends) != 0) return cases.size();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    run_child(options, file, cases, from, ends[1]);
  }
  close(ends[1]);
  FILE* stream = fdopen(ends[0], "r");
  char* line = nullptr;
  std::size_t room = 0, started = from, finished = from;
  while (getline(&line, &room, stream) > 0) {
    started = std::strtoul(line, nullptr, 10);
    if (getline(&line, &room, stream) <= 0) break;
    records.push_back({cases[started], parse_verdict(line)});
    finished = started + 1;
  }
  std::free(line);
  std::fclose(stream);
  int status = 0;
  waitpid(child, &status, 0);
  if (finished == cases.size()) return finished;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  records.push_back({cases[finished],
                     {Outcome::kFailed, "crash",
                      signal == SIGALRM ? "took too long" : "ended the process (signal " + std::to_string(signal) + ")", ""}});
  return finished + 1;
}

/// Programs without annotations that are named in the file must be refused: OBJECT PROGRAM MESSAGE…, tabs between. Or, with
/// "=N" in the place of messages, run once and return N.
void read_verdicts(const std::string& file, std::vector<Case>& cases) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (words.size() < 2) continue;
    for (Case& test : cases) {
      if (test.object != words[0] || (words[1] != "*" && test.program != words[1]) || test.expected.tagged) continue;
      if (words.size() == 3 && words[2].starts_with("=")) {
        test.expected.privileged.retval = std::stoll(words[2].substr(1));
        continue;
      }
      test.expected.privileged.failure = true;
      test.expected.privileged.messages.assign(words.begin() + 2, words.end());
    }
  }
}

std::vector<Record> run_object(const Options& options, const std::string& file) {
  std::vector<Record> records;
  std::string problem;
  std::vector<Case> cases = list_cases(file, problem);
  if (!problem.empty()) std::fprintf(stderr, "%s: %s\n", file.c_str(), problem.c_str());
  if (!options.verdicts.empty()) read_verdicts(options.verdicts, cases);
  std::erase_if(cases, [&](const Case& test) { return test.name().find(options.filter) == std::string::npos; });
  for (std::size_t next = 0; next < cases.size();) next = run_some(options, file, cases, next, records);
  return records;
}

void print(const Options& options, const Record& record) {
  if (record.verdict.outcome == Outcome::kFailed) {
    std::printf("FAIL %s: %s: %s\n", record.test.name().c_str(), record.verdict.kind.c_str(),
                record.verdict.reason.c_str());
    if (options.verbose) std::printf("%s\n", record.verdict.log.c_str());
  } else if (options.list_passed) {
    std::printf("%s %s\n", record.verdict.outcome == Outcome::kPassed ? "ok  " : "skip", record.test.name().c_str());
  }
}

void write_json(const std::string& file, const std::vector<Record>& records) {
  constexpr const char* kOutcomes[] = {"passed", "failed", "skipped"};
  nlohmann::json all = nlohmann::json::array();
  for (const Record& r : records)
    all.push_back({{"object", r.test.object}, {"program", r.test.program}, {"unprivileged", r.test.unprivileged},
                   {"outcome", kOutcomes[static_cast<int>(r.verdict.outcome)]}, {"kind", r.verdict.kind},
                   {"reason", r.verdict.reason}, {"log", r.verdict.log}});
  std::ofstream(file) << all.dump(1, ' ', true, nlohmann::json::error_handler_t::replace) << "\n";
}

int summarize(const Options& options, const std::vector<Record>& records) {
  // [privileged or not][outcome]
  int counts[2][3] = {};
  std::map<std::string, int> kinds;
  for (const Record& r : records) {
    ++counts[r.test.unprivileged ? 1 : 0][static_cast<int>(r.verdict.outcome)];
    if (r.verdict.outcome == Outcome::kFailed) ++kinds[r.verdict.kind];
  }
  for (const auto& [kind, count] : kinds) std::printf("  %5d differ by %s\n", count, kind.c_str());
  for (const int mode : {0, 1})
    std::printf("  %s: %d passed, %d failed, %d skipped\n", mode == 0 ? "with rights" : "without rights", counts[mode][0],
                counts[mode][1], counts[mode][2]);
  const int passed = counts[0][0] + counts[1][0];
  std::printf("verifier: %d passed, %d failed, %d skipped\n", passed, counts[0][1] + counts[1][1],
              counts[0][2] + counts[1][2]);
  if (passed < options.expect) std::printf("expected at least %d to pass\n", options.expect);
  return passed < options.expect ? 1 : 0;
}

/// False: what fails is not what is known to fail.
bool compare_with_known(const std::string& file, bool bless, const std::vector<Record>& records) {
  KnownFailures known;
  std::string problem;
  if (!known.read(file, problem)) {
    std::printf("%s\n", problem.c_str());
    return false;
  }
  for (const Record& r : records)
    if (r.verdict.outcome != Outcome::kSkipped) known.judged(r.test.name(), r.verdict.outcome == Outcome::kFailed ? r.verdict.kind + ": " + r.verdict.reason : "");
  if (bless) std::ofstream(file) << known.corrected();
  return known.report() || bless;
}

void write_table(const std::string& file, const std::vector<Record>& records) {
  FileTable table;
  for (const Record& r : records)
    if (r.verdict.outcome != Outcome::kSkipped)
      table.judged(r.test.object, r.test.unprivileged, r.verdict.outcome == Outcome::kPassed);
  std::ofstream(file) << table.text();
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&](std::string& out) {
      if (i + 1 < argc) out = argv[++i];
    };
    std::string number;
    if (arg == "--objects") value(options.objects);
    else if (arg == "--sources") value(options.sources);
    else if (arg == "--btf") value(options.btf);
    else if (arg == "--backend") value(options.backend);
    else if (arg == "--filter") value(options.filter);
    else if (arg == "--json") value(options.json);
    else if (arg == "--verdicts") value(options.verdicts);
    else if (arg == "--xfail") value(options.xfail);
    else if (arg == "--table") value(options.table);
    else if (arg == "--expect") value(number), options.expect = std::atoi(number.c_str());
    else if (arg == "--case-seconds") value(number), options.case_seconds = static_cast<unsigned>(std::atoi(number.c_str()));
    else if (arg == "--bless") options.bless = true;
    else if (arg == "--verbose") options.verbose = true;
    else if (arg == "--libbpf") options.loader_text = true;
    else if (arg == "--list") options.list_passed = true;
    else return false;
  }
  return !options.objects.empty() && (options.backend == "native" || options.backend == "ring3");
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: ring3-verifier-conformance --objects FOLDER --btf VMLINUX [--sources FOLDER] [--backend ring3|native]\n"
                 "         [--filter TEXT] [--json FILE] [--verdicts FILE] [--xfail FILE [--bless]] [--table FILE] [--expect N] [--case-seconds N] [--list] [--verbose] [--libbpf]\n");
    return 2;
  }
  if (!options.loader_text) libbpf_set_print(nullptr);
  std::vector<Record> all;
  for (const std::string& file : object_files(options.objects)) {
    for (Record& record : run_object(options, file)) {
      print(options, record);
      all.push_back(std::move(record));
    }
  }
  if (!options.json.empty()) write_json(options.json, all);
  if (!options.table.empty()) write_table(options.table, all);
  const bool as_known = options.xfail.empty() || compare_with_known(options.xfail, options.bless, all);
  const int code = summarize(options, all);
  return as_known ? code : 1;
}

}  // namespace
}  // namespace ring3::conformance

int main(int argc, char** argv) { return ring3::conformance::run(argc, argv); }
