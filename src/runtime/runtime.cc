// The public face. Memory that runs out below becomes an errno here, at the last step before the host.
#include "ring3/runtime.h"

#include <new>
#include <utility>

#include "base/try.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"

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

Result<void> Runtime::add_kfunc(const KfuncDef& def) {
  return without_throwing([&] { return impl_->add_kfunc(def); });
}

Result<void> Runtime::add_kptr(const KptrDef& def) {
  return without_throwing([&] { return impl_->add_kptr(def); });
}

long Runtime::bpf(int cmd, void* attr, std::uint32_t size) {
  syscall::OwnCaller caller(model::Rights::all());
  return syscall::bpf(impl_->kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size);
}

}  // namespace ring3
