#include "arrays/array_suite.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <span>

#include "arrays/array_case.h"
#include "arrays/array_maps.h"
#include "kernel.h"
#include "match.h"
#include "xlated.h"

namespace ring3::conformance {

namespace {

constexpr std::size_t kLogBytes = 16 << 20;
constexpr int kNotSupported = 524;  // the kernel's own number, in no header for programs

struct Fds {
  std::vector<int> list;
  Fds() = default;
  Fds(const Fds&) = delete;
  Fds& operator=(const Fds&) = delete;
  ~Fds() {
    for (const int fd : list) close(fd);
  }
};

/// Types that the suite's files name for everybody are socket filters and cgroup_skb programs; others need rights.
bool has_unprivileged_mode(const array_case& test) {
  return test.prog_type == BPF_PROG_TYPE_SOCKET_FILTER || test.prog_type == BPF_PROG_TYPE_CGROUP_SKB;
}

struct Expected {
  array_result result;
  const char* text;
};
Expected expected_of(const array_case& test, bool unprivileged) {
  return {unprivileged && test.result_unpriv != ARRAY_UNDEF ? test.result_unpriv : test.result,
          unprivileged && test.errstr_unpriv != nullptr ? test.errstr_unpriv : test.errstr};
}

/// Fills in the maps and the kernel's functions. "" or what is in the way.
std::string fix_up(const array_case& test, std::vector<bpf_insn>& insns, Fds& fds) {
  std::map<array_map, int> made;
  for (const array_fixup& fixup : std::span(test.fixups, test.fixup_count)) {
    const auto [at, fresh] = made.try_emplace(fixup.map, -1);
    if (fresh) {
      at->second = make_array_map(fixup.map, test.prog_type);
      if (at->second < 0) return std::string("map cannot be made: ") + std::strerror(-at->second);
      fds.list.push_back(at->second);
    }
    insns[static_cast<std::size_t>(fixup.at)].imm = at->second;
  }
  if (test.kfunc_count == 0) return "";
  static btf* const types = btf__load_vmlinux_btf();
  for (const array_kfunc& kfunc : std::span(test.kfuncs, test.kfunc_count)) {
    const int func = btf__find_by_name_kind(types, kfunc.name, BTF_KIND_FUNC);
    insns[static_cast<std::size_t>(kfunc.at)].imm = std::max(func, 0);
  }
  return "";
}

int load_types(const array_case& test) {
  btf_header header{};
  header.magic = 0xeb9f;
  header.version = 1;
  header.hdr_len = sizeof(header);
  header.type_len = header.str_off = test.btf_types_bytes;
  header.str_len = test.btf_strings_bytes;
  std::string blob(reinterpret_cast<const char*>(&header), sizeof(header));
  blob.append(reinterpret_cast<const char*>(test.btf_types), test.btf_types_bytes);
  blob.append(test.btf_strings, test.btf_strings_bytes);
  return bpf_btf_load(blob.data(), blob.size(), nullptr);
}

struct Loaded {
  int fd = -1;  // or a negative errno
  std::string log;
  std::string problem;  // before loading
};

Loaded load(const array_case& test, bool verbose, const std::vector<bpf_insn>& insns, Fds& fds) {
  Loaded out;
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = static_cast<bpf_attach_type>(test.expected_attach_type);
  options.prog_flags = test.prog_flags;
  options.log_level = verbose ? 2 : 4;
  const auto type = static_cast<bpf_prog_type>(test.prog_type);
  if (test.target != nullptr && (type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_LSM)) {
    const int target = libbpf_find_vmlinux_btf_id(test.target, options.expected_attach_type);
    if (target < 0) out.problem = std::string("no function ") + test.target;
    options.attach_btf_id = static_cast<std::uint32_t>(std::max(target, 0));
  }
  if (test.btf_types != nullptr) {
    const int types = load_types(test);
    if (types < 0) out.problem = std::string("types cannot be loaded: ") + std::strerror(-types);
    else fds.list.push_back(types);
    options.prog_btf_fd = static_cast<std::uint32_t>(std::max(types, 0));
  }
  options.func_info = test.func_info;
  options.func_info_cnt = test.func_info_count;
  options.func_info_rec_size = test.func_info_count == 0 ? 0 : sizeof(bpf_func_info);
  std::vector<char> log(kLogBytes);
  options.log_buf = log.data();
  options.log_size = static_cast<std::uint32_t>(log.size());
  if (!out.problem.empty()) return out;
  out.fd = bpf_prog_load(type, nullptr, "GPL", insns.data(), insns.size(), &options);
  if (out.fd >= 0) fds.list.push_back(out.fd);
  out.log.assign(log.data(), strnlen(log.data(), log.size()));
  return out;
}

std::vector<std::string> split_at_tabs(const char* text) {
  std::vector<std::string> parts;
  for (const char* at = text; at != nullptr && *at != '\0';) {
    const char* end = std::strchr(at, '\t');
    parts.emplace_back(at, end == nullptr ? at + std::strlen(at) : end);
    at = end == nullptr ? nullptr : end + 1;
  }
  return parts;
}

Verdict check_log(const array_case& test, const Expected& expected, bool unprivileged, const Loaded& loaded) {
  const bool quiet = expected.result == ARRAY_ACCEPT;
  const std::string missing = quiet ? "" : missing_literally(loaded.log, split_at_tabs(expected.text));
  if (!missing.empty()) return failed("message", "log lacks: " + missing);
  if (unprivileged || test.insn_processed == 0) return {};
  const auto at = loaded.log.find("processed ");
  const unsigned long processed = at == std::string::npos ? 0 : std::strtoul(loaded.log.c_str() + at + 10, nullptr, 10);
  if (processed == test.insn_processed) return {};
  return failed("processed", "processed " + std::to_string(processed) + " instructions, expected " + std::to_string(test.insn_processed));
}

bool same(const isa::RawInsn& made, const bpf_insn& pattern) {
  return made.code == pattern.code && made.dst == pattern.dst_reg && made.src == pattern.src_reg &&
         (pattern.off == ARRAY_ANY_OFF || made.off == pattern.off) && (pattern.imm == ARRAY_ANY_IMM || made.imm == pattern.imm);
}

/// Whether `insns` hold all runs of `pattern`, each behind the one before.
bool holds(std::span<const isa::RawInsn> insns, std::span<const bpf_insn> pattern, std::uint8_t gap) {
  auto from = insns.begin();
  for (auto at = pattern.begin(); at != pattern.end();) {
    const auto end = std::find_if(at, pattern.end(), [&](const bpf_insn& insn) { return insn.code == gap; });
    const auto found = std::search(from, insns.end(), at, end, same);
    if (found == insns.end()) return false;
    from = found + (end - at);
    at = end == pattern.end() ? end : end + 1;
  }
  return true;
}

Verdict check_rewritten(const array_case& test, int fd) {
  if (test.expected_count == 0 && test.unexpected_count == 0) return {};
  std::vector<isa::RawInsn> insns;
  if (!xlated_insns(fd, insns)) return failed("xlated", "no rewritten program to be had");
  if (test.expected_count != 0 && !holds(insns, {test.expected, test.expected_count}, test.gap.code))
    return failed("xlated", "rewritten program lacks what is expected");
  if (test.unexpected_count != 0 && holds(insns, {test.unexpected, test.unexpected_count}, test.gap.code))
    return failed("xlated", "rewritten program holds what must not be");
  return {};
}

Verdict check_runs(const array_case& test, bool unprivileged, int fd) {
  for (std::uint32_t i = 0; i < test.run_count; ++i) {
    const array_run& run = test.runs[i];
    const std::uint32_t expected = unprivileged && run.retval_unpriv != 0 ? run.retval_unpriv : run.retval;
    std::array<std::uint8_t, 4 * ARRAY_DATA_BYTES> out{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = run.data;
    options.data_size_in = sizeof(run.data);
    options.data_out = out.data();
    options.data_size_out = out.size();
    options.repeat = 1;
    const std::string which = "run " + std::to_string(i + 1) + " of " + std::to_string(test.run_count);
    if (bpf_prog_test_run_opts(fd, &options) != 0) {
      if (errno == kNotSupported) continue;  // no test run for this type, in Linux neither
      return failed("run", which + ": " + std::strerror(errno));
    }
    if (options.retval != expected && expected != ARRAY_ANY_RETVAL)
      return failed("retval", which + ": returned " + std::to_string(options.retval) + ", expected " + std::to_string(expected));
  }
  return {};
}

Verdict judge_loaded(Kernel& kernel, const array_case& test, bool unprivileged, const Loaded& loaded) {
  const Expected expected = expected_of(test, unprivileged);
  const bool refusal_wanted = expected.result == ARRAY_REJECT;
  if (refusal_wanted != (loaded.fd < 0))
    return refusal_wanted ? failed("accepts", "accepted, should be refused")
                          : failed("refuses", std::string("refused, should be accepted: ") + std::strerror(-loaded.fd));
  Verdict verdict = check_log(test, expected, unprivileged, loaded);
  if (verdict.outcome != Outcome::kPassed || refusal_wanted) return verdict;
  kernel.set_rights({true, true, true, false});
  verdict = check_rewritten(test, loaded.fd);
  return verdict.outcome == Outcome::kPassed ? check_runs(test, unprivileged, loaded.fd) : verdict;
}

Verdict judge_case(Kernel& kernel, const array_case& test, bool unprivileged) {
  if (unprivileged && !kernel.has_unprivileged()) return skipped("unprivileged", "unprivileged bpf is off here");
  CaseRights rights{true, true, true, false};
  if (unprivileged) rights = {false, false, false, false};
  kernel.set_rights(rights);
  Fds fds;
  std::vector<bpf_insn> insns(test.insns, test.insns + test.insn_count);
  const std::string problem = fix_up(test, insns, fds);
  if (!problem.empty()) return failed("refuses", problem);
  const bool verbose = expected_of(test, unprivileged).result == ARRAY_VERBOSE_ACCEPT;
  const Loaded loaded = load(test, verbose, insns, fds);
  if (!loaded.problem.empty()) return failed("open", loaded.problem);
  Verdict verdict = judge_loaded(kernel, test, unprivileged, loaded);
  kernel.set_rights({});
  if (verdict.log.empty()) verdict.log = loaded.log;
  return verdict;
}

struct Entry {
  const array_case* test;
  bool unprivileged;
  CaseName name;
};

class ArrayBatch final : public Batch {
 public:
  explicit ArrayBatch(Backend backend) : backend_(std::move(backend)) {}
  void add(Entry entry) { entries_.push_back(std::move(entry)); }

  std::size_t size() const override { return entries_.size(); }
  CaseName name(std::size_t index) const override { return entries_[index].name; }
  void start() override {
    kernel_ = make_kernel(backend_.name, backend_.btf, problem_);
    route_to(kernel_.get());
  }
  Verdict judge(std::size_t index) override {
    return kernel_ ? judge_case(*kernel_, *entries_[index].test, entries_[index].unprivileged) : failed("backend", problem_);
  }

 private:
  Backend backend_;
  std::vector<Entry> entries_;
  std::unique_ptr<Kernel> kernel_;
  std::string problem_;
};

/// ": " ends a name in lists of failures; names that occur twice get a number.
std::string name_of(const array_case& test, std::map<std::string, int>& used) {
  std::string name = test.descr;
  for (std::size_t at = 0; (at = name.find(": ")) != std::string::npos;) name.replace(at, 2, " - ");
  const int times = ++used[std::string(test.file) + "/" + name];
  return times == 1 ? name : name + " #" + std::to_string(times);
}

}  // namespace

std::vector<std::unique_ptr<Batch>> array_batches(const std::string& plugin, const Backend& backend, std::string& problem) {
  std::vector<std::unique_ptr<Batch>> batches;
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == nullptr ? nullptr : dlsym(library, "ring3_array_cases");
  if (symbol == nullptr) {
    problem = dlerror();
    return batches;
  }
  decltype(&ring3_array_cases) cases = nullptr;
  std::memcpy(&cases, &symbol, sizeof(cases));
  std::uint32_t count = 0;
  const array_case* table = cases(&count);
  std::map<std::string, int> used;
  std::string file;
  for (const array_case& test : std::span(table, count)) {
    if (file != test.file) batches.push_back(std::make_unique<ArrayBatch>(backend));
    file = test.file;
    auto& batch = static_cast<ArrayBatch&>(*batches.back());
    const std::string program = name_of(test, used);
    const auto add = [&](bool unprivileged) {
      batch.add({&test, unprivileged, {Corpus::kArrays, std::string("arrays/") + test.file, program, unprivileged}});
    };
    if (has_unprivileged_mode(test)) add(true);
    add(false);
  }
  return batches;
}

}  // namespace ring3::conformance
