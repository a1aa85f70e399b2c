#include "cli/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/memfd.h"
#include "base/try.h"
#include "model/kernel_kfuncs.h"
#include "runtime/judged_ops.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"
#include "uapi/bpf.h"

namespace ring3::cli {
namespace {

using btf::Kind;
using btf::TypeId;

constexpr std::size_t kNameBytes = 15;  // of a program, as bpf(2) takes it
constexpr std::string_view kTablePrefix = "bpf_struct_ops_";
constexpr std::string_view kFunctionTag = "bpf_kfunc";
constexpr std::string_view kOnlyKernelsHave = "start_kernel";

struct FlagWord {
  std::string_view word;
  std::uint32_t flag;
};
constexpr FlagWord kFlagWords[] = {
    {"acquire", model::kKfuncAcquire},           {"release", model::kKfuncRelease},
    {"ret_null", model::kKfuncRetNull},          {"trusted_args", model::kKfuncTrustedArgs},
    {"sleepable", model::kKfuncSleepable},       {"destructive", model::kKfuncDestructive},
    {"rcu", model::kKfuncRcu},                   {"iter_new", model::kKfuncIterNew},
    {"iter_next", model::kKfuncIterNext},        {"iter_destroy", model::kKfuncIterDestroy},
    {"rcu_protected", model::kKfuncRcuProtected}, {"fastcall", model::kKfuncFastcall},
};

/// Structs with a destructor in the kernel.
constexpr std::string_view kStoredByKernel[] = {"task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx"};

void give_back(void*) {}

/// "a,b" → flags. Empty: a word is wrong.
std::optional<std::uint32_t> flags_of(std::string_view words, std::string& why) {
  std::uint32_t flags = 0;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    const auto* row = std::find_if(std::begin(kFlagWords), std::end(kFlagWords), [&](const FlagWord& w) { return w.word == word; });
    if (row == std::end(kFlagWords)) {
      why = fmt::format("--kfunc: '{}' is no flag of a function", word);
      return std::nullopt;
    }
    flags |= row->flag;
  }
  return flags;
}

Result<std::map<std::string, std::uint32_t>> told_flags(const std::vector<std::string>& words, std::string& why) {
  std::map<std::string, std::uint32_t> told;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const auto flags = flags_of(equals == std::string::npos ? "" : std::string_view(word).substr(equals + 1), why);
    if (!flags) return Errno::kInval;
    told[word.substr(0, equals)] = *flags;
  }
  return told;
}

}  // namespace

Result<std::unique_ptr<Judge>> Judge::create(JudgeOptions options, std::string& why) {
  std::unique_ptr<Judge> judge(new Judge(std::move(options)));
  RuntimeOptions runtime;
  runtime.name = "verify";
  runtime.btf = {judge->options_.btf.data(), judge->options_.btf.size()};
  runtime.log = judge->options_.log;
  runtime.unprivileged = true;
  runtime.accept_unrunnable = true;
  runtime.execution = Execution::kInterpreter;
  auto made = Runtime::create(runtime);
  if (!made.ok()) {
    why = "the types are not valid BTF";
    return made.error();
  }
  judge->runtime_ = std::move(made).value();
  judge->runtime_->impl().observe_loads(*judge);
  judge->of_kernel_ = judge->types_of_host().find(kOnlyKernelsHave, Kind::kFunc) != 0;
  RING3_TRY(judge->offer_functions(why));
  judge->offer_tables();
  if (judge->of_kernel_)
    for (const std::string_view name : kStoredByKernel) judge->offer_stored_type(name);
  return judge;
}

Result<void> Judge::offer_functions(std::string& why) {
  const auto host = runtime_->impl().facts()->host_btf;
  auto told = RING3_TRY(told_flags(options_.kfuncs, why));
  std::vector<model::Kfunc> kfuncs;
  const auto offer = [&](std::string_view name, std::uint32_t flags) {
    const TypeId func = host->find(name, Kind::kFunc);
    if (func != 0)
      kfuncs.push_back({.name = std::string(name), .btf = host, .func = func, .flags = flags, .prog_types = ~std::uint64_t{0}});
    return func != 0;
  };
  for (const auto& [name, flags] : told)
    if (!offer(name, flags)) {
      why = fmt::format("--kfunc: the types have no function {}", name);
      return Errno::kInval;
    }
  for (TypeId id = host->first_id(); id < host->end_id(); ++id) {
    const btf::Type& tag = *host->type(id);
    if (tag.kind != Kind::kDeclTag || tag.name != kFunctionTag || host->decl_tag_component(id) != -1) continue;
    const std::string name(host->type(tag.type)->name);
    if (told.contains(name) || model::find_kernel_kfunc(name) != nullptr) continue;
    if (offer(name, 0)) untold_.insert(name);
  }
  RING3_TRY(runtime_->impl().add_judged_kfuncs(kfuncs));
  return runtime_->impl().judge_kernel_kfuncs();  // those that were told of are as they were told
}

void Judge::offer_tables() {
  const btf::Btf& host = types_of_host();
  for (TypeId id = host.first_id(); id < host.end_id(); ++id) {
    const btf::Type& type = *host.type(id);
    if (type.kind != Kind::kStruct || !type.name.starts_with(kTablePrefix)) continue;
    const std::string_view name = type.name.substr(kTablePrefix.size());
    if (host.find(name, Kind::kStruct) == 0) continue;
    StructOpsDef def = judged_struct_ops(host, name);
    def.host = &table_;
    (void)runtime_->impl().add_struct_ops(def);  // one that is no table is not offered
  }
}

void Judge::offer_stored_type(std::string_view name) {
  if (types_of_host().find(name, Kind::kStruct) == 0) return;
  KptrDef def;
  def.name = name;
  def.release = ObjectFn<void>(&give_back).any();
  def.rcu_safe = model::is_rcu_protected_type(name);
  (void)runtime_->impl().add_kptr(def);  // known already
}

void Judge::look_at(std::span<const std::byte> object_btf) {
  NullSink nothing;
  const auto object = btf::Btf::parse(object_btf, nullptr, nothing, btf::Origin::kObjectFile);
  if (!object.ok()) return;  // libbpf says what is wrong
  for (TypeId id = (*object)->first_id(); id < (*object)->end_id(); ++id) {
    const btf::Type& tag = *(*object)->type(id);
    if (tag.kind == Kind::kFunc && untold_.contains(std::string(tag.name))) assumed_.insert(std::string(tag.name));
    if (of_kernel_ || tag.kind != Kind::kTypeTag || (tag.name != "kptr" && tag.name != "percpu_kptr")) continue;
    const btf::Type& pointee = *(*object)->type((*object)->skip_modifiers(tag.type));
    if (pointee.kind == Kind::kStruct || pointee.kind == Kind::kFwd) offer_stored_type(pointee.name);
  }
}

void Judge::expect(std::string_view program) {
  expected_ = program.substr(0, kNameBytes);
  judgement_.reset();
}

long Judge::bpf(int cmd, void* attr, std::uint32_t size, void* common, std::uint32_t common_size) {
  // What libbpf loads to find out about the kernel is not the user's.
  bool asked_about = false;
  if (cmd == uapi::BPF_PROG_LOAD && size >= offsetof(uapi::bpf_attr, prog_name) + sizeof(uapi::bpf_attr::prog_name)) {
    const auto* load = static_cast<const uapi::bpf_attr*>(attr);
    asked_about = std::string_view(load->prog_name, ::strnlen(load->prog_name, sizeof load->prog_name)) == expected_;
  }
  syscall::OwnCaller caller(asked_about ? options_.rights : model::Rights::all());
  return syscall::bpf(runtime_->impl().kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size,
                      {reinterpret_cast<std::uintptr_t>(common), common_size});
}

Result<OwnedFd> Judge::types() { return memfd_of("btf", types_of_host().blob()); }

void Judge::judged(const syscall::JudgedProgram& program) {
  if (judgement_.has_value() || program.name != expected_) return;
  judgement_.emplace();
  judgement_->error = program.error;
  if (program.stats != nullptr) judgement_->stats = *program.stats;
  if (program.why != nullptr) judgement_->rejection = *program.why;
}

}  // namespace ring3::cli
