// The public face. Memory that runs out below becomes an errno here, at the last step before the host.
#include "ring3/runtime.h"

#include <new>
#include <utility>

#include "base/try.h"
#include "prog/test_run.h"
#include "runtime/references.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/program_client.h"
#include "syscall/caller.h"
#include "uapi/bpf.h"

namespace ring3 {
namespace {

template <typename Body>
auto without_throwing(Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

}  // namespace

Runtime::Runtime(std::unique_ptr<RuntimeImpl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::create(const RuntimeOptions& options) {
  return without_throwing([&]() -> Result<std::unique_ptr<Runtime>> {
    auto impl = RING3_TRY(RuntimeImpl::create(options));
    return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
  });
}

Result<void> Runtime::struct_ops(const StructOpsDef& def) {
  return without_throwing([&] { return impl_->add_struct_ops(def); });
}

Result<detail::SingleInstance*> Runtime::add_policy(const void* options, detail::MakePolicy make) {
  return without_throwing([&] { return impl_->add_policy(options, make); });
}

Result<void> Runtime::add_variable(const VariableDef& def) {
  return without_throwing([&] { return impl_->add_variable(def); });
}

Result<void> Runtime::add_kfunc(const KfuncDef& def) {
  return without_throwing([&] { return impl_->add_kfunc(def); });
}

Result<void> Runtime::add_kptr(const KptrDef& def) {
  return without_throwing([&] { return impl_->add_kptr(def); });
}

Result<TestRunOutcome> Runtime::test_run(std::uint32_t program_id, const TestRun& run) {
  return without_throwing([&]() -> Result<TestRunOutcome> {
    const Ref<Object> program = RING3_TRY(impl_->objects().find(ObjectKind::kProg, program_id));
    const auto copy = [](const void* bytes, std::size_t size) {
      const auto* first = static_cast<const std::byte*>(bytes);
      return first != nullptr ? std::vector<std::byte>(first, first + size) : std::vector<std::byte>();
    };
    prog::TestRunRequest request;
    request.data_in = copy(run.data, run.data_bytes);
    request.ctx_in = copy(run.ctx, run.ctx_bytes);
    request.has_data_in = run.data != nullptr;
    request.has_ctx_in = run.ctx != nullptr;
    request.has_ctx_out = run.ctx != nullptr && prog::gives_context(static_cast<prog::Program&>(*program).type());
    request.repeat = run.repeat;
    request.flags = run.flags;
    request.frames = impl_->frames();
    syscall::OwnCaller own(model::Rights::all());
    syscall::ProgramClient client(impl_->kernel(), own, static_cast<prog::Program&>(*program).about().provenance);
    request.client = &client;
    request.devices = &impl_->map_host();
    prog::TestRunResult result =
        RING3_TRY(prog::test_run(static_cast<prog::Program&>(*program), request, impl_->machine().host));
    return TestRunOutcome{result.retval, result.duration_ns, std::move(result.data_out), std::move(result.ctx_out)};
  });
}

void Runtime::storage_owner_gone(const void* object) noexcept { impl_->storage_owner_gone(object); }

Result<std::vector<KptrUse>> Runtime::kptr_uses() {
  Result<ReferenceReport> report = references(*impl_);
  if (!report.ok()) return report.error();
  return std::move(report->types);
}

MapMemoryUse Runtime::map_memory() const noexcept {
  const maps::MemoryAccount& memory = impl_->memory();
  return {.held_bytes = memory.held(), .limit_bytes = memory.limit(), .refused = memory.refused()};
}

std::size_t Runtime::run_timers() { return impl_->machine().timers.run_due(); }

long Runtime::bpf(int cmd, void* attr, std::uint32_t size) {
  syscall::OwnCaller caller(model::Rights::all());
  return syscall::bpf(impl_->kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size);
}

}  // namespace ring3
