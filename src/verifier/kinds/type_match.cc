#include "verifier/kinds/type_match.h"

#include "verifier/kinds/object.h"

namespace ring3::verifier {
namespace {

constexpr int kMaxNesting = 32;

bool same_struct(const Program& prog, const btf::Btf& a, btf::TypeId x, const btf::Btf& b, btf::TypeId y) {
  if (&a == &b) return x == y;
  if (!is_host_btf(prog, &a) || !is_host_btf(prog, &b)) return false;
  const btf::Type *s = a.type(x), *t = b.type(y);
  return s != nullptr && t != nullptr && s->kind == t->kind && s->name == t->name && !s->name.empty() && s->size == t->size;
}

/// The struct that starts at `off` inside the struct `type`, outermost first, and 0 when there is none.
btf::TypeId member_struct(const btf::Btf& btf, btf::TypeId type, std::uint32_t off) {
  for (int depth = 0; depth < kMaxNesting; ++depth) {
    const btf::Type* t = btf.type(type);
    if (t == nullptr || (t->kind != btf::Kind::kStruct && t->kind != btf::Kind::kUnion)) return 0;
    btf::TypeId inside = 0;
    for (std::uint32_t i = 0; i < t->vlen && inside == 0; ++i) {
      const btf::Member m = btf.member(type, i);
      if (m.bitfield_bits != 0 || m.bit_off / 8 > off) continue;
      std::uint32_t at = off - m.bit_off / 8;
      btf::TypeId id = btf.skip_modifiers(m.type);
      const btf::Type* mt = btf.type(id);
      if (mt == nullptr || at >= btf.size_of(id).value_or(0)) continue;
      while (mt != nullptr && mt->kind == btf::Kind::kArray) {
        id = btf.skip_modifiers(btf.array(id)->elem);
        mt = btf.type(id);
        const std::uint32_t bytes = btf.size_of(id).value_or(0);
        if (bytes == 0) return 0;
        at %= bytes;
      }
      if (mt == nullptr || (mt->kind != btf::Kind::kStruct && mt->kind != btf::Kind::kUnion)) return 0;
      if (at == 0 && mt->kind == btf::Kind::kStruct) return id;
      inside = id;
      off = at;
    }
    if (inside == 0) return 0;
    type = inside;
  }
  return 0;
}

}  // namespace

bool struct_holds(const Program& prog, const btf::Btf& btf, btf::TypeId type, std::int64_t off, const btf::Btf& want_btf,
                  btf::TypeId want, bool exact) {
  if (off < 0) return false;
  if (off == 0 && same_struct(prog, btf, type, want_btf, want)) return true;
  if (exact) return false;
  auto at = static_cast<std::uint32_t>(off);
  for (int depth = 0; depth < kMaxNesting; ++depth) {
    type = member_struct(btf, type, at);
    if (type == 0) return false;
    if (same_struct(prog, btf, type, want_btf, want)) return true;
    at = 0;
  }
  return false;
}

bool is_nocast_alias(std::string_view a, std::string_view b) {
  constexpr std::string_view kInit = "___init";
  const auto is_init_of = [&](std::string_view longer, std::string_view shorter) {
    return longer.size() == shorter.size() + kInit.size() && longer.starts_with(shorter) && longer.ends_with(kInit);
  };
  return is_init_of(a, b) || is_init_of(b, a);
}

}  // namespace ring3::verifier
