#include "runtime/references.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <new>
#include <set>

#include "base/try.h"
#include "maps/reference_walk.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "runtime/runtime_impl.h"

namespace ring3 {
namespace {

using maps::HeldReference;

constexpr std::size_t kMostReferences = 50'000;

/// What the owners in a kind of object storage are; empty: any host object.
const char* owner_struct(std::uint32_t map_type) {
  switch (map_type) {
    case uapi::BPF_MAP_TYPE_TASK_STORAGE: return "task_struct";
    case uapi::BPF_MAP_TYPE_SK_STORAGE: return "sock";
    case uapi::BPF_MAP_TYPE_INODE_STORAGE: return "inode";
    default: return "";
  }
}

template <typename Each>
void each_object(ObjectTable& table, ObjectKind kind, Each each) {
  std::uint32_t after = 0;
  for (auto id = table.next_id(kind, after); id.ok(); id = table.next_id(kind, after)) {
    after = *id;
    if (auto found = table.find(kind, *id); found.ok()) each(**found);
  }
}

/// A host object that was found: as itself, as an owner of storage, or both.
struct Node {
  std::string text;
  const KptrRow* row = nullptr;  // null: only its storage is known
  std::uint64_t owned = 0;       // references that were found …
  std::uint64_t in_storage = 0;  // … and those of them in object storage
  std::int64_t count = -1;       // all there are, if its type counts them
  struct Edge {
    const void* to;
    std::string place;
  };
  std::vector<Edge> storage;     // what its storage owns
};

class Collector {
 public:
  explicit Collector(RuntimeImpl& runtime) : runtime_(runtime), host_btf_(runtime.facts()->host_btf.get()) {}

  ReferenceReport run() {
    for (const KptrRow* row : runtime_.kptr_rows()) {
      index_[row] = report_.types.size();
      const bool counts = row->alive != nullptr;
      report_.types.push_back({row->type.name, 0, 0, counts ? row->alive() : 0, counts});
    }
    each_object(runtime_.objects(), ObjectKind::kMap, [this](Object& o) { add_map(static_cast<maps::Map&>(o)); });
    find_storage_rings();
    // The runtime's own type is told of where it is used.
    for (const auto& [row, place] : index_)
      if (row->is_own && report_.types[place].owned == 0 && report_.types[place].weak == 0)
        report_.types.erase(report_.types.begin() + static_cast<std::ptrdiff_t>(place));
    return std::move(report_);
  }

 private:
  void add_map(maps::Map& map) {
    const std::size_t room = kMostReferences - report_.references.size();
    const std::string map_text = fmt::format("map {} {}", map.id(), map.spec().name);
    const std::vector<HeldReference> held = maps::held_references(map, room);
    report_.cut |= held.size() == room;
    for (const HeldReference& h : held) add(map, map_text, h);
    add_program_rings(map, map_text);
  }

  void add(maps::Map& map, const std::string& map_text, const HeldReference& h) {
    const bool storage = h.storage_of != nullptr;
    ReferenceRow row;
    row.object = h.text;
    row.holder = storage ? fmt::format("storage of {} in {} {}", owner(map, h.storage_of).text, map_text, h.place)
                         : fmt::format("{} {}", map_text, h.place);
    switch (h.kind) {
      case HeldReference::Kind::kProgramObject:
        row.kind = "object";
        ++report_.program_objects;
        break;
      case HeldReference::Kind::kWeak:
        row.kind = "weak";
        if (const KptrRow* type = runtime_.kptr_row(h.btf, h.type)) ++report_.types[index_[type]].weak;
        break;
      case HeldReference::Kind::kOwned: {
        row.kind = "owned";
        Node& node = nodes_[h.object];
        node.text = h.text;
        node.row = runtime_.kptr_row(h.btf, h.type);
        ++node.owned;
        if (node.row != nullptr) ++report_.types[index_[node.row]].owned;
        row.count = node.count = h.count;
        if (storage) {
          ++node.in_storage;
          nodes_[h.storage_of].storage.push_back({h.object, fmt::format("{} {}", map_text, h.place)});
        }
        break;
      }
    }
    report_.references.push_back(std::move(row));
  }

  Node& owner(const maps::Map& map, const void* object) {
    Node& node = nodes_[object];
    if (!node.text.empty()) return node;
    model::Field field{};
    const std::string_view name = owner_struct(map.spec().type);
    const btf::TypeId type = name.empty() ? 0 : host_btf_->find(name, btf::Kind::kStruct);
    field.type = type;
    if (type != 0) field.btf = runtime_.facts()->host_btf;
    node.text = runtime_.maps::MapHost::object_text(field, object);
    if (type != 0) node.row = runtime_.kptr_row(host_btf_, type);
    return node;
  }

  /// Whether objects of one type may lead to objects of another, by what the types declare.
  bool reaches(const KptrRow* from, const KptrRow* to) {
    std::set<btf::TypeId> seen;
    std::vector<btf::TypeId> open = from->type.reaches;
    while (!open.empty()) {
      const btf::TypeId type = open.back();
      open.pop_back();
      if (type == to->type.type) return true;
      if (!seen.insert(type).second) continue;
      if (const KptrRow* next = runtime_.kptr_row(host_btf_, type))
        open.insert(open.end(), next->type.reaches.begin(), next->type.reaches.end());
    }
    return false;
  }

  bool only_storage_keeps(const void* object) const {
    const auto at = nodes_.find(object);
    return at != nodes_.end() && at->second.in_storage != 0 && at->second.count == static_cast<std::int64_t>(at->second.in_storage);
  }

  void add_ring(const std::vector<const void*>& path, const std::vector<std::string>& places, bool seen, std::string last) {
    ReferenceRing ring;
    ring.seen = seen;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const bool leaves = i < places.size();
      ring.steps.push_back(fmt::format("{} {}", nodes_[path[i]].text, leaves ? "-> " + places[i] : last));
      if (only_storage_keeps(path[i])) ring.leak_candidates.push_back(nodes_[path[i]].text);
    }
    report_.rings.push_back(std::move(ring));
  }

  /// Depth first from every owner; a ring is told once, at its least address.
  void find_storage_rings() {
    for (const auto& [object, node] : nodes_) {
      if (node.storage.empty()) continue;
      std::vector<const void*> path{object};
      std::vector<std::string> places;
      std::set<const void*> met{object};
      follow(object, object, path, places, met);
    }
  }

  void follow(const void* start, const void* at, std::vector<const void*>& path, std::vector<std::string>& places,
              std::set<const void*>& met) {
    if (report_.rings.size() >= kMostRings || path.size() > kLongestRing) return;
    for (const Node::Edge& edge : nodes_[at].storage) {
      places.push_back(edge.place);
      if (edge.to == start) {
        if (std::all_of(path.begin(), path.end(), [&](const void* p) { return !std::less<>()(p, start); }))
          add_ring(path, places, true, "");
      } else if (met.insert(edge.to).second) {
        path.push_back(edge.to);
        const Node &from = nodes_[edge.to], &to = nodes_[start];
        if (from.row != nullptr && to.row != nullptr && reaches(from.row, to.row))
          add_ring(path, places, false, fmt::format("-> a {} (declared)", to.row->type.name));
        follow(start, edge.to, path, places, met);
        path.pop_back();
      }
      places.pop_back();
    }
  }

  // Maps and programs: the only rings are through program arrays.
  void add_program_rings(maps::Map& map, const std::string& text) {
    if (map.spec().type != uapi::BPF_MAP_TYPE_PROG_ARRAY) return;
    const rcu::ReadSection readers;
    std::set<const Object*> met;
    for (std::uint32_t slot = 0; slot < map.max_entries(); ++slot) {
      auto* program = static_cast<Object*>(map.ops().data.lookup != nullptr ? map.ops().data.lookup(map, &slot) : nullptr);
      if (program == nullptr || !met.insert(program).second || !program->try_ref()) continue;
      const Ref<prog::Program> held = Ref<prog::Program>::adopt(static_cast<prog::Program*>(program));
      for (const Ref<maps::Map>& used : held->maps())
        if (used.get() == &map) add_program_ring(text, slot, *held);
    }
  }

  void add_program_ring(const std::string& map, std::uint32_t slot, const prog::Program& program) {
    ReferenceRing ring;
    ring.seen = true;
    ring.steps = {fmt::format("{} -> [{}]", map, slot), fmt::format("program {} {} -> uses it", program.id(), program.name())};
    report_.rings.push_back(std::move(ring));
  }

  static constexpr std::size_t kMostRings = 1'000, kLongestRing = 32;

  RuntimeImpl& runtime_;
  const btf::Btf* host_btf_;
  ReferenceReport report_;
  std::map<const KptrRow*, std::size_t> index_;
  std::map<const void*, Node> nodes_;
};

}  // namespace

Result<ReferenceReport> references(RuntimeImpl& runtime) {
  try {
    return Collector(runtime).run();
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

void write_json(JsonWriter& json, const ReferenceReport& report) {
  json.begin_object().key("types").begin_array();
  for (const KptrUse& use : report.types) {
    json.begin_object().field("name", use.type).field("owned", use.owned).field("weak", use.weak);
    if (use.counts_alive) json.field("alive", use.alive);
    json.end_object();
  }
  json.end_array().field("program_objects", report.program_objects).key("references").begin_array();
  for (const ReferenceRow& row : report.references) {
    json.begin_object().field("holder", row.holder).field("kind", row.kind).field("object", row.object);
    if (row.count >= 0) json.field("count", row.count);
    json.end_object();
  }
  json.end_array().key("rings").begin_array();
  for (const ReferenceRing& ring : report.rings) {
    json.begin_object().field("seen", ring.seen).key("steps").begin_array();
    for (const std::string& step : ring.steps) json.value(step);
    json.end_array().key("leak_candidates").begin_array();
    for (const std::string& object : ring.leak_candidates) json.value(object);
    json.end_array().end_object();
  }
  json.end_array().field("cut", report.cut).end_object();
}

}  // namespace ring3
