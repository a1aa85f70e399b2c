#include "verifier/kinds/storage_owner.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "model/field_kinds.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/object.h"

namespace ring3::verifier {
namespace {

using model::FieldKind;

/// Structs with a type of storage map of their own: they have nothing in that of cgroups, as on Linux.
constexpr std::string_view kHaveTheirOwn[] = {"task_struct", "inode", "sock"};

const model::KptrType* registered(const Program& prog, const btf::Btf* btf, btf::TypeId type) {
  for (const model::KptrType& known : prog.facts.kptr_types)
    if (known.btf.get() == btf && known.type == type) return &known;
  return nullptr;
}

/// By what the types declare, at any distance.
bool reaches(const Program& prog, const model::KptrType& from, btf::TypeId to) {
  std::set<btf::TypeId> seen;
  std::vector<btf::TypeId> open = from.reaches;
  while (!open.empty()) {
    const btf::TypeId type = open.back();
    open.pop_back();
    if (type == to) return true;
    if (!seen.insert(type).second) continue;
    if (const model::KptrType* next = registered(prog, from.btf.get(), type))
      open.insert(open.end(), next->reaches.begin(), next->reaches.end());
  }
  return false;
}

/// The host's types that a value keeps, directly or through objects of the program's own. Ownership among those has no
/// rings and at most model::kMaxOwners levels.
void kept_types(const Program& prog, const model::FieldTable& fields, std::vector<const model::KptrType*>& kept, unsigned depth) {
  for (const model::Field& f : fields.fields) {
    const bool keeps = f.kind == FieldKind::kKptrRef || f.kind == FieldKind::kListHead || f.kind == FieldKind::kRbRoot;
    if (!keeps || f.btf == nullptr) continue;
    if (is_host_btf(prog, f.btf.get())) {
      if (const model::KptrType* type = registered(prog, f.btf.get(), f.type)) kept.push_back(type);
      continue;
    }
    if (depth == model::kMaxOwners) continue;
    NullSink none;
    const std::shared_ptr<const btf::Btf> hosts[] = {prog.facts.host_btf};
    const auto inner = model::parse_fields(f.btf, f.type, hosts, model::kAllocatedFields, none);
    if (inner.ok()) kept_types(prog, *inner, kept, depth + 1);
  }
}

}  // namespace

bool is_storage_owner(const Step& step, const RegState& reg) {
  if (reg.kind != RegKind::kHostStruct || reg.off != 0) return false;
  const std::string_view name = step.prog.btf_name(reg.btf, reg.btf_type);
  if (std::find(std::begin(kHaveTheirOwn), std::end(kHaveTheirOwn), name) != std::end(kHaveTheirOwn)) return false;
  return registered(step.prog, step.prog.btfs[reg.btf], reg.btf_type) != nullptr;
}

Result<void> check_storage_ring(Step& step, std::uint32_t map, unsigned regno) {
  const RegState& reg = step.reg(regno);
  if (reg.kind != RegKind::kHostStruct) return {};
  const model::KptrType* owner = registered(step.prog, step.prog.btfs[reg.btf], reg.btf_type);
  if (owner == nullptr) return {};
  std::vector<const model::KptrType*> kept;
  kept_types(step.prog, step.prog.maps[map]->fields, kept, 0);
  for (const model::KptrType* type : kept)
    if (reaches(step.prog, *type, owner->type)) return step.diag.refuse(Rule::kStorageRing, {owner->name, type->name, owner->name});
  return {};
}

}  // namespace ring3::verifier
