#include "btf/compat.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <vector>

#include "base/try.h"
#include "btf/print.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

// The blob that holds record `id`.
const Btf* holder(const Btf& btf, TypeId id) {
  const Btf* at = &btf;
  while (at->base() != nullptr && id < at->first_id()) at = at->base().get();
  return at;
}

// Walks two graphs side by side. A pair that is being compared counts as equal, so rings end; the pairs
// still to be looked at stand in a list, so depth costs no stack.
class Equivalence {
 public:
  Equivalence(const Btf& a, const Btf& b) : a_(a), b_(b) {}

  bool holds(TypeId id_a, TypeId id_b) {
    want(id_a, id_b);
    while (!pending_.empty()) {
      const auto [x, y] = pending_.back();
      pending_.pop_back();
      if (!records_match(x, y)) return false;
    }
    return true;
  }

 private:
  void want(TypeId x, TypeId y) {
    if (seen_.emplace(x, y).second) pending_.emplace_back(x, y);
  }

  bool records_match(TypeId x, TypeId y) {
    if (is_identical(a_, x, b_, y)) return true;
    const Type* s = a_.type(x);
    const Type* t = b_.type(y);
    if (s == nullptr || t == nullptr) return false;
    if (s->kind != t->kind || s->kind_flag != t->kind_flag || s->vlen != t->vlen || s->name != t->name ||
        s->size != t->size)
      return false;
    if (kind_row(s->kind).third == Third::kType) want(s->type, t->type);
    switch (s->kind) {
      case Kind::kInt: {
        const IntInfo i = *a_.integer(x), j = *b_.integer(y);
        return i.bits == j.bits && i.bit_off == j.bit_off && i.is_signed == j.is_signed && i.is_char == j.is_char &&
               i.is_bool == j.is_bool;
      }
      case Kind::kArray: {
        const ArrayInfo i = *a_.array(x), j = *b_.array(y);
        want(i.elem, j.elem);
        return i.count == j.count;
      }
      case Kind::kStruct:
      case Kind::kUnion:
        return members_match(x, y, s->vlen);
      case Kind::kEnum:
      case Kind::kEnum64:
        return enumerators_match(x, y);
      case Kind::kFuncProto:
        for (std::uint32_t i = 0; i < s->vlen; ++i) want(a_.param(x, i).type, b_.param(y, i).type);
        return true;
      case Kind::kVar:
        return a_.linkage(x) == b_.linkage(y);
      case Kind::kDatasec:
        return section_vars_match(x, y);
      case Kind::kDeclTag:
        return a_.decl_tag_component(x) == b_.decl_tag_component(y);
      default:
        return true;
    }
  }

  bool members_match(TypeId x, TypeId y, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const Member m = a_.member(x, i), n = b_.member(y, i);
      if (m.name != n.name || m.bit_off != n.bit_off || m.bitfield_bits != n.bitfield_bits) return false;
      want(m.type, n.type);
    }
    return true;
  }

  bool enumerators_match(TypeId x, TypeId y) {
    const auto p = a_.enumerators(x), q = b_.enumerators(y);
    for (std::size_t i = 0; i < p.size(); ++i)
      if (p[i].name != q[i].name || p[i].value != q[i].value) return false;
    return true;
  }

  bool section_vars_match(TypeId x, TypeId y) {
    const auto p = a_.section_vars(x), q = b_.section_vars(y);
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (p[i].off != q[i].off || p[i].size != q[i].size) return false;
      want(p[i].var, q[i].var);
    }
    return true;
  }

  const Btf& a_;
  const Btf& b_;
  std::set<std::pair<TypeId, TypeId>> seen_;
  std::vector<std::pair<TypeId, TypeId>> pending_;
};

bool is_scalar(Kind kind) { return kind == Kind::kInt || kind == Kind::kEnum || kind == Kind::kEnum64; }

// The types of one parameter, or of what it points to, behind modifiers.
struct Pair {
  const Btf& a;
  TypeId id_a;
  const Btf& b;
  TypeId id_b;
  const Type& type_a() const { return *a.type(id_a); }
  const Type& type_b() const { return *b.type(id_b); }
};

bool have_equal_info(const Pair& p) {
  const Type& s = p.type_a();
  const Type& t = p.type_b();
  return s.kind == t.kind && s.vlen == t.vlen && s.kind_flag == t.kind_flag;
}

bool is_compatible_pointee(const Pair& p) {
  const Type& s = p.type_a();
  const Type& t = p.type_b();
  if (is_struct_or_union(s.kind)) return s.kind == t.kind && s.name == t.name;
  if (is_scalar(s.kind)) return is_scalar(t.kind) && s.size == t.size;
  return s.kind == t.kind && (s.kind == Kind::kUnkn || (s.kind == Kind::kFwd && s.name == t.name));
}

bool is_compatible_param(const Pair& p) {
  const Type& s = p.type_a();
  const Type& t = p.type_b();
  if (!have_equal_info(p) || s.size != t.size) return false;
  if (is_scalar(s.kind)) return true;
  if (s.kind != Kind::kPtr) return false;
  return is_compatible_pointee({p.a, p.a.skip_modifiers(s.type), p.b, p.b.skip_modifiers(t.type)});
}

}  // namespace

bool is_identical(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b) {
  if (id_a != id_b) return false;
  return id_a == kVoid || holder(a, id_a) == holder(b, id_b);
}

bool is_equivalent(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b) { return Equivalence(a, b).holds(id_a, id_b); }

bool has_same_name(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b) {
  const Type* s = a.type(id_a);
  const Type* t = b.type(id_b);
  return s != nullptr && t != nullptr && s->kind == t->kind && essential_name(s->name) == essential_name(t->name);
}

Result<void> check_compatible_protos(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b, std::string_view what,
                                     TextSink& log) {
  const Type& s = *a.type(id_a);
  const Type& t = *b.type(id_b);
  if (s.vlen != t.vlen) {
    log.write(fmt::format("{}: {} arguments expected, {} found\n", what, s.vlen, t.vlen));
    return Errno::kInval;
  }
  if (!have_equal_info({a, a.skip_modifiers(s.type), b, b.skip_modifiers(t.type)})) {
    log.write(fmt::format("{}: return type {} expected, {} found\n", what, type_name(a, s.type), type_name(b, t.type)));
    return Errno::kInval;
  }
  for (std::uint32_t i = 0; i < s.vlen; ++i) {
    const TypeId x = a.param(id_a, i).type, y = b.param(id_b, i).type;
    if (is_compatible_param({a, a.skip_modifiers(x), b, b.skip_modifiers(y)})) continue;
    log.write(fmt::format("{}: arg#{}: {} expected, {} found\n", what, i + 1, type_name(a, x), type_name(b, y)));
    return Errno::kInval;
  }
  return {};
}

Result<void> check_compatible_functions(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b, TextSink& log) {
  const Type* f = a.type(id_a);
  const Type* g = b.type(id_b);
  if (f == nullptr || g == nullptr || f->kind != Kind::kFunc || g->kind != Kind::kFunc) {
    log.write("not a function\n");
    return Errno::kInval;
  }
  if (a.linkage(id_a) != Linkage::kGlobal || b.linkage(id_b) != Linkage::kGlobal) {
    log.write(fmt::format("{}() and {}() must both be global\n", f->name, g->name));
    return Errno::kInval;
  }
  return check_compatible_protos(a, f->type, b, g->type, fmt::format("{}() for {}()", g->name, f->name), log);
}

}  // namespace ring3::btf
