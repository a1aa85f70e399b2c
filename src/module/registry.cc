#include "module/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "attach/link.h"
#include "base/try.h"
#include "maps/map.h"
#include "module/module.h"
#include "struct_ops/ops_map.h"

namespace ring3::module {
namespace {

constexpr std::size_t kMaxNameBytes = 31;

bool is_module_name(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), allowed);
}

/// The link of `old_links` that holds a table of the same host type as `link` does; null: none.
attach::Link* counterpart(const attach::Link& link, const std::vector<Ref<attach::Link>>& old_links) {
  const Ref<Object> target = link.target();
  const struct_ops::OpsMap* table = struct_ops::as_ops_map(target.get());
  if (table == nullptr) return nullptr;
  for (const Ref<attach::Link>& old : old_links) {
    const Ref<Object> old_target = old->target();
    const struct_ops::OpsMap* old_table = struct_ops::as_ops_map(old_target.get());
    if (old_table != nullptr && &old_table->type() == &table->type()) return old.get();
  }
  return nullptr;
}

}  // namespace

/// Links of the replaced module that already hold the new module's maps; undone unless kept.
class Registry::Swaps {
 public:
  Swaps() = default;
  Swaps(const Swaps&) = delete;
  Swaps& operator=(const Swaps&) = delete;
  ~Swaps() {
    for (auto it = done_.rbegin(); it != done_.rend(); ++it) (void)it->link->update_map(it->former, nullptr, 0);
  }

  Result<void> swap(Ref<attach::Link> link, Ref<Object> target) {
    Ref<Object> former = link->target();
    RING3_TRY(link->update_map(std::move(target), nullptr, 0));
    done_.push_back({std::move(link), std::move(former)});
    return {};
  }

  std::vector<Ref<attach::Link>> keep() {
    std::vector<Ref<attach::Link>> links;
    for (Done& d : done_) links.push_back(std::move(d.link));
    done_.clear();
    return links;
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
    if (module->name == name) return module.get();
  return nullptr;
}

void Registry::forget_dead() {
  std::erase_if(modules_, [&](const auto& module) { return !module->alive(objects_); });
}

Result<void> Registry::check_request(const CommitRequest& request, TextSink& why) {
  if (!is_module_name(request.name)) {
    why.write(fmt::format("\"{}\" is no module name: 1 to {} of letters, digits, '_' and '-'\n", request.name, kMaxNameBytes));
    return Errno::kInval;
  }
  if (!request.replaces.empty() && by_name(request.replaces) == nullptr) {
    why.write(fmt::format("there is no module {} to replace\n", request.replaces));
    return Errno::kNoEnt;
  }
  if (by_name(request.name) != nullptr && request.name != request.replaces) {
    why.write(fmt::format("a module {} is loaded already\n", request.name));
    return Errno::kExist;
  }
  return {};
}

Result<void> Registry::swap_links(syscall::LoadSession& session, const Module& old, Swaps& swaps, TextSink& why) {
  const std::vector<Ref<attach::Link>> old_links = old.links(objects_);
  for (Ref<attach::Link>& link : session.links()) {
    attach::Link* taken_over = counterpart(*link, old_links);
    if (taken_over == nullptr) continue;
    if (Result<void> swapped = swaps.swap(Ref<attach::Link>::share(taken_over), link->target()); !swapped.ok()) {
      why.write(fmt::format("link {} of {} could not be switched over: {}\n", taken_over->id(), old.name,
                            errno_name(swapped.error())));
      return swapped.error();
    }
    session.drop_link(*link);
  }
  return {};
}

Result<std::uint32_t> Registry::commit(syscall::LoadSession& session, const CommitRequest& request, TextSink& why) {
  MutexLock lock(mutex_);
  forget_dead();
  Result<void> done = check_request(request, why);
  Module* old = request.replaces.empty() ? nullptr : by_name(request.replaces);
  auto module = std::make_unique<Module>(++last_id_, request);
  Swaps swaps;
  if (done.ok() && old != nullptr) done = swap_links(session, *old, swaps, why);
  if (done.ok()) {
    for (Ref<Object>& object : session.objects()) module->add(std::move(object));
    done = session.commit();
    if (!done.ok()) why.write(fmt::format("module {} was not attached: {}\n", request.name, errno_name(done.error())));
  }
  if (!done.ok()) {
    session.rollback();
    return done.error();
  }
  for (Ref<attach::Link>& link : swaps.keep()) {
    old->give_up(*link);
    module->add(std::move(link));
  }
  if (old != nullptr) {
    old->detach_links(objects_);
    std::erase_if(modules_, [&](const auto& m) { return m.get() == old; });
  }
  modules_.push_back(std::move(module));
  return modules_.back()->id;
}

std::vector<std::string> Registry::users_of(const Module& module) const {
  std::vector<std::string> users;
  const std::vector<Ref<maps::Map>> own = module.maps(objects_);
  for (const auto& other : modules_) {
    if (other.get() == &module) continue;
    bool uses = false;
    for (const Ref<prog::Program>& program : other->programs(objects_))
      for (const Ref<maps::Map>& map : program->maps())
        uses = uses || std::find(own.begin(), own.end(), map) != own.end();
    if (uses) users.push_back(other->name);
  }
  return users;
}

Result<void> Registry::remove(std::string_view name, bool force, TextSink& why) {
  MutexLock lock(mutex_);
  forget_dead();
  Module* module = by_name(name);
  if (module == nullptr) {
    why.write(fmt::format("there is no module {}\n", name));
    return Errno::kNoEnt;
  }
  const ModuleInfo info = describe(*module);
  if (info.used_by != 0 && !force) {
    std::string by = info.users.empty() ? "the host" : fmt::format("{}", fmt::join(info.users, ", "));
    why.write(fmt::format("module {} is in use by {} ({})\n", name, by, info.used_by));
    return Errno::kBusy;
  }
  module->detach_links(objects_);
  std::erase_if(modules_, [&](const auto& m) { return m.get() == module; });
  return {};
}

void Registry::session_ended(std::uint64_t session) {
  MutexLock lock(mutex_);
  for (auto it = modules_.rbegin(); it != modules_.rend(); ++it)
    if ((*it)->lifetime == Lifetime::kSession && (*it)->session == session) (*it)->detach_links(objects_);
  std::erase_if(modules_, [&](const auto& m) { return m->lifetime == Lifetime::kSession && m->session == session; });
}

void Registry::remove_all() noexcept {
  MutexLock lock(mutex_);
  while (!modules_.empty()) {
    modules_.back()->detach_links(objects_);
    modules_.pop_back();
  }
}

ModuleInfo Registry::describe(const Module& module) const {
  ModuleInfo info = module.describe(objects_);
  info.users = users_of(module);
  for (const OpsRow& ops : info.ops) info.used_by += ops.users;
  info.used_by += static_cast<std::uint32_t>(info.users.size());
  return info;
}

std::vector<ModuleInfo> Registry::list() {
  MutexLock lock(mutex_);
  forget_dead();
  std::vector<ModuleInfo> infos;
  for (const auto& module : modules_) infos.push_back(describe(*module));
  return infos;
}

Result<ModuleInfo> Registry::find(std::string_view name) {
  MutexLock lock(mutex_);
  forget_dead();
  Module* module = by_name(name);
  if (module == nullptr) return Errno::kNoEnt;
  return describe(*module);
}

}  // namespace ring3::module
