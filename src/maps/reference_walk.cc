#include "maps/reference_walk.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <utility>

#include "btf/print.h"
#include "maps/client_access.h"
#include "maps/map_text.h"
#include "maps/object_links.h"
#include "maps/object_storage.h"
#include "maps/word_lock.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

using K = model::FieldKind;

/// "list", "slots.own": the member at a byte offset; nested structs are followed.
std::string member_name(const btf::Btf& btf, btf::TypeId type, std::uint32_t off) {
  const btf::TypeId id = btf.skip_modifiers(type);
  const btf::Type* t = btf.type(id);
  if (t == nullptr) return fmt::format("+{}", off);
  if (t->kind == btf::Kind::kDatasec) {
    for (const btf::SecVar& var : btf.section_vars(id)) {
      const btf::Type& v = *btf.type(var.var);
      if (off < var.off || off >= var.off + btf.size_of(v.type).value_or(0)) continue;
      const bool whole = btf.type(btf.skip_modifiers(v.type))->kind != btf::Kind::kStruct || off == var.off;
      return whole ? std::string(v.name) : fmt::format("{}.{}", v.name, member_name(btf, v.type, off - var.off));
    }
    return fmt::format("+{}", off);
  }
  if (t->kind != btf::Kind::kStruct) return fmt::format("+{}", off);
  for (const btf::Member& m : btf.members(id)) {
    const std::uint32_t at = m.bit_off / 8;
    const auto size = static_cast<std::uint32_t>(btf.size_of(m.type).value_or(0));
    if (off < at || off >= at + size) continue;
    const btf::Type* inner = btf.type(btf.skip_modifiers(m.type));
    const bool nested = inner != nullptr && inner->kind == btf::Kind::kStruct && !inner->name.starts_with("bpf_");
    if (nested) return fmt::format("{}.{}", m.name, member_name(btf, m.type, off - at));
    if (const auto array = btf.array(btf.skip_modifiers(m.type)); array && array->count != 0)
      return fmt::format("{}[{}]", m.name, (off - at) / (size / array->count));
    return std::string(m.name);
  }
  return fmt::format("+{}", off);
}

class Walk {
 public:
  Walk(Map& map, std::size_t most) : map_(map), most_(most), hosts_(map.host().host_btfs()) {}

  std::vector<HeldReference> run() {
    if ((map_.spec().fields.kinds() & kShown) == 0) return {};
    if (map_.spec().type == uapi::BPF_MAP_TYPE_TASK_STORAGE || map_.spec().type == uapi::BPF_MAP_TYPE_SK_STORAGE ||
        map_.spec().type == uapi::BPF_MAP_TYPE_INODE_STORAGE || map_.spec().type == uapi::BPF_MAP_TYPE_CGRP_STORAGE)
      walk_storage();
    else
      walk_elements();
    return std::move(found_);
  }

 private:
  static constexpr model::FieldSet kShown = kOwningFields & ~(model::field_bit(K::kTimer) | model::field_bit(K::kWork));

  void walk_storage() {
    const rcu::ReadSection readers;
    storage_for_each(
        map_,
        [](const void* key, void* value, void* self) -> std::uint64_t {
          auto& walk = *static_cast<Walk*>(self);
          std::uint64_t owner = 0;
          std::memcpy(&owner, key, sizeof owner);
          walk.owner_ = reinterpret_cast<const void*>(owner);
          walk.walk_value(value, "");
          return walk.full() ? 1 : 0;
        },
        this);
  }

  void walk_elements() {
    ElementWalk elements(map_);
    for (Result<bool> more = elements.step(); more.ok() && *more && !full(); more = elements.step()) {
      const std::string place = "[" + key_text(elements.key()) + "]";
      const DataOps& data = map_.ops().data;
      const rcu::ReadSection readers;
      if (data.lookup_percpu != nullptr) {
        for (std::uint32_t cpu = 0; cpu < map_.host().possible_cpus(); ++cpu)
          walk_value(data.lookup_percpu(map_, elements.key().data(), cpu), fmt::format("{}@cpu{}", place, cpu));
      } else if (data.lookup != nullptr) {
        walk_value(data.lookup(map_, elements.key().data()), place);
      }
    }
  }

  std::string key_text(std::span<const std::byte> key) const {
    const MapSpec& spec = map_.spec();
    if (spec.key_type != 0) {
      StringSink text;
      btf::print_value(*spec.btf, spec.key_type, key, btf::ValueStyle::kBpffs, text);
      return text.take();
    }
    std::uint32_t index = 0;
    std::memcpy(&index, key.data(), key.size() < sizeof index ? key.size() : sizeof index);
    return std::to_string(index);
  }

  void walk_value(const void* value, const std::string& place) {
    if (value == nullptr) return;
    const MapSpec& spec = map_.spec();
    walk_fields(spec.fields, *spec.btf, spec.value_type, static_cast<const std::byte*>(value), place.empty() ? "" : place + ".", 0);
  }

  void walk_fields(const model::FieldTable& fields, const btf::Btf& btf, btf::TypeId type, const std::byte* base,
                   const std::string& prefix, unsigned depth) {
    const model::Field* lock = fields.find(K::kSpinLock);
    for (const model::Field& f : fields.fields) {
      if ((model::field_bit(f.kind) & kShown) == 0 || full()) continue;
      const std::string place = prefix + member_name(btf, type, f.off);
      if (f.kind == K::kListHead || f.kind == K::kRbRoot) {
        if (lock == nullptr) continue;
        auto* word = reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(base) + lock->off);
        word_lock(word);
        std::size_t index = 0;
        if (f.kind == K::kListHead) walk_list(f, base, place, index, depth);
        else walk_tree(f, reinterpret_cast<const RbRoot*>(base + f.off)->top, place, index, depth);
        word_unlock(word);
        continue;
      }
      const std::uint64_t held = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(base + f.off), __ATOMIC_ACQUIRE);
      if (held != 0) add_pointer(f, reinterpret_cast<const void*>(held), place, depth);
    }
  }

  void walk_list(const model::Field& f, const std::byte* base, const std::string& place, std::size_t& index, unsigned depth) {
    const auto* head = reinterpret_cast<const ListHead*>(base + f.off);
    for (const ListNode* node = head->first; node != nullptr && !full(); node = node->next)
      add_object(f, reinterpret_cast<const std::byte*>(node) - f.node_off, fmt::format("{}[{}]", place, index++), depth);
  }

  /// In order; a tree's depth is at most twice the logarithm of its size.
  void walk_tree(const model::Field& f, const RbNode* node, const std::string& place, std::size_t& index, unsigned depth) {
    if (node == nullptr || full()) return;
    walk_tree(f, node->left, place, index, depth);
    add_object(f, reinterpret_cast<const std::byte*>(node) - f.node_off, fmt::format("{}[{}]", place, index++), depth);
    walk_tree(f, node->right, place, index, depth);
  }

  bool is_hosts(const model::Field& f) const {
    for (const auto& host : hosts_)
      if (host == f.btf) return true;
    return false;
  }

  void add_pointer(const model::Field& f, const void* object, const std::string& place, unsigned depth) {
    if (is_hosts(f)) {
      const auto kind = f.kind == K::kKptrWeak ? HeldReference::Kind::kWeak : HeldReference::Kind::kOwned;
      found_.push_back({kind, f.btf.get(), f.type, object, map_.host().object_text(f, object), place,
                        map_.host().object_count(f, object), owner_});
    } else {
      add_object(f, static_cast<const std::byte*>(object), place, depth);
    }
  }

  void add_object(const model::Field& f, const std::byte* object, const std::string& place, unsigned depth) {
    found_.push_back({HeldReference::Kind::kProgramObject, f.btf.get(), f.type, object,
                      fmt::format("struct {}", f.btf->type(f.type)->name), place, -1, owner_});
    if (f.kind == K::kKptrPercpu || depth == model::kMaxOwners) return;
    walk_fields(fields_of(f), *f.btf, f.type, object, place + "->", depth + 1);
  }

  /// Of a struct of the program's own: its maps were made with the same parse.
  const model::FieldTable& fields_of(const model::Field& f) {
    const auto known = tables_.find({f.btf.get(), f.type});
    if (known != tables_.end()) return known->second;
    NullSink none;
    auto parsed = model::parse_fields(f.btf, f.type, hosts_, model::kAllocatedFields, none);
    return tables_.emplace(std::pair{f.btf.get(), f.type}, parsed.ok() ? std::move(*parsed) : model::FieldTable{}).first->second;
  }

  bool full() const { return found_.size() >= most_; }

  Map& map_;
  const std::size_t most_;
  const std::vector<std::shared_ptr<const btf::Btf>> hosts_;
  const void* owner_ = nullptr;
  std::vector<HeldReference> found_;
  std::map<std::pair<const btf::Btf*, btf::TypeId>, model::FieldTable> tables_;
};

}  // namespace

std::vector<HeldReference> held_references(Map& map, std::size_t most) { return Walk(map, most).run(); }

}  // namespace ring3::maps
