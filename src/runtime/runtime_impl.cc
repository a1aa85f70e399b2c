#include "runtime/runtime_impl.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "attach/link.h"
#include "base/try.h"
#include "exec/jit.h"
#include "exec/kfunc_table.h"
#include "maps/prog_array.h"
#include "model/kernel_kfuncs.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "struct_ops/ops_map.h"

namespace ring3 {
namespace {

constexpr std::size_t kMaxNameBytes = 31;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::unique_ptr<exec::Engine> make_engine(const RuntimeOptions& options, exec::CodeMemory& memory) {
  if (options.execution == Execution::kInterpreter) return exec::make_interpreter();
  return exec::make_best_engine(memory, {.blind_constants = options.blind_constants});
}

bool is_of_tasks(std::string_view name) { return name.starts_with("bpf_task_") || name.starts_with("bpf_iter_task_"); }

/// Those of Linux's own functions that this runtime has and the host's BTF names.
void add_own_kfuncs(model::Facts& facts, bool has_tasks) {
  for (const model::KernelKfunc& row : model::kernel_kfuncs()) {
    if (!has_tasks && is_of_tasks(row.name)) continue;
    const rewrite::HelperFn fn = exec::find_own_kfunc(row.name);
    if (fn == nullptr && row.special != model::KfuncSpecial::kThrow) continue;  // bpf_throw() is no call: engines end the run
    const btf::TypeId func = facts.host_btf->find(row.name, btf::Kind::kFunc);
    if (func == 0) continue;
    facts.kfuncs.push_back({.name = std::string(row.name), .btf = facts.host_btf, .func = func, .flags = row.flags,
                            .prog_types = row.prog_types, .address = reinterpret_cast<void*>(fn), .with_run = fn != nullptr});
  }
}

}  // namespace

RuntimeImpl::RuntimeImpl(const RuntimeOptions& options)
    : MapHost(options.map_memory_bytes),
      name_(options.name),
      unprivileged_(options.unprivileged),
      accept_unrunnable_(options.accept_unrunnable),
      frames_(options.frames),
      lenient_fields_(options.lenient_fields),
      client_limits_(options.client_limits),
      load_policy_(options.signing.policy),
      load_auditor_(options.signing.auditor),
      log_ring_(options.log),
      services_(&log_ring_, options.possible_cpus, options.clock),
      cpus_(services_.possible_cpus()),
      machine_(services_),
      engine_(make_engine(options, machine_.code)),
      registry_(code_, log_text_) {}

RuntimeImpl::~RuntimeImpl() {
  shut_down();
  for (const std::string& line : objects_.live()) log(Severity::kError, "still alive at the end: " + line);
  if (const std::uint64_t held = memory().held(); held != 0)
    log(Severity::kError, fmt::format("still held by maps at the end: {} bytes", held));
}

Result<std::unique_ptr<RuntimeImpl>> RuntimeImpl::create(const RuntimeOptions& options) {
  std::unique_ptr<RuntimeImpl> impl(new RuntimeImpl(options));
  if (!is_name(options.name))
    return impl->refuse(Errno::kInval, "a runtime's name is 1 to 31 letters, digits, '-' and '_'");
  impl->keyrings_ = RING3_TRY(sign::Keyrings::make(options.signing.keyrings, impl->log_text_));
  RING3_TRY(impl->publish_btf(options.btf));
  impl->kernel_ = RING3_TRY(syscall::Kernel::create(*impl, {"/sys/fs/bpf", "/run/ring3/" + options.name + "/bpf"}));
  return impl;
}

Result<void> RuntimeImpl::publish_btf(const BtfBlob& blob) {
  const std::span bytes(static_cast<const std::byte*>(blob.data), blob.size);
  auto btf = RING3_TRY(btf::Btf::parse(bytes, nullptr, log_text_, btf::Origin::kHost));
  const Birth birth{.uid = ::getuid(), .pid = ::getpid(), .time_ns = now_ns()};
  host_btf_ = prog::BtfObject::make(objects_, btf, birth, "vmlinux", true);
  RING3_TRY(objects_.publish(*host_btf_));
  machine_.host_btf = btf;
  auto facts = std::make_shared<model::Facts>();
  facts->host_btf = std::move(btf);
  facts->types_alone = accept_unrunnable_;
  facts->possible_cpus = cpus_;
  add_own_kfuncs(*facts, RING3_TRY(start_tasks(*facts)));
  // What iterator programs are given is made by this runtime and stays as long as they run.
  facts->member_trust.push_back({"bpf_iter_meta", "seq", model::MemberTrust::kTrusted});
  MutexLock lock(facts_mutex_);
  facts_ = std::move(facts);
  return {};
}

void RuntimeImpl::log(Severity severity, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  log_ring_.line(severity, "", text);
}

/// One line: where, in the source if it is known, and why.
void RuntimeImpl::program_refused(const verifier::Rejection& why) {
  const std::string place = why.source_file.empty()
                                ? fmt::format("instruction {}", why.insn_idx)
                                : fmt::format("{}:{} (instruction {})", why.source_file, why.source_line, why.insn_idx);
  log(Severity::kWarning, fmt::format("program refused at {}: {}", place, why.message));
}

Errno RuntimeImpl::refuse(Errno e, std::string_view text) {
  log(Severity::kError, text);
  return e;
}

std::shared_ptr<const model::Facts> RuntimeImpl::facts() {
  MutexLock lock(facts_mutex_);
  return facts_;
}

Result<void> RuntimeImpl::check_struct_ops_member(const model::StructOpsType& type, std::uint32_t member,
                                                  bool sleepable) {
  return registry_.check_member(type, member, sleepable);
}

Result<void> RuntimeImpl::check_prog_array_entry(maps::Map& array, Object& prog) {
  const auto& program = static_cast<const prog::Program&>(prog);
  if (program.type() == uapi::BPF_PROG_TYPE_EXT) return Errno::kInval;
  if (!maps::admit(array, program.tail_call_kind())) return Errno::kInval;
  return program.functions() != nullptr ? program.functions()->enter_array() : Result<void>();
}

void RuntimeImpl::left_prog_array(Object& prog) noexcept {
  if (prog::FunctionHooks* const functions = static_cast<const prog::Program&>(prog).functions()) functions->leave_array();
}

/// Clients reach the storage of the runtime's own threads; other objects have no number. The caller is in a read section, which
/// keeps the task's memory; what is stored after the thread's end goes with that memory.
Result<void*> RuntimeImpl::storage_owner(std::uint32_t map_type, std::int32_t number) {
  if (map_type != uapi::BPF_MAP_TYPE_TASK_STORAGE || !machine_.tasks.started()) return Errno::kOpNotSupp;
  void* const task = machine_.tasks.find(static_cast<std::uint32_t>(number));
  if (task == nullptr) return Errno::kNoEnt;
  exec::Tasks::release(task);
  return task;
}

void RuntimeImpl::add_service(std::unique_ptr<RuntimeService> service) {
  MutexLock lock(services_mutex_);
  running_.push_back(std::move(service));
}

void RuntimeImpl::shut_down() noexcept {
  std::vector<std::unique_ptr<RuntimeService>> services;
  {
    MutexLock lock(services_mutex_);
    services.swap(running_);
  }
  while (!services.empty()) services.pop_back();
  modules_.remove_all();
  detach_links();
  end_registrations();
  kernel_.reset();
  host_btf_ = nullptr;
  rcu::drain();
  machine_.tasks.stop();
  machine_.worker.drain();  // what readers kept from sleeping
  rcu::drain();
}

void RuntimeImpl::detach_links() noexcept {
  for (std::uint32_t id = 0;;) {
    Result<std::uint32_t> next = objects_.next_id(ObjectKind::kLink, id);
    if (!next.ok()) return;
    id = *next;
    // A kind without detach goes with its last reference.
    if (auto link = objects_.find(ObjectKind::kLink, id); link.ok())
      (void)static_cast<attach::Link*>(link->get())->detach();
  }
}

void RuntimeImpl::end_registrations() noexcept {
  for (std::uint32_t id = 0;;) {
    Result<std::uint32_t> next = objects_.next_id(ObjectKind::kMap, id);
    if (!next.ok()) return;
    id = *next;
    auto map = objects_.find(ObjectKind::kMap, id);
    if (!map.ok()) continue;
    if (struct_ops::OpsMap* ops = struct_ops::as_ops_map(map->get())) ops->shut_down();
  }
}

}  // namespace ring3
