#include "targets.h"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "kernel.h"
#include "load_object.h"
#include "match.h"

namespace ring3::conformance {

namespace {

constexpr std::size_t kLogBytes = 2 << 20;

struct Pair {
  std::string object, program, target_object, target_program, function;
  std::string message;  // "": to be accepted
};

/// One program of an object, loaded alone; result: as bpf_object__load().
struct Loaded {
  ObjectPtr object;
  bpf_program* program = nullptr;
  int result = 0;
  std::string log;
};

class TargetBatch final : public Batch {
 public:
  TargetBatch(std::vector<Pair> pairs, std::vector<std::string> folders, Backend backend)
      : pairs_(std::move(pairs)), folders_(std::move(folders)), backend_(std::move(backend)) {}

  std::size_t size() const override { return pairs_.size(); }
  CaseName name(std::size_t index) const override {
    const Pair& p = pairs_[index];
    return {Corpus::kTargets, "targets/" + p.object, p.program + " onto " + p.target_program + "." + p.function, false};
  }
  void start() override {
    kernel_ = make_kernel(backend_.name, backend_.btf, problem_);
    route_to(kernel_.get());
  }
  Verdict judge(std::size_t index) override;

 private:
  Loaded load(const std::string& object, const std::string& program, int target, const std::string& function);

  std::vector<Pair> pairs_;
  std::vector<std::string> folders_;
  Backend backend_;
  std::unique_ptr<Kernel> kernel_;
  std::string problem_;
};

Loaded TargetBatch::load(const std::string& object, const std::string& program, int target, const std::string& function) {
  Loaded loaded;
  for (const std::string& folder : folders_) {
    const std::string path = folder + "/" + object + ".bpf.o";
    if (access(path.c_str(), R_OK) == 0) loaded.object.reset(bpf_object__open_file(path.c_str(), nullptr));
    if (loaded.object) break;
  }
  if (loaded.object) loaded.program = bpf_object__find_program_by_name(loaded.object.get(), program.c_str());
  if (loaded.program == nullptr) {
    loaded.result = -ENOENT;
    return loaded;
  }
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, loaded.object.get()) bpf_program__set_autoload(each, each == loaded.program);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, loaded.object.get()) {
    if (!is_made_here(bpf_map__type(map))) bpf_map__set_autocreate(map, false);
    bpf_map__set_pin_path(map, nullptr);
  }
  if (target >= 0) loaded.result = bpf_program__set_attach_target(loaded.program, target, function.c_str());
  if (loaded.result != 0) return loaded;
  std::vector<char> log(kLogBytes);
  bpf_program__set_log_buf(loaded.program, log.data(), log.size());
  loaded.result = bpf_object__load(loaded.object.get());
  loaded.log.assign(log.data(), strnlen(log.data(), log.size()));
  return loaded;
}

Verdict TargetBatch::judge(std::size_t index) {
  const Pair& p = pairs_[index];
  if (kernel_ == nullptr) return failed("backend", problem_);
  kernel_->set_rights({});
  const Loaded target = load(p.target_object, p.target_program, -1, "");
  if (target.result != 0) {
    Verdict verdict = failed("open", std::string("the target is refused: ") + std::strerror(-target.result));
    verdict.log = target.log;
    return verdict;
  }
  const Loaded ours = load(p.object, p.program, bpf_program__fd(target.program), p.function);
  if (ours.result == -EPERM && ours.log.empty()) return skipped("machine", "this machine refuses such programs whatever they do");
  Verdict verdict;
  if (p.message.empty() && ours.result != 0) verdict = failed("refuses", std::string("refused, 6.12 accepts: ") + std::strerror(-ours.result));
  else if (!p.message.empty() && ours.result == 0) verdict = failed("accepts", "accepted, 6.12 refuses");
  else if (ours.log.find(p.message) == std::string::npos) verdict = failed("message", "log lacks: " + p.message);
  verdict.log = ours.log;
  return verdict;
}

}  // namespace

std::unique_ptr<Batch> target_batch(const std::string& table, std::vector<std::string> folders, const Backend& backend, std::string& problem) {
  std::ifstream in(table);
  std::vector<Pair> pairs;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (words.size() != 5 && words.size() != 6) {
      problem = table + ": a line has " + std::to_string(words.size()) + " columns: " + line;
      return nullptr;
    }
    pairs.push_back({words[0], words[1], words[2], words[3], words[4], words.size() == 6 ? words[5] : ""});
  }
  if (pairs.empty()) {
    problem = table + ": no pairs";
    return nullptr;
  }
  return std::make_unique<TargetBatch>(std::move(pairs), std::move(folders), backend);
}

}  // namespace ring3::conformance
