// ring3-verifier-conformance: the programs of the kernel's selftests against a verifier: annotated objects, the arrays of the
// older suite, and objects that say nothing about what is expected of them.
//
// Exit status 0 also with failures: the closing lines count them (--expect N makes fewer than N passes an error, --xfail FILE
// every difference to that list, --accepted FILE every wrong acceptance that is not in that one).
#include <bpf/libbpf.h>
#include <dirent.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "arrays/array_suite.h"
#include "file_table.h"
#include "kernel.h"
#include "known_failures.h"
#include "plain.h"
#include "runner.h"
#include "summary.h"
#include "targets.h"

namespace ring3::conformance {
namespace {

/// The kernel that lists of differences to the machine were written with.
constexpr std::string_view kListedRelease = "6.18.";

struct Options {
  std::string objects, arrays, plain, stated, newer;  // where the first three corpora are, and what belongs to the last
  std::string targets, target_objects;                // the fourth: its table, and where annotated objects are
  std::string sources, btf, backend = "ring3", filter, json, xfail, accepted, table, page, every_path;
  bool bless = false;
  bool verbose = false;
  bool list_passed = false;
  bool loader_text = false;  // what libbpf has to say, on stderr
  int expect = 0;
  unsigned case_seconds = 60;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
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

void print(const Options& options, const Record& record) {
  if (record.verdict.outcome == Outcome::kFailed) {
    std::printf("FAIL %s: %s: %s\n", record.name.text().c_str(), record.verdict.kind.c_str(), record.verdict.reason.c_str());
    if (options.verbose) std::printf("%s\n", record.verdict.log.c_str());
  } else if (options.list_passed) {
    const bool passed = record.verdict.outcome == Outcome::kPassed;
    std::printf("%s %s%s%s\n", passed ? "ok  " : "skip", record.name.text().c_str(), passed ? "" : ": ", record.verdict.reason.c_str());
  }
}

/// Makes a batch; made where it is judged, as opening an object takes a while.
using MakeBatch = std::function<std::unique_ptr<Batch>()>;

/// Judges batches by several at a time; what they find is kept, and printed, in their order.
void run_batches(const Options& options, const std::vector<MakeBatch>& batches, std::vector<Record>& all) {
  std::vector<std::vector<Record>> found(batches.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < options.jobs; ++i)
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < batches.size(); at = next++)
        judge_apart(*batches[at](), options.filter, options.case_seconds, found[at]);
    });
  for (std::thread& worker : workers) worker.join();
  for (std::vector<Record>& records : found) {
    for (const Record& record : records) print(options, record);
    all.insert(all.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
  }
}

bool is_listed_release() {
  utsname name{};
  return uname(&name) == 0 && std::string_view(name.release).substr(0, kListedRelease.size()) == kListedRelease;
}

std::vector<Record> run_all(const Options& options) {
  const Backend backend{options.backend, options.btf};
  StatedVerdicts stated;
  if (!options.stated.empty()) stated.read(options.stated);
  KnownFailures newer;
  std::string problem;
  if (!options.newer.empty() && is_listed_release() && !newer.read(options.newer, problem)) std::printf("%s\n", problem.c_str());
  std::vector<MakeBatch> batches;
  for (const std::string& file : object_files(options.objects))
    batches.emplace_back([&, file] { return annotated_batch(file, options.sources, backend); });
  if (!options.arrays.empty())
    for (auto& batch : array_batches(options.arrays, backend, problem))
      batches.emplace_back([kept = std::make_shared<std::unique_ptr<Batch>>(std::move(batch))] { return std::move(*kept); });
  for (const std::string& file : object_files(options.plain))
    batches.emplace_back([&, file] { return plain_batch(file, stated, newer.reasons(), backend); });
  if (!options.targets.empty())
    if (std::unique_ptr<Batch> pairs = target_batch(options.targets, {options.plain, options.target_objects}, backend, problem))
      batches.emplace_back([kept = std::make_shared<std::unique_ptr<Batch>>(std::move(pairs))] { return std::move(*kept); });
  if (!problem.empty()) std::printf("%s\n", problem.c_str());
  std::vector<Record> all;
  run_batches(options, batches, all);
  return all;
}

void write_json(const std::string& file, const std::vector<Record>& records) {
  constexpr const char* kOutcomes[] = {"passed", "failed", "skipped"};
  constexpr const char* kCorpora[] = {"annotated", "arrays", "plain", "targets"};
  nlohmann::json all = nlohmann::json::array();
  for (const Record& r : records)
    all.push_back({{"corpus", kCorpora[static_cast<int>(r.name.corpus)]}, {"object", r.name.object}, {"program", r.name.program},
                   {"unprivileged", r.name.unprivileged}, {"outcome", kOutcomes[static_cast<int>(r.verdict.outcome)]},
                   {"kind", r.verdict.kind}, {"reason", r.verdict.reason}, {"log", r.verdict.log}});
  std::ofstream(file) << all.dump(1, ' ', true, nlohmann::json::error_handler_t::replace) << "\n";
}

/// A difference to a machine other than the one the list was written on says nothing about the list.
bool is_held_by_lists(const Record& record) {
  return record.verdict.outcome != Outcome::kSkipped && (record.name.corpus != Corpus::kPlain || is_listed_release());
}

bool is_wrong_accept(const Record& record) { return record.verdict.outcome == Outcome::kFailed && record.verdict.kind == "accepts"; }

/// False: what fails is not what is known to fail.
bool compare_with_known(const Options& options, const std::vector<Record>& records) {
  KnownFailures known;
  std::string problem;
  if (!known.read(options.xfail, problem)) {
    std::printf("%s\n", problem.c_str());
    return false;
  }
  for (const Record& r : records)
    if (is_held_by_lists(r) && !is_wrong_accept(r))
      known.judged(r.name.text(), r.verdict.outcome == Outcome::kFailed ? r.verdict.kind + ": " + r.verdict.reason : "");
  if (options.bless) std::ofstream(options.xfail) << known.corrected();
  return known.report() || options.bless;
}

constexpr std::size_t kMostAccepted = 5;

/// What is accepted though Linux refuses it is never blessed: somebody has to say why it is safe, and not often.
bool compare_accepted(const Options& options, const std::vector<Record>& records) {
  KnownFailures known;
  std::string problem;
  if (!known.read(options.accepted, problem)) {
    std::printf("%s\n", problem.c_str());
    return false;
  }
  for (const Record& r : records)
    if (is_held_by_lists(r)) known.judged(r.name.text(), is_wrong_accept(r) ? r.verdict.reason : "");
  const bool few = known.reasons().size() <= kMostAccepted;
  if (!few) std::printf("%s: %zu wrong acceptances, at most %zu may be listed\n", options.accepted.c_str(), known.reasons().size(), kMostAccepted);
  return known.report() && few;
}

void write_table(const std::string& file, const std::vector<Record>& records) {
  FileTable table;
  for (const Record& r : records)
    if (r.verdict.outcome != Outcome::kSkipped && r.name.corpus != Corpus::kPlain && r.name.corpus != Corpus::kTargets)
      table.judged(r.name.object, r.name.unprivileged, r.verdict.outcome == Outcome::kPassed);
  std::ofstream(file) << table.text();
}

/// Puts the same table between the marks of a page. False: it has no marks.
bool write_page(const std::string& file, const std::vector<Record>& records) {
  constexpr std::string_view kBegin = "<!-- objects: scripts/conformance verifier --page -->\n", kEnd = "<!-- end of objects -->\n";
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::size_t begin = text.find(kBegin), end = text.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    std::printf("%s: no marks to put the objects between\n", file.c_str());
    return false;
  }
  FileTable table;
  for (const Record& r : records)
    if (r.verdict.outcome != Outcome::kSkipped && r.name.corpus != Corpus::kPlain && r.name.corpus != Corpus::kTargets)
      table.judged(r.name.object, r.name.unprivileged, r.verdict.outcome == Outcome::kPassed);
  text.replace(begin + kBegin.size(), end - begin - kBegin.size(), "\n" + table.text() + "\n");
  std::ofstream(file) << text;
  return true;
}

/// What walks of every path said. False: a verdict differs.
bool print_every_path(const std::string& file) {
  std::ifstream in(file);
  std::map<std::string, std::size_t> counts;
  for (std::string said, name; in >> said && std::getline(in, name);) {
    ++counts[said];
    if (said == "differs") std::printf("the walk of every path differs:%s\n", name.c_str());
  }
  std::printf("every path: %zu verdicts agree, %zu programs are too large for it, %zu differ\n", counts["agrees"], counts["large"],
              counts["differs"]);
  return counts["differs"] == 0;
}

bool parse(int argc, char** argv, Options& options) {
  const std::map<std::string_view, std::string*> texts = {
      {"--objects", &options.objects}, {"--arrays", &options.arrays},   {"--plain", &options.plain}, {"--stated", &options.stated},
      {"--newer", &options.newer}, {"--targets", &options.targets}, {"--target-objects", &options.target_objects}, {"--sources", &options.sources}, {"--btf", &options.btf},     {"--backend", &options.backend},
      {"--filter", &options.filter},   {"--json", &options.json},       {"--xfail", &options.xfail}, {"--accepted", &options.accepted},
      {"--table", &options.table},     {"--page", &options.page},       {"--every-path", &options.every_path}};
  const std::map<std::string_view, bool*> flags = {{"--bless", &options.bless}, {"--verbose", &options.verbose},
                                                   {"--libbpf", &options.loader_text}, {"--list", &options.list_passed}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (const auto flag = flags.find(arg); flag != flags.end()) {
      *flag->second = true;
      continue;
    }
    if (value == nullptr) return false;
    ++i;
    if (const auto text = texts.find(arg); text != texts.end()) *text->second = value;
    else if (arg == "--expect") options.expect = std::atoi(value);
    else if (arg == "--jobs") options.jobs = std::max(1U, static_cast<unsigned>(std::atoi(value)));
    else if (arg == "--case-seconds") options.case_seconds = static_cast<unsigned>(std::atoi(value));
    else return false;
  }
  return options.backend == "native" || options.backend == "ring3";
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: ring3-verifier-conformance --btf VMLINUX [--objects FOLDER] [--arrays PLUGIN] [--plain FOLDER [--stated FILE]\n"
                 "         [--newer FILE]] [--targets FILE --target-objects FOLDER] [--sources FOLDER] [--backend ring3|native] [--filter TEXT] [--json FILE] [--xfail FILE [--bless]]\n"
                 "         [--accepted FILE] [--table FILE] [--page FILE] [--every-path FILE] [--expect N] [--case-seconds N] [--jobs N] [--list] [--verbose] [--libbpf]\n");
    return 2;
  }
  if (!options.loader_text) libbpf_set_print(nullptr);
  if (!options.every_path.empty()) {
    std::ofstream(options.every_path) << "";
    also_walk_every_path(options.every_path);
  }
  const std::vector<Record> all = run_all(options);
  if (!options.json.empty()) write_json(options.json, all);
  if (!options.table.empty()) write_table(options.table, all);
  bool as_known = options.xfail.empty() || compare_with_known(options, all);
  if (!options.accepted.empty()) as_known = compare_accepted(options, all) && as_known;
  if (!options.page.empty()) as_known = write_page(options.page, all) && as_known;
  if (!options.every_path.empty()) as_known = print_every_path(options.every_path) && as_known;
  const int passed = print_summary(all);
  if (passed < options.expect) std::printf("expected at least %d to pass\n", options.expect);
  return as_known && passed >= options.expect ? 0 : 1;
}

}  // namespace
}  // namespace ring3::conformance

int main(int argc, char** argv) { return ring3::conformance::run(argc, argv); }
