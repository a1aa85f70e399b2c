#include "module/module.h"

#include <fmt/core.h>

#include <algorithm>

#include "struct_ops/ops_map.h"

namespace ring3::module {
namespace {

/// Null: it is gone.
Ref<Object> object_of(const Member& member, const ObjectTable& objects) {
  if (member.hold) return member.hold.ref();
  Result<Ref<Object>> by_id = objects.find(member.kind, member.id);
  return by_id.ok() ? std::move(by_id).value() : Ref<Object>();
}

/// Members of one kind, as their own type, as far as they still exist.
template <typename T>
std::vector<Ref<T>> members_of(const std::vector<Member>& members, const ObjectTable& objects) {
  std::vector<Ref<T>> found;
  for (const Member& member : members) {
    if (member.kind != T::kKind) continue;
    if (Ref<Object> object = object_of(member, objects)) found.push_back(ref_cast<T>(std::move(object)));
  }
  return found;
}

ProgramRow program_row(const prog::Program& program) {
  ProgramRow row;
  row.id = program.id();
  row.name = program.name();
  row.type = program.type();
  for (std::uint8_t byte : program.about().tag) row.tag += fmt::format("{:02x}", byte);
  row.insns = static_cast<std::uint32_t>(program.about().xlated.size());
  const exec::RunTotals totals = program.run_totals();
  row.runs = totals.runs;
  row.run_time_ns = totals.run_time_ns;
  row.sampled_runs = totals.sampled_runs;
  row.sampled_ns = totals.sampled_ns;
  row.memory_bytes = program.memory_bytes();
  const Provenance& provenance = program.about().provenance;
  row.verdict = verdict_name(provenance.verdict);
  row.signer = provenance.signer;
  row.key = provenance.key;
  return row;
}

OpsRow ops_row(const maps::Map& map, const struct_ops::OpsMap& table, const std::vector<Ref<attach::Link>>& links) {
  OpsRow row{map.id(), 0, map.spec().name, table.type().name(), table.holds()};
  for (const Ref<attach::Link>& link : links)
    if (link->target().get() == &map) row.link_id = link->id();
  return row;
}

}  // namespace

Registry::Module::Module(std::uint32_t module_id, const CommitRequest& request)
    : id(module_id),
      name(request.name),
      lifetime(request.lifetime),
      session(request.session),
      birth(request.who.birth),
      source(request.source),
      digest(request.digest),
      replaced(request.replaces) {}

void Registry::Module::add(Ref<Object> object) noexcept {
  Member member{object->kind(), object->id(), {}};
  if (lifetime != Lifetime::kPinned) member.hold = UserRef<Object>(std::move(object));
  members.push_back(std::move(member));
}

void Registry::Module::give_up(const Object& object) noexcept {
  std::erase_if(members, [&](const Member& m) { return m.kind == object.kind() && m.id == object.id(); });
}

void Registry::Module::leave(const ObjectTable& objects) noexcept {
  for (const Member& member : members) {
    if (member.kind != ObjectKind::kLink) continue;
    if (Ref<Object> link = object_of(member, objects)) (void)static_cast<attach::Link&>(*link).detach();
  }
  leaving = true;
  // What was made last may depend on what was made before.
  for (auto it = members.rbegin(); it != members.rend(); ++it) it->hold.reset();
}

bool Registry::Module::gone(const ObjectTable& objects) const {
  if (leaving)
    return std::none_of(members.begin(), members.end(), [&](const Member& m) {
      return m.kind == ObjectKind::kProg && objects.exists(m.kind, m.id);
    });
  return lifetime == Lifetime::kPinned &&
         std::none_of(members.begin(), members.end(), [&](const Member& m) { return objects.find(m.kind, m.id).ok(); });
}

std::vector<Ref<attach::Link>> Registry::Module::links(const ObjectTable& objects) const {
  return members_of<attach::Link>(members, objects);
}
std::vector<Ref<prog::Program>> Registry::Module::programs(const ObjectTable& objects) const {
  return members_of<prog::Program>(members, objects);
}
std::vector<Ref<maps::Map>> Registry::Module::maps(const ObjectTable& objects) const {
  return members_of<maps::Map>(members, objects);
}

const char* Registry::Module::state(const std::vector<Ref<attach::Link>>& own_links) const {
  if (leaving) return "unloading";
  const bool attached = own_links.empty() || std::any_of(own_links.begin(), own_links.end(), [](const auto& link) {
                          return link->state() == attach::LinkState::kAttached;
                        });
  return attached ? "live" : "detached";
}

ModuleInfo Registry::Module::describe(const ObjectTable& objects) const {
  ModuleInfo info;
  const std::vector<Ref<attach::Link>> own_links = links(objects);
  info.id = id;
  info.name = name;
  info.state = state(own_links);
  info.lifetime = lifetime;
  info.uid = birth.uid;
  info.pid = birth.pid;
  info.loaded_ns = birth.time_ns;
  info.source = source;
  info.digest = digest;
  info.replaced = replaced;
  for (const Ref<prog::Program>& program : programs(objects)) {
    info.programs.push_back(program_row(*program));
    info.runs += info.programs.back().runs;
    info.memory_bytes += info.programs.back().memory_bytes;
  }
  for (const Ref<maps::Map>& map : maps(objects)) {
    info.maps.push_back({map->id(), map->spec().name, map->ops().name, map->max_entries(), map->memory_bytes()});
    info.memory_bytes += info.maps.back().memory_bytes;
    if (const struct_ops::OpsMap* table = struct_ops::as_ops_map(map.get()))
      info.ops.push_back(ops_row(*map, *table, own_links));
  }
  return info;
}

}  // namespace ring3::module
