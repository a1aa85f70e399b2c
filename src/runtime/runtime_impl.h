// One runtime: everything the rooms below need of their owner, in one place, and nothing else. Rooms see it
// through their own interfaces (MapHost, ProgramHost, KernelServices).
//
// Life of the parts: members are destroyed in reverse order, so what is used by others stands first. The end
// is shut_down(): services (control socket …) stop, clients' descriptors and pins go, links are detached,
// classic registrations are ended, then everything that waits for readers is waited for.
//
// Locking: facts_mutex_ guards the pointer to the newest Facts, never what it points to; kptr_mutex_ comes after it.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/text_sink.h"
#include "base/try.h"
#include "exec/code_memory.h"
#include "exec/engine.h"
#include "exec/machine.h"
#include "maps/map.h"
#include "maps/map_kinds.h"
#include "model/facts.h"
#include "module/registry.h"
#include "object/object_table.h"
#include "object/weak_table.h"
#include "object/worker.h"
#include "prog/btf_object.h"
#include "maps/map_kinds.h"
#include "prog/load.h"
#include "ring3/runtime.h"
#include "runtime/log_ring.h"
#include "runtime/log_witness.h"
#include "runtime/machine_services.h"
#include "struct_ops/registry.h"
#include "syscall/kernel.h"
#include "verifier/chunk_cache.h"

namespace ring3 {

/// A registered kptr type at an address that stays.
struct KptrRow {
  model::KptrType type;
  Worker* worker;
  model::ObjectCall weaken{};
  detail::AnyCountFn count{};
  std::uint64_t (*alive)() = nullptr;
  WeakType weak{};
  bool is_own = false;  // the runtime's own tasks: a host that registers the type itself takes its place
};

/// Something that lives beside a runtime and must stop before it ends: the control socket.
class RuntimeService {
 public:
  virtual ~RuntimeService() = default;
};

/// Told of every program that clients want to load.
class LoadObserver {
 public:
  virtual void judged(const syscall::JudgedProgram& program) = 0;

 protected:
  ~LoadObserver() = default;
};

class RuntimeImpl final : public maps::MapHost, public prog::ProgramHost, public syscall::KernelServices {
 public:
  static Result<std::unique_ptr<RuntimeImpl>> create(const RuntimeOptions& options);
  ~RuntimeImpl();

  const std::string& name() const { return name_; }
  syscall::Kernel& kernel() { return *kernel_; }
  struct_ops::Registry& registry() { return registry_; }
  module::Registry& modules() { return modules_; }
  /// The newest lines of the log, for `ring3 logs`.
  LogRing& log_ring() { return log_ring_; }

  Result<void> add_struct_ops(const StructOpsDef& def);
  Result<detail::SingleInstance*> add_policy(const void* options, detail::MakePolicy make);
  Result<void> add_kfunc(const KfuncDef& def);
  Result<void> add_variable(const VariableDef& def);
  Result<void> add_kptr(const KptrDef& def);
  /// Of every registered kptr type.
  std::vector<const KptrRow*> kptr_rows();
  /// Null: no such type is registered.
  const KptrRow* kptr_row(const btf::Btf* btf, btf::TypeId type);

  /// Before clients come. observer: outlives the runtime.
  void observe_loads(LoadObserver& observer) { observer_ = &observer; }
  /// Adds functions without code that programs may name; only for runtimes that accept what they cannot run. Those known
  /// already are left out.
  Result<void> add_judged_kfuncs(std::span<const model::Kfunc> kfuncs);
  /// The same with Linux's own that the host's BTF names.
  Result<void> judge_kernel_kfuncs();

  /// Stopped, in reverse order of addition, before anything else ends.
  void add_service(std::unique_ptr<RuntimeService> service);
  /// Ends everything clients have loaded. Idempotent.
  void shut_down() noexcept;

  // maps::MapHost
  ObjectTable& objects() override { return objects_; }
  std::uint32_t possible_cpus() const override { return cpus_; }
  std::uint32_t current_cpu() const override { return exec::current_cpu(machine_); }
  maps::Releaser releaser(const model::Field& field) override;
  const WeakType* weak_type(const model::Field& field) override;
  std::string object_text(const model::Field& field, const void* object) override;
  std::int64_t object_count(const model::Field& field, const void* object) override;
  Result<void*> storage_owner(std::uint32_t map_type, std::int32_t number) override;
  bool has_device(std::uint32_t ifindex) override { return kernel_->hooks().has_device(ifindex); }
  Result<void> start_deferred() override { return machine_.timers.start(); }
  std::vector<std::shared_ptr<const btf::Btf>> host_btfs() override { return {facts()->host_btf}; }
  Result<void> check_prog_array_entry(maps::Map& array, Object& prog) override;
  void left_prog_array(Object& prog) noexcept override;

  // prog::ProgramHost
  std::shared_ptr<const model::Facts> facts() override;
  Ref<prog::BtfObject> host_btf() override { return host_btf_; }
  exec::Engine& engine() override { return *engine_; }
  exec::Machine& machine() override { return machine_; }
  const verifier::Limits& limits() override { return limits_; }
  /// Of programs that are loaded from now on. For harnesses that compare ways of walking; nobody may be loading meanwhile.
  void set_limits(const verifier::Limits& limits) {
    limits_ = limits;
    limits_.chunks = &chunks_;
  }
  Result<void> check_struct_ops_member(const model::StructOpsType& type, std::uint32_t member,
                                       bool sleepable) override;
  const sign::Keyrings* keyrings() override { return &keyrings_; }
  Result<void> admit(const prog::Candidate& candidate) override;

  // syscall::KernelServices
  maps::MapHost& map_host() override { return *this; }
  bool accepts_unrunnable() override { return accept_unrunnable_; }
  prog::ProgramHost& program_host() override { return *this; }
  const struct_ops::Registry& struct_ops() override { return registry_; }
  const maps::MapKinds& map_kinds() override { return map_kinds_; }
  std::uint64_t now_ns() override { return services_.boot_ns(); }
  FrameTaker* frames() override { return frames_; }
  bool unprivileged_allowed() override { return unprivileged_; }
  bool lenient_fields() override { return lenient_fields_; }
  ClientLimits client_limits() override { return client_limits_; }
  void program_judged(const syscall::JudgedProgram& program) override {
    if (observer_ != nullptr) observer_->judged(program);
  }
  void program_refused(const verifier::Rejection& why) override;
  void log(Severity severity, std::string_view text) override;

 private:
  /// Lines of rooms that know only a TextSink.
  class LogText final : public TextSink {
   public:
    explicit LogText(RuntimeImpl& owner) : owner_(owner) {}
    void write(std::string_view text) override {
      owner_.log(Severity::kWarning, text);
      if (TextSink* witness = LogWitness::current()) witness->write(text);
    }

   private:
    RuntimeImpl& owner_;
  };

  explicit RuntimeImpl(const RuntimeOptions& options);
  Result<void> publish_btf(const BtfBlob& blob);
  /// Whether programs may own tasks and ask for them.
  Result<bool> start_tasks(model::Facts& facts);
  Errno refuse(Errno e, std::string_view text);
  /// A copy of the facts with a change; loads that are under way keep the old ones.
  template <typename Change>
  Result<void> change_facts(Change change) {
    MutexLock lock(facts_mutex_);
    auto next = std::make_shared<model::Facts>(*facts_);
    RING3_TRY(change(*next));
    facts_ = std::move(next);
    return {};
  }
  void detach_links() noexcept;
  void end_registrations() noexcept;

  const std::string name_;
  const bool unprivileged_;
  const bool accept_unrunnable_;
  FrameTaker* const frames_;
  const bool lenient_fields_;
  const ClientLimits client_limits_;
  const LoadPolicy load_policy_;
  LoadAuditor* const load_auditor_;
  sign::Keyrings keyrings_;  // constant once the runtime stands
  LoadObserver* observer_ = nullptr;
  LogRing log_ring_;  // passes on to the host's log
  MachineServices services_;
  const std::uint32_t cpus_;
  Mutex kptr_mutex_;  // a leaf
  std::list<KptrRow> kptr_rows_ RING3_GUARDED_BY(kptr_mutex_);
  ObjectTable objects_;
  exec::CodeMemory code_;
  exec::Machine machine_;
  const std::unique_ptr<exec::Engine> engine_;
  verifier::ChunkCache chunks_;
  verifier::Limits limits_{.chunks = &chunks_};
  LogText log_text_{*this};
  maps::MapKinds map_kinds_;
  struct_ops::Registry registry_;
  std::list<std::unique_ptr<detail::SingleInstance>> policies_ RING3_GUARDED_BY(facts_mutex_);
  Mutex facts_mutex_;
  std::shared_ptr<const model::Facts> facts_ RING3_GUARDED_BY(facts_mutex_);
  Ref<prog::BtfObject> host_btf_;
  std::unique_ptr<syscall::Kernel> kernel_;
  module::Registry modules_{objects_};
  Mutex services_mutex_;
  std::vector<std::unique_ptr<RuntimeService>> running_ RING3_GUARDED_BY(services_mutex_);
};

}  // namespace ring3
