#include "struct_ops/registry.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"

namespace ring3::struct_ops {

Result<const OpsType*> Registry::add(const StructOpsDef& def, const std::shared_ptr<const btf::Btf>& btf,
                                     TextSink& log) {
  std::unique_ptr<OpsType> type = RING3_TRY(check_type(def, btf, code_, log));
  MutexLock lock(mutex_);
  for (const auto& known : types_) {
    if (known->facts->btf != type->facts->btf || known->name() != type->name()) continue;
    log.write(fmt::format("struct_ops {}: registered already\n", type->name()));
    return Errno::kExist;
  }
  types_.reserve(types_.size() + 1);  // nothing fails after the host has said yes
  if (Result<void> init = def.host->init(); !init.ok()) {
    log.write(fmt::format("struct_ops {}: Error in init: {} {}\n", type->name(), errno_name(init.error()),
                          def.host->take_refusal()));
    return Errno::kInval;
  }
  types_.push_back(std::move(type));
  return static_cast<const OpsType*>(types_.back().get());
}

const OpsType* Registry::find_by_wrapper(const btf::Btf& btf, btf::TypeId wrapper) const {
  MutexLock lock(mutex_);
  for (const auto& type : types_)
    if (type->facts->btf.get() == &btf && type->wrapper == wrapper) return type.get();
  return nullptr;
}

const OpsType* Registry::find_by_facts(const model::StructOpsType& facts) const {
  MutexLock lock(mutex_);
  for (const auto& type : types_)
    if (type->facts.get() == &facts) return type.get();
  return nullptr;
}

std::vector<const OpsType*> Registry::all() const {
  MutexLock lock(mutex_);
  std::vector<const OpsType*> types;
  for (const auto& type : types_) types.push_back(type.get());
  return types;
}

Result<void> Registry::check_member(const model::StructOpsType& facts, std::uint32_t member, bool sleepable) const {
  const OpsType* type = find_by_facts(facts);
  if (type == nullptr) return Errno::kNotSupp;
  MutexLock lock(type->host_mutex);
  return ask_host(*this, *type, "check_member", [&] { return type->host->check_member(member, sleepable); });
}

void log_refusal(const Registry& registry, const OpsType& type, std::string_view callback, Errno e) noexcept {
  try {
    const std::string reason = type.host->take_refusal();
    registry.log().write(fmt::format("struct_ops {}: {}() of the host refuses: {} ({})\n", type.name(), callback,
                                     reason.empty() ? "no reason given" : reason, errno_name(e)));
  } catch (const std::bad_alloc&) {
    return;  // the errno has to do
  }
}

}  // namespace ring3::struct_ops
