#include "cli/verify_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/libbpf_words.h"
#include "cli/loader.h"
#include "cli/object_file.h"

namespace ring3::cli {
namespace {

constexpr std::size_t kLogBytes = std::size_t{1} << 26;   // a log that somebody asked for
constexpr std::size_t kWordsBytes = std::size_t{1} << 16;

/// Sections that newer versions of libbpf know, or older ones knew. BPF_CGROUP_UNIX_* are 49 to 53.
struct SectionKind {
  std::string_view section;  // the whole name, or a prefix that ends in '/'
  bpf_prog_type type;
  int attach_type;
};
constexpr SectionKind kSectionKinds[] = {
    {"xdp/", BPF_PROG_TYPE_XDP, BPF_XDP},
    {"cgroup/connect_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 49},
    {"cgroup/sendmsg_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 50},
    {"cgroup/recvmsg_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 51},
    {"cgroup/getpeername_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 52},
    {"cgroup/getsockname_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 53},
};

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;

/// libbpf's calls go to the judge until the end of this.
class Routed {
 public:
  explicit Routed(Judge& judge) : status(control::route_libbpf_to(judge)) {}
  ~Routed() { (void)control::route_libbpf(nullptr); }
  Routed(const Routed&) = delete;
  Routed& operator=(const Routed&) = delete;
  const Result<void> status;
};

class Verifying {
 public:
  Verifying(const VerifyRequest& request, Judge& judge, const LibbpfWords& words)
      : request_(request), judge_(judge), words_(words), log_(request.log_level != 0 ? kLogBytes : kWordsBytes) {}

  std::optional<VerifyFailure> run(std::vector<ProgramRecord>& records) {
    std::string why;
    Result<std::vector<std::byte>> file = read_object_file(request_.object_path, why);
    if (!file.ok()) return VerifyFailure{exit_code_of_file(file.error()), why};
    bytes_ = std::move(file).value();
    if (const std::string wrong = prepare_object(bytes_, notes_); !wrong.empty())
      return VerifyFailure{ExitCode::kFailed, fmt::format("{}: {}", request_.object_path, wrong)};
    plain_bytes_ = bytes_;
    if (notes_.has_struct_ops) hide_struct_ops(plain_bytes_);
    const Routed routed(judge_);
    if (!routed.status.ok()) return VerifyFailure{ExitCode::kFailed, "no memory for the types"};
    const Object object = open(bytes_);
    if (object == nullptr)
      return VerifyFailure{ExitCode::kFailed, fmt::format("{}: {}\n{}", request_.object_path, std::strerror(errno), words_.warnings())};
    look_at(*object);
    if (auto failure = list(*object, records)) return failure;
    for (ProgramRecord& record : records) judge(record);
    return std::nullopt;
  }

 private:
  Object open(const std::vector<std::byte>& bytes) {
    bpf_object_open_opts options{};
    options.sz = sizeof options;
    name_ = module_name_of(request_.object_path);
    options.object_name = name_.c_str();
    Object object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
    if (object != nullptr) mark_sleepable(object.get(), notes_);
    return object;
  }

  void look_at(bpf_object& object) {
    const ::btf* types = bpf_object__btf(&object);
    if (types == nullptr) return;
    __u32 size = 0;
    const void* data = ::btf__raw_data(types, &size);
    judge_.look_at({static_cast<const std::byte*>(data), size});
  }

  std::optional<VerifyFailure> list(bpf_object& object, std::vector<ProgramRecord>& records) {
    std::vector<std::string> names;
    const auto wanted = [&](std::string_view name) {
      return request_.programs.empty() || std::find(request_.programs.begin(), request_.programs.end(), name) != request_.programs.end();
    };
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(&object, program)) != nullptr) {
      const std::string name = bpf_program__name(program);
      names.push_back(name);
      if (!wanted(name)) continue;
      ProgramRecord record;
      record.name = name;
      record.section = bpf_program__section_name(program);
      record.insns = static_cast<std::uint32_t>(bpf_program__insn_cnt(program));
      records.push_back(std::move(record));
    }
    if (names.empty()) return VerifyFailure{ExitCode::kFailed, fmt::format("{}: has no programs", request_.object_path)};
    for (const std::string& name : request_.programs)
      if (std::find(names.begin(), names.end(), name) == names.end())
        return VerifyFailure{ExitCode::kNotFound, fmt::format("{}: no program {}; it has {}", request_.object_path, name, fmt::join(names, ", "))};
    return std::nullopt;
  }

  void judge(ProgramRecord& record) {
    const std::size_t said = words_.warnings().size();
    const bool is_member = std::string_view(record.section).starts_with("struct_ops");
    const Object object = open(is_member ? bytes_ : plain_bytes_);
    if (object == nullptr) return;
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(object.get(), program)) != nullptr) {
      const bool it = record.name == bpf_program__name(program);
      bpf_program__set_autoload(program, it);
      if (!it) continue;
      log_[0] = '\0';
      bpf_program__set_log_buf(program, log_.data(), log_.size());
      bpf_program__set_log_level(program, request_.log_level);
      name_kind(*program);
    }
    bpf_map* map = nullptr;
    while ((map = bpf_object__next_map(object.get(), map)) != nullptr) {
      bpf_map__set_pin_path(map, nullptr);
      if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) bpf_map__set_autocreate(map, false);
    }
    judge_.expect(record.name);
    (void)bpf_object__load(object.get());
    settle(record, words_.warnings().substr(said));
  }

  void settle(ProgramRecord& record, const std::string& warnings) {
    const std::string text(log_.data());
    if (request_.log_level != 0) record.log = text;
    if (!judge_.judgement().has_value()) {
      record.words = warnings;
      return;
    }
    const Judgement& judgement = *judge_.judgement();
    record.error = judgement.error;
    record.verdict = judgement.error == Errno{} ? Verdict::kAccepted : Verdict::kRefused;
    if (judgement.stats.has_value()) record.stats = *judgement.stats;
    record.rejection = judgement.rejection;
    if (record.verdict == Verdict::kRefused && !record.rejection.has_value()) record.words = text.empty() ? warnings : text;
  }

  const VerifyRequest& request_;
  Judge& judge_;
  const LibbpfWords& words_;
  std::vector<char> log_;
  std::vector<std::byte> bytes_, plain_bytes_;
  ObjectNotes notes_;
  std::string name_;
};

}  // namespace

void name_kind(bpf_program& program) {
  if (bpf_program__type(&program) != BPF_PROG_TYPE_UNSPEC) return;
  const std::string_view section = bpf_program__section_name(&program);
  for (const SectionKind& row : kSectionKinds) {
    if (row.section.ends_with('/') ? !section.starts_with(row.section) : section != row.section) continue;
    bpf_program__set_type(&program, row.type);
    bpf_program__set_expected_attach_type(&program, static_cast<bpf_attach_type>(row.attach_type));
  }
}

std::optional<VerifyFailure> verify_object(const VerifyRequest& request, Judge& judge, std::vector<ProgramRecord>& records) {
  const LibbpfWords words(request.verbose);
  return Verifying(request, judge, words).run(records);
}

}  // namespace ring3::cli
