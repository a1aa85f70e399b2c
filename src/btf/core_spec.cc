#include "btf/core_spec.h"

#include <charconv>
#include <limits>

#include "btf/names.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

constexpr std::size_t kMaxSteps = 64;

/// "0:1:2". Nothing: not such a list.
std::optional<std::vector<std::uint32_t>> parse_indexes(std::string_view text) {
  std::vector<std::uint32_t> indexes;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (indexes.size() < kMaxSteps) {
    std::uint32_t index = 0;
    const auto [stop, error] = std::from_chars(at, end, index);
    if (error != std::errc() || index > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) return std::nullopt;
    indexes.push_back(index);
    if (stop == end) return indexes;
    if (*stop != ':') return std::nullopt;
    at = stop + 1;
  }
  return std::nullopt;
}

/// Whether an array is the last member of a struct and without a size: any element of it may be meant.
bool is_flexible(const Btf& btf, const CoreStep* inside, const ArrayInfo& array) {
  if (array.count != 0 || inside == nullptr || inside->name.empty()) return false;
  return inside->index + 1 == btf.type(inside->type)->vlen;
}

bool add_element(const Btf& btf, CoreSpec& spec, TypeId elem, std::uint32_t index) {
  const std::optional<std::uint32_t> bytes = btf.size_of(elem);
  if (!bytes) return false;
  spec.steps.push_back({elem, index, {}});
  spec.bit_off += std::uint64_t{index} * *bytes * 8;
  return true;
}

std::optional<CoreSpec> parse_enumerator(const Btf& btf, CoreSpec spec, const std::vector<std::uint32_t>& indexes) {
  const TypeId id = btf.skip_modifiers(spec.root);
  const std::vector<Enumerator> values = btf.enumerators(id);
  if (indexes.size() != 1 || indexes[0] >= values.size()) return std::nullopt;
  spec.steps.push_back({id, indexes[0], values[indexes[0]].name});
  return spec;
}

std::optional<CoreSpec> parse_field(const Btf& btf, CoreSpec spec, const std::vector<std::uint32_t>& indexes) {
  TypeId id = btf.skip_modifiers(spec.root);
  if (!add_element(btf, spec, id, indexes[0])) return std::nullopt;
  for (std::size_t i = 1; i < indexes.size(); ++i) {
    const std::uint32_t index = indexes[i];
    const Type& type = *btf.type(id);
    if (is_struct_or_union(type.kind)) {
      if (index >= type.vlen) return std::nullopt;
      const Member member = btf.member(id, index);
      spec.bit_off += member.bit_off;
      if (!member.name.empty()) spec.steps.push_back({id, index, member.name});
      id = btf.skip_modifiers(member.type);
    } else if (type.kind == Kind::kArray) {
      const ArrayInfo array = *btf.array(id);
      if (index >= array.count && !is_flexible(btf, &spec.steps.back(), array)) return std::nullopt;
      id = btf.skip_modifiers(array.elem);
      if (!add_element(btf, spec, id, index)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return spec;
}

bool fields_compatible(const Btf& a, TypeId x, const Btf& b, TypeId y) {
  for (std::uint32_t depth = 0; depth <= kMaxDepth; ++depth) {
    x = a.skip_modifiers(x);
    y = b.skip_modifiers(y);
    const Type &s = *a.type(x), &t = *b.type(y);
    if (is_struct_or_union(s.kind) && is_struct_or_union(t.kind)) return true;
    if (!is_same_core_kind(s.kind, t.kind)) return false;
    switch (s.kind) {
      case Kind::kPtr:
      case Kind::kFloat:
        return true;
      case Kind::kFwd:
      case Kind::kEnum:
      case Kind::kEnum64:
        return s.name.empty() || t.name.empty() || essential_name(s.name) == essential_name(t.name);
      case Kind::kInt:
        return a.integer(x)->bit_off == 0 && b.integer(y)->bit_off == 0;
      case Kind::kArray:
        x = a.array(x)->elem;
        y = b.array(y)->elem;
        continue;
      default:
        return false;
    }
  }
  return false;
}

enum class Found { kNo, kYes, kWrongType };

/// Looks `wanted` up in struct `id`, nameless inner structs included, and goes there. next: the member's type.
Found find_member(const Btf& local, const Member& wanted, const Btf& target, TypeId id, CoreSpec& spec, TypeId& next,
                  std::uint32_t depth) {
  if (depth > kMaxDepth || !is_struct_or_union(target.type(id)->kind)) return Found::kNo;
  const std::uint32_t count = target.type(id)->vlen;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Member member = target.member(id, i);
    if (member.name.empty()) {
      const std::uint64_t before = spec.bit_off;
      spec.bit_off += member.bit_off;
      const Found found = find_member(local, wanted, target, target.skip_modifiers(member.type), spec, next, depth + 1);
      if (found != Found::kNo) return found;
      spec.bit_off = before;
    } else if (member.name == wanted.name) {
      if (!fields_compatible(local, wanted.type, target, member.type)) return Found::kWrongType;
      spec.bit_off += member.bit_off;
      spec.steps.push_back({id, i, member.name});
      next = member.type;
      return Found::kYes;
    }
  }
  return Found::kNo;
}

std::optional<CoreSpec> match_field(const Btf& local, const CoreSpec& ours, const Btf& target, CoreSpec spec) {
  TypeId id = target.skip_modifiers(spec.root);
  if (!add_element(target, spec, id, ours.steps[0].index)) return std::nullopt;
  for (std::size_t i = 1; i < ours.steps.size(); ++i) {
    const CoreStep& step = ours.steps[i];
    if (!step.name.empty()) {
      TypeId next = kVoid;
      if (find_member(local, local.member(step.type, step.index), target, id, spec, next, 0) != Found::kYes) return std::nullopt;
      id = target.skip_modifiers(next);
      continue;
    }
    const std::optional<ArrayInfo> array = target.array(id);
    if (!array || (step.index >= array->count && !is_flexible(target, &spec.steps.back(), *array))) return std::nullopt;
    id = target.skip_modifiers(array->elem);
    if (!add_element(target, spec, id, step.index)) return std::nullopt;
  }
  return spec;
}

std::optional<CoreSpec> match_enumerator(const CoreSpec& ours, const Btf& target, CoreSpec spec) {
  const TypeId id = target.skip_modifiers(spec.root);
  const std::vector<Enumerator> values = target.enumerators(id);
  for (std::uint32_t i = 0; i < values.size(); ++i)
    if (essential_name(values[i].name) == essential_name(ours.steps[0].name)) {
      spec.steps.push_back({id, i, values[i].name});
      return spec;
    }
  return std::nullopt;
}

}  // namespace

std::optional<CoreSpec> parse_core_spec(const Btf& btf, const CoreRelo& relo) {
  const auto indexes = parse_indexes(relo.access);
  if (!indexes || btf.type(relo.type) == nullptr || relo.type == kVoid) return std::nullopt;
  const CoreSpec spec{.root = relo.type, .kind = relo.kind, .steps = {}, .bit_off = 0};
  if (is_core_field(relo.kind)) return parse_field(btf, spec, *indexes);
  if (is_core_enumval(relo.kind)) return parse_enumerator(btf, spec, *indexes);
  if (indexes->size() != 1 || (*indexes)[0] != 0) return std::nullopt;
  return spec;
}

std::optional<CoreSpec> match_core_spec(const Btf& local, const CoreSpec& ours, const Btf& target, TypeId candidate) {
  const CoreSpec spec{.root = candidate, .kind = ours.kind, .steps = {}, .bit_off = 0};
  if (is_core_field(ours.kind)) return match_field(local, ours, target, spec);
  if (is_core_enumval(ours.kind)) return match_enumerator(ours, target, spec);
  const bool matches = ours.kind == CoreKind::kTypeMatches ? do_core_types_match(local, ours.root, target, candidate)
                                                           : are_core_compatible(local, ours.root, target, candidate);
  return matches ? std::optional<CoreSpec>(spec) : std::nullopt;
}

}  // namespace ring3::btf
