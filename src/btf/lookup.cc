// Finding records: by name and kind, by string offset, by what a declaration tag tags.
#include <algorithm>
#include <bit>
#include <functional>

#include "btf/impl.h"

namespace ring3::btf {
namespace {

std::size_t hash_of(std::string_view name, Kind kind) {
  return std::hash<std::string_view>{}(name) ^ (static_cast<std::size_t>(kind) * 0x9e3779b97f4a7c15ull);
}

bool is_same(const Type& t, std::string_view name, Kind kind) { return t.kind == kind && t.name == name; }

}  // namespace

void NameIndex::build(const std::vector<Type>& types, TypeId first_type) {
  const auto named = static_cast<std::size_t>(
      std::count_if(types.begin(), types.end(), [](const Type& t) { return !t.name.empty(); }));
  slots_.assign(std::bit_ceil(named * 2 + 1), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Type& t = types[i];
    if (t.name.empty()) continue;
    std::size_t at = hash_of(t.name, t.kind) & mask;
    while (slots_[at] != 0 && !is_same(types[slots_[at] - first_type], t.name, t.kind)) at = (at + 1) & mask;
    if (slots_[at] == 0) slots_[at] = first_type + static_cast<TypeId>(i);
  }
}

TypeId NameIndex::find(const std::vector<Type>& types, TypeId first_type, std::string_view name, Kind kind) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash_of(name, kind) & mask; slots_[at] != 0; at = (at + 1) & mask)
    if (is_same(types[slots_[at] - first_type], name, kind)) return slots_[at];
  return kVoid;
}

std::string_view Btf::Impl::string(std::uint32_t off) const {
  if (off < first_string) return base->impl_->string(off);
  if (off >= end_string()) return {};
  const auto* bytes = reinterpret_cast<const char*>(blob.data()) + sections.strings_off;
  return {bytes + (off - first_string)};  // the section ends with NUL
}

void Btf::Impl::build_tags() {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].kind != Kind::kDeclTag) continue;
    const TypeId id = first_type() + static_cast<TypeId>(i);
    tags.push_back({types[i].type, tail<std::int32_t>(id), id});
  }
  std::sort(tags.begin(), tags.end());
}

TypeId Btf::find(std::string_view name, Kind kind) const {
  if (impl_->base != nullptr)
    if (const TypeId id = impl_->base->find(name, kind); id != kVoid) return id;
  return impl_->names.find(impl_->types, impl_->first_type(), name, kind);
}

std::vector<std::string_view> Btf::decl_tags(TypeId target, std::int32_t component) const {
  std::vector<std::string_view> out;
  if (impl_->base != nullptr) out = impl_->base->decl_tags(target, component);
  const TagRef from{target, component, 0};
  for (auto it = std::lower_bound(impl_->tags.begin(), impl_->tags.end(), from);
       it != impl_->tags.end() && it->target == target && it->component == component; ++it)
    out.push_back(type(it->tag)->name);
  return out;
}

}  // namespace ring3::btf
