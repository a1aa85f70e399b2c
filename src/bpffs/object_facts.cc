#include "bpffs/object_facts.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>

#include "attach/link.h"
#include "base/json_writer.h"
#include "maps/map.h"
#include "prog/btf_object.h"
#include "prog/program.h"
#include "struct_ops/ops_map.h"

namespace ring3::bpffs {
namespace {

/// Pairs in order; numbers stay numbers in JSON.
class FactList {
 public:
  template <std::integral T>
  void add(const char* key, T number) {
    add(key, std::to_string(number), true);
  }
  void add_hex(const char* key, std::uint64_t number) {
    facts_.push_back({key, fmt::format("{:#x}", number), std::to_string(number)});
  }
  void add(const char* key, const std::string& text, bool number = false) {
    std::string json = text;
    if (!number) {
      json.clear();
      append_json_string(json, text);
    }
    facts_.push_back({key, text, json});
  }
  std::string text(FactStyle style) const {
    if (style == FactStyle::kText) {
      std::string out;
      for (const Fact& f : facts_) out += fmt::format("{}:\t{}\n", f.key, f.text);
      return out;
    }
    JsonWriter json;
    json.begin_object();
    for (const Fact& f : facts_) json.key(f.key).raw(f.json);
    json.end_object();
    return json.take() + "\n";
  }

 private:
  struct Fact {
    const char* key;
    std::string text, json;
  };
  std::vector<Fact> facts_;
};

std::string tag_text(const prog::ProgramTag& tag) {
  std::string out;
  for (const auto byte : tag) out += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return out;
}

void map_facts(FactList& out, const maps::Map& map) {
  const maps::MapSpec& spec = map.spec();
  out.add("name", spec.name);
  out.add("type_name", std::string(map.ops().name));
  out.add("map_type", spec.type);
  out.add("key_size", spec.key_size);
  out.add("value_size", spec.value_size);
  out.add("max_entries", spec.max_entries);
  out.add_hex("map_flags", spec.flags);
  out.add_hex("map_extra", spec.extra);
  out.add("memlock", map.memory_bytes());
  out.add("map_id", map.id());
  out.add("frozen", map.frozen() ? 1 : 0);
  out.add("btf_id", spec.btf_object_id);
}

void program_facts(FactList& out, const prog::Program& program) {
  const prog::ProgramAbout& about = program.about();
  const exec::RunTotals totals = program.run_totals();
  out.add("name", about.name);
  out.add("prog_type", about.type);
  out.add("expected_attach_type", about.attach_type);
  out.add("prog_tag", tag_text(about.tag));
  out.add("memlock", program.memory_bytes());
  out.add("prog_id", program.id());
  out.add("run_time_ns", totals.run_time_ns);
  out.add("run_cnt", totals.runs);
  out.add("recursion_misses", totals.recursion_misses);
  out.add("verified_insns", about.verified_insns);
  out.add("btf_id", program.btf() ? program.btf()->id() : 0u);
}

uapi::bpf_link_info info_of(const attach::Link& link) {
  uapi::bpf_link_info info;
  std::memset(static_cast<void*>(&info), 0, sizeof info);
  link.fill_info(info);
  return info;
}

void link_facts(FactList& out, const attach::Link& link) {
  out.add("link_type", std::string(link.ops().name));
  out.add("link_id", link.id());
  const bool attached = link.state() == attach::LinkState::kAttached;
  out.add("state", std::string(attached ? "attached" : "detached"));
  const Ref<Object> target = link.target();
  if (!target) return;
  out.add(target->kind() == ObjectKind::kMap ? "map_id" : "prog_id", target->id());
  if (link.ops().type != uapi::BPF_LINK_TYPE_TRACING) return;
  const uapi::bpf_link_info info = info_of(link);
  out.add("target_obj_id", info.tracing.target_obj_id);
  out.add("target_btf_id", info.tracing.target_btf_id);
}

void btf_facts(FactList& out, const prog::BtfObject& btf) {
  out.add("name", btf.name());
  out.add("btf_id", btf.id());
  out.add("kernel", btf.is_kernel() ? 1 : 0);
  out.add("size", btf.btf()->blob().size());
  out.add("types", btf.btf()->end_id() - 1);
}

template <typename T>
const T& as(const Object& object) {
  return static_cast<const T&>(object);
}

std::string name_of(const Object& object) {
  switch (object.kind()) {
    case ObjectKind::kMap: return as<maps::Map>(object).spec().name;
    case ObjectKind::kProg: return as<prog::Program>(object).name();
    case ObjectKind::kLink: return as<attach::Link>(object).ops().name;
    case ObjectKind::kBtf: return as<prog::BtfObject>(object).name();
    default: return {};
  }
}

/// Objects that `object` holds, as far as listings know.
std::vector<Ref<Object>> held_by(Object& object) {
  std::vector<Ref<Object>> out;
  if (object.kind() == ObjectKind::kProg) {
    const auto& program = as<prog::Program>(object);
    for (Ref<maps::Map>& map : program.maps()) out.push_back(std::move(map));
    if (program.btf()) out.push_back(program.btf());
    if (program.attach_target()) out.push_back(program.attach_target());
    if (Ref<prog::Program> target = program.load_target()) out.push_back(std::move(target));
  } else if (object.kind() == ObjectKind::kLink) {
    const auto& link = as<attach::Link>(object);
    if (Ref<Object> target = link.target()) out.push_back(std::move(target));
    if (link.ops().type == uapi::BPF_LINK_TYPE_TRACING)
      if (auto onto = object.table().find(ObjectKind::kProg, info_of(link).tracing.target_obj_id); onto.ok()) out.push_back(*onto);
  } else if (object.kind() == ObjectKind::kMap) {
    const auto& map = as<maps::Map>(object);
    if (map.spec().type == uapi::BPF_MAP_TYPE_STRUCT_OPS)
      for (Ref<prog::Program>& program : static_cast<const struct_ops::OpsMap&>(map).programs())
        out.push_back(std::move(program));
    if (map.spec().btf_object_id != 0)
      if (auto btf = object.table().find(ObjectKind::kBtf, map.spec().btf_object_id); btf.ok()) out.push_back(*btf);
  }
  return out;
}

std::string line_of(const Object& object) {
  const std::string name = name_of(object);
  return fmt::format("{} {}{}{}\n", object_kind_name(object.kind()), object.id(), name.empty() ? "" : " ", name);
}

constexpr ObjectKind kListed[] = {ObjectKind::kMap, ObjectKind::kProg, ObjectKind::kLink, ObjectKind::kBtf};
constexpr std::size_t kEverything = std::numeric_limits<std::size_t>::max();

}  // namespace

std::vector<Ref<Object>> objects_after(ObjectTable& table, ObjectKind kind, std::uint32_t after, std::size_t limit) {
  std::vector<Ref<Object>> out;
  while (out.size() < limit) {
    const Result<std::uint32_t> id = table.next_id(kind, after);
    if (!id.ok()) break;
    after = *id;
    if (auto object = table.find(kind, after); object.ok()) out.push_back(std::move(object).value());
  }
  return out;
}

std::string facts_text(RuntimeImpl&, Object& object, FactStyle style) {
  FactList facts;
  switch (object.kind()) {
    case ObjectKind::kMap: map_facts(facts, as<maps::Map>(object)); break;
    case ObjectKind::kProg: program_facts(facts, as<prog::Program>(object)); break;
    case ObjectKind::kLink: link_facts(facts, as<attach::Link>(object)); break;
    case ObjectKind::kBtf: btf_facts(facts, as<prog::BtfObject>(object)); break;
    default: break;
  }
  facts.add("created_by_uid", object.birth().uid);
  facts.add("created_by_pid", object.birth().pid);
  facts.add("load_time_ns", object.birth().time_ns);
  return facts.text(style);
}

std::string users_text(RuntimeImpl& runtime, const Object& object) {
  std::string out;
  for (const ObjectKind kind : kListed)
    for (const Ref<Object>& user : objects_after(runtime.objects(), kind, 0, kEverything))
      for (const Ref<Object>& held : held_by(*user))
        if (held.get() == &object) {
          out += line_of(*user);
          break;
        }
  return out;
}

std::string uses_text(Object& object) {
  std::string out;
  for (const Ref<Object>& held : held_by(object)) out += line_of(*held);
  return out;
}

std::string pins_text(RuntimeImpl& runtime, const Object& object) {
  std::string out;
  for (const std::string& path : runtime.kernel().mounts().paths_of(object)) out += path + "\n";
  return out;
}

}  // namespace ring3::bpffs
