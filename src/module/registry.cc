#include "module/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "attach/link.h"
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/map.h"
#include "module/module.h"
#include "struct_ops/ops_map.h"

namespace ring3::module {
namespace {

constexpr std::size_t kMaxNameBytes = exec::OwnerName::kMaxBytes;

bool is_module_name(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), allowed);
}

/// Touching what somebody else has loaded needs the admin right.
Result<void> check_owner(std::string_view name, const Birth& owner, const Actor& who, TextSink& why) {
  if (who.admin || owner.uid == who.birth.uid) return {};
  why.write(fmt::format("module {} was loaded by uid {}\n", name, owner.uid));
  return Errno::kPerm;
}

/// What the programs print carries the module's name.
void name_printers(const std::vector<Ref<Object>>& objects, std::string_view name) noexcept {
  for (const Ref<Object>& object : objects)
    if (object->kind() == ObjectKind::kProg) {
      auto& program = static_cast<prog::Program&>(*object);
      if (program.runnable()) program.entry()->owner().set(name);
    }
}

/// One of `old_links` that holds a table of the same host type as `link` does, and of the same name if that is asked for; null: none. It is
/// taken out: one link has one successor.
Ref<attach::Link> take_counterpart(const attach::Link& link, std::vector<Ref<attach::Link>>& old_links, bool of_same_name) {
  const Ref<Object> target = link.target();
  const struct_ops::OpsMap* table = struct_ops::as_ops_map(target.get());
  if (table == nullptr) return nullptr;
  for (auto old = old_links.begin(); old != old_links.end(); ++old) {
    const Ref<Object> old_target = (*old)->target();
    const struct_ops::OpsMap* old_table = struct_ops::as_ops_map(old_target.get());
    if (old_table == nullptr || &old_table->type() != &table->type()) continue;
    if (of_same_name && old_table->spec().name != table->spec().name) continue;
    Ref<attach::Link> taken = std::move(*old);
    old_links.erase(old);
    return taken;
  }
  return nullptr;
}

}  // namespace

/// Links of the replaced module that already hold the new module's maps; switched back unless kept.
class Registry::Swaps {
 public:
  Swaps() = default;
  Swaps(const Swaps&) = delete;
  Swaps& operator=(const Swaps&) = delete;
  ~Swaps() {
    for (auto it = done_.rbegin(); it != done_.rend(); ++it) (void)it->link->update_map(it->former, nullptr, 0);
  }

  Result<void> swap(Ref<attach::Link> link, Ref<Object> target) {
    if (fault_point()) return Errno::kNoMem;
    done_.reserve(done_.size() + 1);
    Ref<Object> former = link->target();
    RING3_TRY(link->update_map(std::move(target), nullptr, 0));
    done_.push_back({std::move(link), std::move(former)});
    return {};
  }

  std::size_t size() const { return done_.size(); }

  /// Hands each link over: it stays as it is.
  template <typename Take>
  void keep(Take take) noexcept {
    for (Done& done : done_) take(std::move(done.link));
    done_.clear();
  }

 private:
  struct Done {
    Ref<attach::Link> link;
    Ref<Object> former;
  };
  std::vector<Done> done_;
};

Registry::Registry(ObjectTable& objects) : objects_(objects) {}
Registry::~Registry() { remove_all(); }

Registry::Module* Registry::by_name(std::string_view name) {
  for (auto& module : modules_)
    if (!module->leaving && module->name == name) return module.get();
  return nullptr;
}

void Registry::forget_gone() {
  std::erase_if(modules_, [&](const auto& module) { return module->gone(objects_); });
}

Result<void> Registry::check_request(const CommitRequest& request, TextSink& why) {
  if (!is_module_name(request.name)) {
    why.write(fmt::format("\"{}\" is no module name: 1 to {} of letters, digits, '_' and '-'\n", request.name, kMaxNameBytes));
    return Errno::kInval;
  }
  const Module* old = request.replaces.empty() ? nullptr : by_name(request.replaces);
  if (!request.replaces.empty() && old == nullptr) {
    why.write(fmt::format("there is no module {} to replace\n", request.replaces));
    return Errno::kNoEnt;
  }
  if (old != nullptr) RING3_TRY(check_owner(old->name, old->birth, request.who, why));
  if (by_name(request.name) != nullptr && request.name != request.replaces) {
    why.write(fmt::format("a module {} is loaded already\n", request.name));
    return Errno::kExist;
  }
  return {};
}

Result<void> Registry::swap_links(syscall::LoadSession& session, const Module& old, Swaps& swaps, TextSink& why) {
  std::vector<Ref<attach::Link>> old_links = old.links(objects_);
  std::vector<Ref<attach::Link>> links = session.links();
  // A table succeeds the one of its name, and what is left the next one of its type.
  for (const bool of_same_name : {true, false})
    for (Ref<attach::Link>& link : links) {
      Ref<attach::Link> taken_over = link ? take_counterpart(*link, old_links, of_same_name) : nullptr;
      if (!taken_over) continue;
      const std::uint32_t id = taken_over->id();
      if (Result<void> swapped = swaps.swap(std::move(taken_over), link->target()); !swapped.ok()) {
        why.write(fmt::format("link {} of {} could not be switched over: {}\n", id, old.name, errno_name(swapped.error())));
        return swapped.error();
      }
      session.drop_link(*link);
      link = nullptr;
    }
  return {};
}

Result<std::uint32_t> Registry::commit(syscall::LoadSession& session, const CommitRequest& request, TextSink& why) {
  // Rolls back on every way out but the good one, exceptions included. Outside the lock: dropping the last
  // references of a load may take a while.
  struct Rollback {
    syscall::LoadSession& session;
    ~Rollback() { session.rollback(); }  // does nothing after a commit
  } rollback{session};
  MutexLock lock(mutex_);
  forget_gone();
  RING3_TRY(check_request(request, why));
  return commit_locked(session, request, why);
}

Result<std::uint32_t> Registry::commit_locked(syscall::LoadSession& session, const CommitRequest& request, TextSink& why) {
  if (fault_point()) return Errno::kNoMem;
  Module* old = request.replaces.empty() ? nullptr : by_name(request.replaces);
  auto module = std::make_unique<Module>(last_id_ + 1, request);
  modules_.reserve(modules_.size() + 1);
  session.drop_abandoned();
  Swaps swaps;
  if (old != nullptr) RING3_TRY(swap_links(session, *old, swaps, why));
  std::vector<Ref<Object>> objects = session.objects();
  const auto unheld = [](const Ref<Object>& object) { return object->user_refs() == 0; };
  if (std::all_of(objects.begin(), objects.end(), unheld)) {
    why.write("the load made nothing\n");
    return Errno::kInval;
  }
  module->reserve(objects.size() + swaps.size());
  name_printers(objects, request.name);  // before the commit: the host may run them from then on
  if (Result<void> done = session.commit(); !done.ok()) {
    why.write(fmt::format("module {} was not attached: {}\n", request.name, errno_name(done.error())));
    return done.error();
  }
  // From here on nothing fails. A member is what the client holds or has pinned at this point. What only another
  // member holds (an inner map, a probe's leftover that has not died yet) lives as long as it is needed.
  std::erase_if(objects, unheld);
  for (Ref<Object>& object : objects) module->add(std::move(object));
  swaps.keep([&](Ref<attach::Link> link) {
    old->give_up(*link);
    module->add(std::move(link));
  });
  ++last_id_;
  modules_.push_back(std::move(module));
  const std::uint32_t id = modules_.back()->id;
  if (old != nullptr) old->leave(objects_);
  return id;
}

std::vector<std::string> Registry::users_of(const Module& module) const {
  std::vector<std::string> users;
  const std::vector<Ref<maps::Map>> own = module.maps(objects_);
  for (const auto& other : modules_) {
    if (other.get() == &module || other->leaving) continue;
    bool uses = false;
    for (const Ref<prog::Program>& program : other->programs(objects_))
      for (const Ref<maps::Map>& map : program->maps())
        uses = uses || std::find(own.begin(), own.end(), map) != own.end();
    if (uses) users.push_back(other->name);
  }
  return users;
}

Result<std::uint32_t> Registry::remove(std::string_view name, bool force, const Actor& who, TextSink& why) {
  MutexLock lock(mutex_);
  forget_gone();
  Module* module = by_name(name);
  if (module == nullptr) {
    why.write(fmt::format("there is no module {}\n", name));
    return Errno::kNoEnt;
  }
  RING3_TRY(check_owner(name, module->birth, who, why));
  const ModuleInfo info = describe(*module);
  if (info.used_by != 0 && !force) {
    const std::string by = info.users.empty() ? "the host" : fmt::format("{}", fmt::join(info.users, ", "));
    why.write(fmt::format("module {} is in use by {} ({} in all)\n", name, by, info.used_by));
    return Errno::kBusy;
  }
  const std::uint32_t id = module->id;
  module->leave(objects_);
  return id;
}

void Registry::session_ended(std::uint64_t session) {
  MutexLock lock(mutex_);
  for (auto it = modules_.rbegin(); it != modules_.rend(); ++it)
    if (!(*it)->leaving && (*it)->lifetime == Lifetime::kSession && (*it)->session == session) (*it)->leave(objects_);
}

void Registry::remove_all() noexcept {
  MutexLock lock(mutex_);
  while (!modules_.empty()) {
    modules_.back()->leave(objects_);
    modules_.pop_back();
  }
}

ModuleInfo Registry::describe(const Module& module) const {
  ModuleInfo info = module.describe(objects_);
  info.users = users_of(module);
  for (const OpsRow& ops : info.ops) info.used_by += ops.users;
  info.used_by += info.users.size();
  return info;
}

std::vector<ModuleInfo> Registry::list() {
  MutexLock lock(mutex_);
  forget_gone();
  std::vector<ModuleInfo> infos;
  for (const auto& module : modules_) infos.push_back(describe(*module));
  return infos;
}

Result<ModuleInfo> Registry::find(std::string_view name) {
  MutexLock lock(mutex_);
  forget_gone();
  Module* module = by_name(name);
  if (module == nullptr) return Errno::kNoEnt;
  return describe(*module);
}

}  // namespace ring3::module
