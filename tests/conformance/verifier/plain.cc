#include "plain.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <cstdlib>
#include <fstream>

#include "expectations.h"
#include "kernel.h"
#include "load_object.h"
#include "match.h"

namespace ring3::conformance {

namespace {

constexpr std::size_t kLogBytes = 2 << 20;
constexpr std::uint32_t kRingBytes = 4096;

/// What a kernel says to one program.
struct Answer {
  bool judged = false;    // the program reached it
  bool accepted = false;
  long error = 0;
  std::string log;
  Verdict run;            // of the run that was asked for
};

bool is_ring(bpf_map_type type) { return type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF; }

/// Programs whose section says nothing to libbpf are loaded by tc and ip, which know what they are. A wrong guess is judged by both sides.
void guess_type(bpf_program* program, const std::string& object) {
  if (bpf_program__type(program) != BPF_PROG_TYPE_UNSPEC) return;
  const bool is_xdp = object.find("xdp") != std::string::npos && std::strncmp(bpf_program__name(program), "_tc", 3) != 0 &&
                      std::strstr(bpf_program__name(program), "cls") == nullptr;
  const bool is_route = object.find("lwt") != std::string::npos;
  bpf_program__set_type(program, is_xdp ? BPF_PROG_TYPE_XDP : is_route ? BPF_PROG_TYPE_LWT_XMIT : BPF_PROG_TYPE_SCHED_CLS);
}

Answer ask(const std::string& path, const std::string& program_name, std::optional<std::int64_t> retval = {}) {
  Answer out;
  const ObjectPtr object(bpf_object__open_file(path.c_str(), nullptr));
  if (!object) {
    out.error = errno;
    out.log = "cannot be opened";
    return out;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    guess_type(program, file_stem(path));
    bpf_program__set_autoload(program, program_name == bpf_program__name(program));
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (!is_made_here(bpf_map__type(map))) bpf_map__set_autocreate(map, false);
    bpf_map__set_pin_path(map, nullptr);
    if (is_ring(bpf_map__type(map)) && bpf_map__max_entries(map) == 0) bpf_map__set_max_entries(map, kRingBytes);  // as their runners do
  }
  std::vector<char> log(kLogBytes);
  program = bpf_object__find_program_by_name(object.get(), program_name.c_str());
  bpf_program__set_log_buf(program, log.data(), log.size());
  watch_loads(program_name);
  const int result = bpf_object__load(object.get());
  const WatchedLoad load = watched_load();
  out.log.assign(log.data(), strnlen(log.data(), log.size()));
  out.judged = load.seen;
  out.accepted = result == 0 || (load.seen && load.result >= 0);
  out.error = result == 0 ? 0 : -result;
  if (retval && result == 0) out.run = check_retval(program, *retval);
  return out;
}

/// Why the machine's answer says nothing about the program; "" if it does.
std::string unusable(const Answer& native) {
  if (!native.judged) return "this machine cannot be asked: " + std::string(std::strerror(static_cast<int>(native.error)));
  if (native.accepted) return "";
  if (native.error == EPERM && native.log.empty()) return "this machine refuses such programs whatever they do";
  for (const char* lack : {"failed to resolve CO-RE relocation", "failed to find the address for kernel symbol"})
    if (native.log.find(lack) != std::string::npos) return "this machine's kernel lacks what the program names";
  return "";
}

Verdict compare(bool accept_wanted, const std::string& wanted_by, const Answer& ours) {
  Verdict verdict;
  if (accept_wanted != ours.accepted) {

    verdict = accept_wanted ? failed("refuses", "refused, " + wanted_by + " accepts: " + std::strerror(static_cast<int>(ours.error)))
                            : failed("accepts", "accepted, " + wanted_by + " refuses");
  }
  verdict.log = ours.log;
  return verdict;
}

class PlainBatch final : public Batch {
 public:
  PlainBatch(std::string path, const StatedVerdicts& stated, const NewerVerdicts& newer, Backend backend)
      : path_(std::move(path)), object_(file_stem(path_)), stated_(stated), newer_(newer), backend_(std::move(backend)) {
    const ObjectPtr object(bpf_object__open_file(path_.c_str(), nullptr));
    if (!object) return;  // halves of other objects; nothing to be judged alone
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object.get()) programs_.emplace_back(bpf_program__name(program));
  }

  std::size_t size() const override { return programs_.size(); }
  CaseName name(std::size_t index) const override { return {Corpus::kPlain, "plain/" + object_, programs_[index], false}; }
  void start() override {
    kernel_ = make_kernel(backend_.name, backend_.btf, problem_);
    if (!stated_.has(object_)) machine_ = native_kernel();
  }
  Verdict judge(std::size_t index) override;

 private:
  Answer ask_ours(const std::string& program, std::optional<std::int64_t> retval = {}) {
    route_to(kernel_.get());
    kernel_->set_rights({});
    return ask(path_, program, retval);
  }

  std::string path_, object_;
  const StatedVerdicts& stated_;
  const NewerVerdicts& newer_;
  Backend backend_;
  std::vector<std::string> programs_;
  std::unique_ptr<Kernel> kernel_, machine_;
  std::string problem_;
};

Verdict PlainBatch::judge(std::size_t index) {
  const std::string& program = programs_[index];
  if (kernel_ == nullptr) return failed("backend", problem_);
  if (machine_ == nullptr) {
    const Stated stated = stated_.of(object_, program);
    const Answer ours = ask_ours(program, stated.retval);
    Verdict verdict = compare(!stated.refused, "its runner", ours);
    if (verdict.outcome != Outcome::kPassed) return verdict;
    const std::string missing = missing_in_order(ours.log, stated.messages);
    verdict = missing.empty() ? ours.run : failed("message", "log lacks: " + missing);
    verdict.log = ours.log;
    return verdict;
  }
  route_to(machine_.get());
  const Answer native = ask(path_, program);
  const std::string problem = unusable(native);
  if (!problem.empty()) return skipped("machine", problem);
  const bool newer = newer_.count(object_ + "/" + program) != 0;
  Verdict verdict = compare(native.accepted != newer, newer ? "6.12" : "this machine", ask_ours(program));
  if (verdict.outcome != Outcome::kPassed) verdict.log = "this machine:\n" + native.log + "\nring3:\n" + verdict.log;
  return verdict;
}

}  // namespace

bool StatedVerdicts::read(const std::string& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    auto& programs = objects_[words[0]];
    if (words.size() < 2) continue;
    Stated& stated = programs[words[1]];
    stated.refused = words.size() < 3 || words[2].substr(0, 1) != "=";
    if (stated.refused) stated.messages.assign(words.begin() + 2, words.end());
    else stated.retval = std::atoll(words[2].c_str() + 1);
  }
  return !objects_.empty();
}

Stated StatedVerdicts::of(const std::string& object, const std::string& program) const {
  const auto of = objects_.find(object);
  if (of == objects_.end()) return {};
  auto at = of->second.find(program);
  if (at == of->second.end()) at = of->second.find("*");
  return at == of->second.end() ? Stated() : at->second;
}

std::unique_ptr<Batch> plain_batch(const std::string& path, const StatedVerdicts& stated, const NewerVerdicts& newer,
                                   const Backend& backend) {
  return std::make_unique<PlainBatch>(path, stated, newer, backend);
}

}  // namespace ring3::conformance
