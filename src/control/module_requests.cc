// COMMIT, MODULES, MODULE, REMOVE: the runtime's module registry, asked from outside.
#include <utility>
#include <vector>

#include "base/try.h"
#include "control/module_wire.h"
#include "control/requests.h"
#include "module/registry.h"

namespace ring3::control {
namespace {

module::Actor actor(const Conversation& with) {
  const syscall::Credentials& who = with.caller.credentials();
  const Birth birth{.uid = who.uid, .pid = who.pid, .time_ns = with.runtime.now_ns()};
  return {.birth = birth, .admin = with.caller.rights().sys_admin};
}

/// What the client holds of its load. It must answer after that was looked at: then what it does not hold was closed on
/// purpose and is no member of the module, and its death cannot take anything away before the module holds it.
/// Errors: kConnRefused the client is gone.
Result<std::vector<UserRef<Object>>> hold_members(Conversation& with, syscall::LoadSession& load) {
  load.drop_abandoned();
  std::vector<UserRef<Object>> held;
  for (Ref<Object>& object : load.objects())
    if (object->user_refs() > 0) held.emplace_back(std::move(object));
  if (!with.caller.answers()) return Errno::kConnRefused;
  return held;
}

}  // namespace

Result<long> answer_commit(Conversation& with, WireReader& in, Response& out) {
  module::CommitRequest request;
  request.name = in.text();
  request.source = in.text();
  request.digest = in.text();
  request.replaces = in.text();
  const auto lifetime = in.get<std::uint32_t>();
  if (!in.finished() || lifetime > static_cast<std::uint32_t>(module::Lifetime::kPinned)) return malformed(out);
  request.lifetime = static_cast<module::Lifetime>(lifetime);
  request.session = with.id;
  request.who = actor(with);
  // Whatever comes of it, the load has ended.
  const std::unique_ptr<syscall::LoadSession> load = std::move(with.caller.load());
  if (load == nullptr) {
    out.text = "this connection has not begun a load\n";
    return Errno::kInval;
  }
  const std::vector<UserRef<Object>> held = RING3_TRY(hold_members(with, *load));
  StringSink why;
  Result<std::uint32_t> id = with.runtime.modules().commit(*load, request, why);
  out.text = with.caller.take_text() + why.take();
  if (!id.ok()) return id.error();
  return static_cast<long>(*id);
}

Result<long> answer_modules(Conversation& with, WireReader& in, Response& out) {
  if (!in.finished()) return malformed(out);
  const std::vector<module::ModuleInfo> modules = with.runtime.modules().list();
  for (const module::ModuleInfo& info : modules) put_module(out.body, info);
  return static_cast<long>(modules.size());
}

Result<long> answer_module(Conversation& with, WireReader& in, Response& out) {
  const std::string name = in.text();
  if (!in.finished()) return malformed(out);
  Result<module::ModuleInfo> info = with.runtime.modules().find(name);
  if (!info.ok()) {
    out.text = "there is no module '" + name + "'\n";
    return info.error();
  }
  put_module(out.body, *info);
  return 0L;
}

Result<long> answer_remove(Conversation& with, WireReader& in, Response& out) {
  const std::string name = in.text();
  const auto force = in.get<std::uint32_t>();
  if (!in.finished() || force > 1) return malformed(out);
  StringSink why;
  Result<std::uint32_t> removed = with.runtime.modules().remove(name, force == 1, actor(with), why);
  out.text = why.take();
  if (!removed.ok()) return removed.error();
  return static_cast<long>(*removed);
}

}  // namespace ring3::control
