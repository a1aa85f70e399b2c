#include "module/module.h"

#include <fmt/core.h>

#include <algorithm>

#include "struct_ops/ops_map.h"

namespace ring3::module {
namespace {

/// Members of one kind, as their own type, as far as they still exist.
template <typename T>
std::vector<Ref<T>> members_of(const std::vector<Member>& members, const ObjectTable& objects) {
  std::vector<Ref<T>> found;
  for (const Member& member : members) {
    if (member.kind != T::kKind) continue;
    Result<Ref<Object>> object = member.hold ? Result<Ref<Object>>(member.hold.ref()) : objects.find(member.kind, member.id);
    if (object.ok()) found.push_back(ref_cast<T>(std::move(object).value()));
  }
  return found;
}

ProgramRow program_row(const prog::Program& program) {
  ProgramRow row;
  row.id = program.id();
  row.name = program.name();
  row.type = std::to_string(program.type());
  for (std::uint8_t byte : program.about().tag) row.tag += fmt::format("{:02x}", byte);
  row.insns = static_cast<std::uint32_t>(program.about().xlated.size());
  const exec::RunTotals totals = program.run_totals();
  row.runs = totals.runs;
  row.run_time_ns = totals.run_time_ns;
  return row;
}

std::uint64_t memory_of(const maps::Map& map) {
  return map.ops().control.memory_bytes ? map.ops().control.memory_bytes(map) : 0;
}

}  // namespace

const char* lifetime_name(Lifetime lifetime) {
  switch (lifetime) {
    case Lifetime::kResident: return "resident";
    case Lifetime::kSession: return "session";
    case Lifetime::kPinned: return "pinned";
  }
  return "?";
}

Registry::Module::Module(std::uint32_t module_id, const CommitRequest& request)
    : id(module_id),
      name(request.name),
      lifetime(request.lifetime),
      session(request.session),
      birth(request.birth),
      source(request.source),
      digest(request.digest) {}

void Registry::Module::add(Ref<Object> object) {
  Member member{object->kind(), object->id(), {}};
  if (lifetime != Lifetime::kPinned) member.hold = UserRef<Object>(std::move(object));
  members.push_back(std::move(member));
}

void Registry::Module::give_up(const Object& object) {
  std::erase_if(members, [&](const Member& m) { return m.kind == object.kind() && m.id == object.id(); });
}

bool Registry::Module::alive(const ObjectTable& objects) const {
  return lifetime != Lifetime::kPinned || std::any_of(members.begin(), members.end(), [&](const Member& m) {
           return objects.find(m.kind, m.id).ok();
         });
}

void Registry::Module::detach_links(const ObjectTable& objects) {
  for (const Ref<attach::Link>& link : links(objects)) (void)link->detach();
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

ModuleInfo Registry::Module::describe(const ObjectTable& objects) const {
  ModuleInfo info;
  info.id = id;
  info.name = name;
  info.state = "live";
  info.lifetime = lifetime;
  info.uid = birth.uid;
  info.pid = birth.pid;
  info.loaded_ns = birth.time_ns;
  info.source = source;
  info.digest = digest;
  for (const Ref<prog::Program>& program : programs(objects)) {
    info.programs.push_back(program_row(*program));
    info.runs += info.programs.back().runs;
    info.memory_bytes += program->memory_bytes();
  }
  const std::vector<Ref<attach::Link>> own_links = links(objects);
  for (const Ref<maps::Map>& map : maps(objects)) {
    info.memory_bytes += memory_of(*map);
    info.maps.push_back({map->id(), map->spec().name, map->ops().name, map->max_entries(), memory_of(*map)});
    const struct_ops::OpsMap* table = struct_ops::as_ops_map(map.get());
    if (table == nullptr) continue;
    OpsRow ops{map->id(), 0, map->spec().name, table->type().name(), static_cast<std::uint32_t>(table->holds())};
    for (const Ref<attach::Link>& link : own_links)
      if (link->target().get() == map.get()) ops.link_id = link->id();
    info.ops.push_back(std::move(ops));
  }
  return info;
}

}  // namespace ring3::module
