// Who owns whom among the structs of one client BTF.
//
// Edges: a list head or tree root owns its elements; an owned or per-CPU kptr to a type of the program's
// own owns its pointee. Untrusted kptrs and kptrs to host types are no edges. The longest chain from
// each struct is computed once, depth first; a struct met again while it is being walked is a ring.
// The walk stops at kMaxOwners types, so its recursion is that deep at most.
#include <fmt/format.h>

#include <unordered_map>

#include "base/try.h"
#include "btf/print.h"
#include "model/field_kinds.h"
#include "model/fields.h"

namespace ring3::model {
namespace {

using btf::Btf;
using btf::TypeId;

class Owners {
 public:
  Owners(const Btf& btf, TextSink& log) : btf_(btf), log_(log) {}

  void add(TypeId type, FieldTable table) { structs_.emplace(type, Node{std::move(table), 0, false}); }

  Result<void> check() {
    for (auto& [type, node] : structs_) RING3_TRY(chain_from(type, 1));
    return {};
  }

 private:
  struct Node {
    FieldTable table;
    std::uint32_t chain;  // types on the longest chain from here; 0: not known yet
    bool is_open;
  };

  Errno refuse(TypeId type, const char* rule) {
    log_.write(fmt::format("{}: {}\n", btf::type_name(btf_, type), rule));
    return Errno::kLoop;
  }

  Result<std::uint32_t> chain_from(TypeId type, std::uint32_t depth) {
    const auto it = structs_.find(type);
    if (it == structs_.end()) return 1u;  // owns nothing
    Node& node = it->second;
    if (node.is_open) return refuse(type, "owns itself, directly or through others");
    if (node.chain == 0) {
      if (depth > kMaxOwners) return refuse(type, "end of a chain of more than 8 owners");
      node.is_open = true;
      std::uint32_t longest = 0;
      for (const Field& f : node.table.fields) {
        if (!owns(f)) continue;
        const std::uint32_t below = RING3_TRY(chain_from(f.type, depth + 1));
        longest = below > longest ? below : longest;
      }
      node.is_open = false;
      node.chain = longest + 1;
    }
    if (depth - 1 + node.chain > kMaxOwners) return refuse(type, "part of a chain of more than 8 owners");
    return node.chain;
  }

  bool owns(const Field& f) const {
    if (is_root(f.kind)) return true;
    const bool is_owned = f.kind == FieldKind::kKptrRef || f.kind == FieldKind::kKptrPercpu;
    return is_owned && f.btf.get() == &btf_;
  }

  const Btf& btf_;
  TextSink& log_;
  std::unordered_map<TypeId, Node> structs_;
};

// A struct is worth parsing when one of its own members, arrays looked through, may be special.
bool may_be_allocated(const Btf& btf, TypeId id) {
  constexpr FieldSet kByName = kAllocatedFields & ~kKptrFields;
  const std::uint32_t count = btf.type(id)->vlen;
  for (std::uint32_t i = 0; i < count; ++i) {
    TypeId type = btf.member(id, i).type;
    while (const auto a = btf.array(type)) type = a->elem;
    const btf::Type* t = btf.type(type);
    if (t->kind == btf::Kind::kStruct)
      for (const FieldRow& row : field_rows())
        if ((field_bit(row.kind) & kByName) != 0 && row.declared == t->name) return true;
    if (t->kind == btf::Kind::kVolatile) t = btf.type(t->type);
    if (t->kind != btf::Kind::kPtr) continue;
    const btf::Type& tag = *btf.type(t->type);
    if (tag.kind != btf::Kind::kTypeTag) continue;
    for (const FieldRow& row : field_rows())
      if (is_kptr(row.kind) && row.declared == tag.name) return true;
  }
  return false;
}

}  // namespace

Result<void> check_owned_types(const std::shared_ptr<const Btf>& btf,
                               std::span<const std::shared_ptr<const Btf>> hosts, TextSink& log) {
  Owners owners(*btf, log);
  for (TypeId id = btf->first_id(); id < btf->end_id(); ++id) {
    if (btf->type(id)->kind != btf::Kind::kStruct || !may_be_allocated(*btf, id)) continue;
    owners.add(id, RING3_TRY(parse_fields(btf, id, hosts, kAllocatedFields, log)));
  }
  return owners.check();
}

}  // namespace ring3::model
