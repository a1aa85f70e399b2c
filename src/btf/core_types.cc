// Two questions about whole types: compatible (shape only) and matching (names and parts too).
#include "btf/core_spec.h"
#include "btf/names.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

bool is_enum(Kind kind) { return kind == Kind::kEnum || kind == Kind::kEnum64; }
bool same_names(std::string_view a, std::string_view b) { return essential_name(a) == essential_name(b); }

/// Side by side through two graphs; both are limited to kMaxDepth references.
class Match {
 public:
  Match(const Btf& local, const Btf& target) : local_(local), target_(target) {}

  bool types(TypeId a, TypeId b, bool behind_pointer, std::uint32_t depth) const {
    if (depth > kMaxDepth) return false;
    a = local_.skip_modifiers(a);
    b = target_.skip_modifiers(b);
    const Type *s = local_.type(a), *t = target_.type(b);
    if (s == nullptr || t == nullptr || !same_names(s->name, t->name)) return false;
    switch (s->kind) {
      case Kind::kUnkn:
        return t->kind == Kind::kUnkn;
      case Kind::kFwd:
        if (t->kind == Kind::kFwd) return s->kind_flag == t->kind_flag;
        return behind_pointer && t->kind == (s->kind_flag ? Kind::kUnion : Kind::kStruct);
      case Kind::kEnum:
      case Kind::kEnum64:
        return is_enum(t->kind) && enumerators(a, b);
      case Kind::kStruct:
      case Kind::kUnion:
        if (!behind_pointer) return s->kind == t->kind && members(a, b, depth);
        return t->kind == Kind::kFwd ? (s->kind == Kind::kUnion) == t->kind_flag : s->kind == t->kind;
      case Kind::kInt:
        return t->kind == Kind::kInt && s->size == t->size && local_.integer(a)->is_signed == target_.integer(b)->is_signed;
      case Kind::kPtr:
        return t->kind == Kind::kPtr && types(s->type, t->type, true, depth + 1);
      case Kind::kArray: {
        if (t->kind != Kind::kArray) return false;
        const ArrayInfo x = *local_.array(a), y = *target_.array(b);
        return x.count == y.count && types(x.elem, y.elem, behind_pointer, depth + 1);
      }
      case Kind::kFuncProto:
        return t->kind == Kind::kFuncProto && protos(a, *s, b, *t, depth);
      default:
        return false;
    }
  }

 private:
  bool enumerators(TypeId a, TypeId b) const {
    const std::vector<Enumerator> ours = local_.enumerators(a), theirs = target_.enumerators(b);
    for (const Enumerator& wanted : ours) {
      bool found = false;
      for (const Enumerator& e : theirs) found = found || same_names(wanted.name, e.name);
      if (!found) return false;
    }
    return ours.size() <= theirs.size();
  }

  bool members(TypeId a, TypeId b, std::uint32_t depth) const {
    const std::vector<Member> ours = local_.members(a), theirs = target_.members(b);
    for (const Member& wanted : ours) {
      bool found = false;
      for (std::size_t i = 0; i < theirs.size() && !found; ++i)
        found = same_names(wanted.name, theirs[i].name) && types(wanted.type, theirs[i].type, false, depth + 1);
      if (!found) return false;
    }
    return ours.size() <= theirs.size();
  }

  bool protos(TypeId a, const Type& s, TypeId b, const Type& t, std::uint32_t depth) const {
    if (s.vlen != t.vlen) return false;
    for (std::uint32_t i = 0; i < s.vlen; ++i)
      if (!types(local_.param(a, i).type, target_.param(b, i).type, false, depth + 1)) return false;
    return types(s.type, t.type, false, depth + 1);
  }

  const Btf& local_;
  const Btf& target_;
};

bool is_plain_int(const Btf& btf, TypeId id) { return btf.integer(id)->bit_off == 0; }

bool compatible(const Btf& a, TypeId x, const Btf& b, TypeId y, std::uint32_t depth) {
  if (depth > kMaxDepth) return false;
  x = a.skip_modifiers(x);
  y = b.skip_modifiers(y);
  const Type *s = a.type(x), *t = b.type(y);
  if (s == nullptr || t == nullptr || !is_same_core_kind(s->kind, t->kind)) return false;
  switch (s->kind) {
    case Kind::kUnkn:
    case Kind::kStruct:
    case Kind::kUnion:
    case Kind::kEnum:
    case Kind::kEnum64:
    case Kind::kFwd:
      return true;
    case Kind::kInt:
      return is_plain_int(a, x) && is_plain_int(b, y);
    case Kind::kPtr:
      return compatible(a, s->type, b, t->type, depth + 1);
    case Kind::kArray:
      return compatible(a, a.array(x)->elem, b, b.array(y)->elem, depth + 1);
    case Kind::kFuncProto:
      if (s->vlen != t->vlen) return false;
      for (std::uint32_t i = 0; i < s->vlen; ++i)
        if (!compatible(a, a.param(x, i).type, b, b.param(y, i).type, depth + 1)) return false;
      return compatible(a, s->type, b, t->type, depth + 1);
    default:
      return false;
  }
}

}  // namespace

bool is_same_core_kind(Kind a, Kind b) { return a == b || (is_enum(a) && is_enum(b)); }

bool are_core_compatible(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b) {
  return is_same_core_kind(a.type(id_a)->kind, b.type(id_b)->kind) && compatible(a, id_a, b, id_b, 0);
}

bool do_core_types_match(const Btf& local, TypeId local_id, const Btf& target, TypeId target_id) {
  return Match(local, target).types(local_id, target_id, false, 0);
}

}  // namespace ring3::btf
