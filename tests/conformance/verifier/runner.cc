#include "runner.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "expectations.h"
#include "kernel.h"
#include "load_object.h"
#include "match.h"
#include "xlated.h"

namespace ring3::conformance {

namespace {

constexpr std::size_t kLogBytes = 2 << 20;

struct Case {
  std::string object, program;
  bool unprivileged = false;
  Expectations expected;
};

/// Rights of the kernel's own runner: the verifier_* files load without the administrator's right.
CaseRights rights_of(const Case& test) {
  if (test.unprivileged) return {false, false, false, false};
  CaseRights rights;
  if (test.object.rfind("verifier_", 0) == 0 && test.object != "verifier_kfunc_prog_types") rights.sys_admin = false;
  if (test.object == "verifier_mtu") rights.perfmon = false;
  return rights;
}

/// Map types that need no rights to make; others are left out of unprivileged cases.
bool is_map_for_everyone(bpf_map_type type) {
  switch (type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PROG_ARRAY:
    case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
    case BPF_MAP_TYPE_CGROUP_ARRAY:
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_HASH_OF_MAPS:
    case BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE_USER_RINGBUF:
    case BPF_MAP_TYPE_CGROUP_STORAGE:
    case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: return true;
    default: return false;
  }
}

/// Two files read an element their runner has set: index 28 names values[6], which holds a pattern.
void preset_maps(const bpf_object* object, const std::string& name) {
  const char* map = name == "verifier_array_access" ? "map_array_ro" : "map_array_48b";
  if (name != "verifier_array_access" && name != "verifier_value_ptr_arith") return;
  std::uint32_t element[12] = {28};
  element[1 + 6] = 0xabcdef12;
  const std::uint32_t key = 0;
  const int fd = bpf_object__find_map_fd_by_name(object, map);
  if (fd >= 0) bpf_map_update_elem(fd, &key, element, BPF_ANY);
}

Verdict check_xlated(const bpf_program* program, const std::vector<std::string>& patterns) {
  std::string text;
  if (!xlated_text(bpf_program__fd(program), text)) return failed("xlated", "no rewritten program to be had");
  const std::string missing = missing_lines(text, patterns);
  if (missing.empty()) return {};
  Verdict verdict = failed("xlated", "rewritten program lacks: " + missing);
  verdict.log = text;
  return verdict;
}

/// Chooses what is loaded, and how, before loading.
void prepare(const Case& test, bpf_object* object, bpf_program* tested, std::vector<char>& log) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    std::string problem;
    const Expectations other = read_expectations(bpf_object__btf(object), bpf_program__name(program), problem);
    const bool with = test.unprivileged ? other.auxiliary_unprivileged : other.auxiliary;
    bpf_program__set_autoload(program, program == tested || with);
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object)
    if (!is_made_here(bpf_map__type(map)) || (test.unprivileged && !is_map_for_everyone(bpf_map__type(map))))
      bpf_map__set_autocreate(map, false);
  const Expectations& e = test.expected;
  bpf_program__set_flags(tested, (bpf_program__flags(tested) | e.flags_set) & ~e.flags_cleared);
  bpf_program__set_log_level(tested, bpf_program__log_level(tested) | e.log_level);
  bpf_program__set_log_buf(tested, log.data(), log.size());
}

Verdict judge(Kernel& kernel, const Case& test, bpf_object* object, bpf_program* program, int load_error,
              const std::string& log) {
  const Expected& mode = test.unprivileged ? test.expected.unprivileged : test.expected.privileged;
  const std::string how = load_error == 0 ? "" : std::string(": ") + std::strerror(load_error);
  if (mode.failure != (load_error != 0)) {
    const char* what = mode.failure ? "accepted, should be refused" : "refused, should be accepted";
    return failed(mode.failure ? "accepts" : "refuses", what + how);
  }
  const std::string missing = missing_in_order(log, mode.messages);
  if (!missing.empty()) return failed("message", "log lacks: " + missing);
  if (mode.failure || (mode.xlated.empty() && !mode.retval)) return {};
  kernel.set_rights({});
  if (!mode.xlated.empty()) {
    Verdict verdict = check_xlated(program, mode.xlated);
    if (verdict.outcome != Outcome::kPassed) return verdict;
  }
  if (!mode.retval) return {};
  preset_maps(object, test.object);
  bpf_map* map = nullptr;
  std::vector<bpf_link*> links;
  bpf_object__for_each_map(map, object)
    if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) links.push_back(bpf_map__attach_struct_ops(map));
  Verdict verdict = check_retval(program, *mode.retval);
  for (bpf_link* link : links) bpf_link__destroy(link);
  return verdict;
}

std::vector<Case> list_cases(const std::string& path, std::string& problem) {
  std::vector<Case> cases;
  const ObjectPtr object(bpf_object__open_file(path.c_str(), nullptr));
  if (!object) {
    problem = std::string("cannot be opened: ") + std::strerror(errno);
    return cases;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    Case test{file_stem(path), bpf_program__name(program), false, {}};
    test.expected = read_expectations(bpf_object__btf(object.get()), bpf_program__name(program), problem);
    const bool auxiliary = test.expected.auxiliary || test.expected.auxiliary_unprivileged;
    if (auxiliary && !test.expected.privileged.wanted && !test.expected.unprivileged.wanted) continue;
    if (test.expected.privileged.wanted) cases.push_back(test);
    test.unprivileged = true;
    if (test.expected.unprivileged.wanted) cases.push_back(test);
  }
  return cases;
}

Verdict run_case(Kernel& kernel, const std::string& path, const std::string& sources, const Case& test) {
  if (test.expected.other_arch) return skipped("arch", "for another machine");
  if (test.unprivileged && !kernel.has_unprivileged()) return skipped("unprivileged", "unprivileged bpf is off here");
  kernel.set_rights({});
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  const std::string btf = test.expected.btf_path.empty() ? "" : sources + "/" + test.expected.btf_path;
  if (!btf.empty()) options.btf_custom_path = btf.c_str();
  const ObjectPtr object(bpf_object__open_file(path.c_str(), &options));
  if (!object) return failed("open", std::string("cannot be opened: ") + std::strerror(errno));
  bpf_program* program = bpf_object__find_program_by_name(object.get(), test.program.c_str());
  std::vector<char> log(kLogBytes);
  prepare(test, object.get(), program, log);
  kernel.set_rights(rights_of(test));
  const int result = bpf_object__load(object.get());
  const std::string text(log.data(), strnlen(log.data(), log.size()));
  Verdict verdict = judge(kernel, test, object.get(), program, result < 0 ? -result : 0, text);
  kernel.set_rights({});
  if (verdict.log.empty()) verdict.log = text;
  return verdict;
}

class AnnotatedBatch final : public Batch {
 public:
  AnnotatedBatch(std::string path, std::string sources, Backend backend, std::vector<Case> cases)
      : path_(std::move(path)), sources_(std::move(sources)), backend_(std::move(backend)), cases_(std::move(cases)) {}

  std::size_t size() const override { return cases_.size(); }
  CaseName name(std::size_t index) const override {
    const Case& test = cases_[index];
    return {Corpus::kAnnotated, test.object, test.program, test.unprivileged};
  }
  void start() override {
    kernel_ = make_kernel(backend_.name, backend_.btf, problem_);
    route_to(kernel_.get());
  }
  Verdict judge(std::size_t index) override {
    return kernel_ ? run_case(*kernel_, path_, sources_, cases_[index]) : failed("backend", problem_);
  }

 private:
  std::string path_, sources_;
  Backend backend_;
  std::vector<Case> cases_;
  std::unique_ptr<Kernel> kernel_;
  std::string problem_;
};

}  // namespace

std::unique_ptr<Batch> annotated_batch(const std::string& path, const std::string& sources, const Backend& backend) {
  std::string problem;
  std::vector<Case> cases = list_cases(path, problem);
  if (!problem.empty()) std::fprintf(stderr, "%s: %s\n", path.c_str(), problem.c_str());
  return std::make_unique<AnnotatedBatch>(path, sources, backend, std::move(cases));
}

}  // namespace ring3::conformance
