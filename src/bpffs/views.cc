#include "bpffs/views.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "base/try.h"
#include "bpffs/kv_names.h"
#include "bpffs/map_reader.h"
#include "bpffs/object_facts.h"
#include "maps/client_access.h"
#include "maps/map_text.h"

namespace ring3::bpffs {
namespace {

enum class Area : std::uint8_t { kById = 1, kKind, kObject, kItem, kKey };
enum class Item : std::uint8_t { kInfo, kInfoJson, kUsers, kUses, kPins, kText, kJson, kKv };

struct ItemRow {
  const char* name;
  Item item;
  bool maps_only;
};
constexpr ItemRow kItems[] = {
    {"info", Item::kInfo, false}, {"info.json", Item::kInfoJson, false}, {"users", Item::kUsers, false},
    {"uses", Item::kUses, false}, {"pins", Item::kPins, false},          {"text", Item::kText, true},
    {"json", Item::kJson, true},  {"kv", Item::kKv, true},
};
constexpr ObjectKind kKinds[] = {ObjectKind::kMap, ObjectKind::kProg, ObjectKind::kLink, ObjectKind::kBtf};

bool has_folder(ObjectKind kind) { return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds); }

const ItemRow* row_of(Item item) {
  const auto* row = std::find_if(std::begin(kItems), std::end(kItems), [item](const ItemRow& r) { return r.item == item; });
  return row != std::end(kItems) ? row : nullptr;
}

constexpr std::string_view kJsonSuffix = ".json";
constexpr std::size_t kMaxName = 255 - kJsonSuffix.size();

std::vector<std::uint32_t> ids_of(ObjectTable& table, ObjectKind kind) {
  std::vector<std::uint32_t> ids;
  for (Result<std::uint32_t> id = table.next_id(kind, 0); id.ok(); id = table.next_id(kind, ids.back())) ids.push_back(*id);
  return ids;
}

/// The keys of a map, two files each. Nodes are given out when a name is looked up, so a listing keeps nothing.
class KeyList final : public EntrySource {
 public:
  explicit KeyList(Ref<maps::Map> map) : map_(std::move(map)), scheme_(key_names(*map_)) {}

  Result<std::vector<Entry>> read(std::uint64_t at, std::size_t limit) override {
    std::vector<Entry> out;
    const maps::ControlOps& ops = map_->ops().control;
    if (ops.next_key == nullptr || ops.lookup == nullptr || map_->key_size() == 0) return out;
    if (!walk_ || at != position_) {
      walk_.emplace(*map_);
      position_ = 0;
    }
    while (out.size() + 2 <= limit || limit < 2) {
      const bool more = RING3_TRY(walk_->step());
      if (!more) break;
      std::string name = key_name(scheme_, walk_->key());
      if (name.size() > kMaxName) continue;
      position_ += 2;
      if (position_ <= at) continue;
      out.push_back({name, 0, S_IFREG});
      out.push_back({std::move(name) + std::string(kJsonSuffix), 0, S_IFREG});
      if (limit < 2) break;
    }
    return out;
  }

 private:
  const Ref<maps::Map> map_;
  const KeyNames scheme_;
  std::optional<maps::ElementWalk> walk_;
  std::uint64_t position_ = 0;
};

std::int64_t wall_ns() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

/// A node taken apart: area, kind and item in a byte each, the object's id (a kv file: its number) below.
struct Views::Place {
  Area area;
  ObjectKind kind = ObjectKind::kMap;
  Item item = Item::kInfo;
  std::uint64_t id = 0;

  static constexpr std::uint64_t kIdBits = 40;
  std::uint64_t node() const {
    return kMadeUp | std::uint64_t{static_cast<std::uint8_t>(area)} << 56 |
           std::uint64_t{static_cast<std::uint8_t>(kind)} << 48 | std::uint64_t{static_cast<std::uint8_t>(item)} << kIdBits | id;
  }
  /// Clients may send any number. Errors: kStale one that node() does not make.
  static Result<Place> of(std::uint64_t node) {
    const Place place{static_cast<Area>(node >> 56 & 0x7f), static_cast<ObjectKind>(node >> 48 & 0xff),
                      static_cast<Item>(node >> kIdBits & 0xff), node & ((std::uint64_t{1} << kIdBits) - 1)};
    return place.is_one() ? Result<Place>(place) : Errno::kStale;
  }
  bool folder() const {
    return area == Area::kById || area == Area::kKind || area == Area::kObject ||
           (area == Area::kItem && item == Item::kKv);
  }
  std::uint32_t object_id() const { return static_cast<std::uint32_t>(id); }

 private:
  bool is_one() const {
    if (area < Area::kById || area > Area::kKey || !has_folder(kind)) return false;
    if (area != Area::kKey && id != object_id()) return false;
    const ItemRow* row = row_of(item);
    return row != nullptr && (area != Area::kItem || !row->maps_only || kind == ObjectKind::kMap);
  }
};

Views::Views(RuntimeImpl& runtime) : runtime_(runtime), born_ns_(wall_ns()) {}

uid_t Views::owner() { return ::geteuid(); }

std::uint64_t Views::root_node() { return Place{Area::kById}.node(); }

Result<Ref<Object>> Views::object(const Place& place) const {
  auto found = runtime_.objects().find(place.kind, place.object_id());
  if (!found.ok()) return Errno::kStale;
  return std::move(found).value();
}

Result<Attr> Views::attr(std::uint64_t node) {
  const Place place = RING3_TRY(Place::of(node));
  if (place.area == Area::kObject || place.area == Area::kItem) RING3_TRY(object(place));
  if (place.area == Area::kKey) RING3_TRY(kv_file(place.id));
  Attr out;
  out.node = node;
  out.mode = place.folder() ? S_IFDIR | 0500u : S_IFREG | 0400u;
  out.uid = owner();
  out.gid = ::getegid();
  out.links = place.folder() ? 2 : 1;
  out.accessed_ns = out.modified_ns = out.changed_ns = born_ns_;
  return out;
}

Result<std::uint64_t> Views::look_up(std::uint64_t node, std::string_view name) {
  Place place = RING3_TRY(Place::of(node));
  if (!place.folder()) return Errno::kNotDir;
  switch (place.area) {
    case Area::kById:
      for (const ObjectKind kind : kKinds)
        if (name == object_kind_name(kind)) return Place{Area::kKind, kind}.node();
      return Errno::kNoEnt;
    case Area::kKind: {
      std::uint32_t id = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
      if (error != std::errc{} || end != name.data() + name.size() || std::to_string(id) != name) return Errno::kNoEnt;
      place = {Area::kObject, place.kind, Item::kInfo, id};
      if (!object(place).ok()) return Errno::kNoEnt;
      return place.node();
    }
    case Area::kObject:
      for (const ItemRow& row : kItems)
        if (name == row.name && (!row.maps_only || place.kind == ObjectKind::kMap))
          return Place{Area::kItem, place.kind, row.item, place.id}.node();
      return Errno::kNoEnt;
    default: return look_up_key(place.object_id(), name);
  }
}

Result<std::unique_ptr<EntrySource>> Views::list(std::uint64_t node) {
  const Place place = RING3_TRY(Place::of(node));
  if (!place.folder()) return Errno::kNotDir;
  if (place.area == Area::kItem)
    return std::unique_ptr<EntrySource>(new KeyList(ref_cast<maps::Map>(RING3_TRY(object(place)))));
  std::vector<Entry> all;
  if (place.area == Area::kById) {
    for (const ObjectKind kind : kKinds) all.push_back({object_kind_name(kind), Place{Area::kKind, kind}.node(), S_IFDIR});
  } else if (place.area == Area::kKind) {
    for (const std::uint32_t id : ids_of(runtime_.objects(), place.kind))
      all.push_back({std::to_string(id), Place{Area::kObject, place.kind, Item::kInfo, id}.node(), S_IFDIR});
  } else {
    RING3_TRY(object(place));
    for (const ItemRow& row : kItems)
      if (!row.maps_only || place.kind == ObjectKind::kMap)
        all.push_back({row.name, Place{Area::kItem, place.kind, row.item, place.id}.node(),
                       row.item == Item::kKv ? mode_t{S_IFDIR} : mode_t{S_IFREG}});
  }
  return std::unique_ptr<EntrySource>(new Snapshot(std::move(all)));
}

std::uint64_t Views::node_of(KvFile file) {
  MutexLock lock(mutex_);
  std::uint64_t number;
  if (const auto known = kv_numbers_.find(file); known != kv_numbers_.end()) {
    number = known->second;
  } else {
    if (kv_files_.size() == kMaxKvFiles) {
      kv_numbers_.erase(kv_files_.front());
      kv_files_.pop_front();
      ++first_kv_;
    }
    number = first_kv_ + kv_files_.size();
    kv_files_.push_back(file);
    kv_numbers_.emplace(std::move(file), number);
  }
  return Place{Area::kKey, ObjectKind::kMap, Item::kKv, number}.node();
}

Result<Views::KvFile> Views::kv_file(std::uint64_t number) {
  MutexLock lock(mutex_);
  if (number < first_kv_ || number - first_kv_ >= kv_files_.size()) return Errno::kStale;
  return kv_files_[number - first_kv_];
}

Result<std::uint64_t> Views::look_up_key(std::uint32_t map_id, std::string_view name) {
  const Ref<maps::Map> map = ref_cast<maps::Map>(RING3_TRY(object({Area::kItem, ObjectKind::kMap, Item::kKv, map_id})));
  const bool json = name.ends_with(kJsonSuffix);
  if (json) name.remove_suffix(kJsonSuffix.size());
  const auto key = named_key(key_names(*map), name, map->key_size());
  if (!key || !value_text(*map, *key, btf::ValueStyle::kNamed).ok()) return Errno::kNoEnt;
  return node_of({map_id, std::string(reinterpret_cast<const char*>(key->data()), key->size()), json});
}

Result<std::unique_ptr<TextSource>> Views::open(std::uint64_t node) {
  const Place place = RING3_TRY(Place::of(node));
  if (place.folder()) return Errno::kIsDir;
  const auto whole = [](std::string text) { return std::unique_ptr<TextSource>(new WholeText(std::move(text))); };
  if (place.area == Area::kKey) {
    const KvFile file = RING3_TRY(kv_file(place.id));
    const Ref<maps::Map> map = ref_cast<maps::Map>(RING3_TRY(object({Area::kItem, ObjectKind::kMap, Item::kKv, file.map})));
    const auto key = std::as_bytes(std::span(file.key.data(), file.key.size()));
    return whole(RING3_TRY(value_text(*map, key, file.json ? btf::ValueStyle::kJson : btf::ValueStyle::kNamed)));
  }
  Ref<Object> found = RING3_TRY(object(place));
  const auto types = [this] { return runtime_.host_btf()->btf(); };
  switch (place.item) {
    case Item::kInfo: return whole(facts_text(runtime_, *found, FactStyle::kText));
    case Item::kInfoJson: return whole(facts_text(runtime_, *found, FactStyle::kJson));
    case Item::kUsers: return whole(users_text(runtime_, *found));
    case Item::kUses: return whole(uses_text(*found));
    case Item::kPins: return whole(pins_text(runtime_, *found));
    case Item::kText: return map_text(ref_cast<maps::Map>(std::move(found)), types());
    case Item::kJson: return map_json(ref_cast<maps::Map>(std::move(found)), types());
    case Item::kKv: break;
  }
  return Errno::kIsDir;
}

}  // namespace ring3::bpffs
