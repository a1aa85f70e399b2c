#include "verifier/kinds/owned_args.h"

#include <bit>

#include "base/check.h"

namespace ring3::verifier {
namespace {

const model::StructOpsMember* member_of(const Program& prog) {
  const model::AttachTarget& t = prog.in.target;
  if (t.kind != model::AttachTarget::Kind::kStructOpsMember || t.ops == nullptr || t.member >= t.ops->members.size())
    return nullptr;
  return &t.ops->members[t.member];
}

std::uint32_t ref_args(const Program& prog) {
  const model::StructOpsMember* member = member_of(prog);
  return member != nullptr ? member->ref_args : 0;
}

/// The pointer type a member returns, modifiers skipped; null: it returns something else.
const btf::Type* returned_pointer(const Program& prog) {
  const model::StructOpsMember* member = member_of(prog);
  if (member == nullptr) return nullptr;
  const btf::Btf& btf = *prog.in.target.ops->btf;
  const btf::Type* type = btf.type(btf.skip_modifiers(btf.type(member->proto)->type));
  return type != nullptr && type->kind == btf::Kind::kPtr ? type : nullptr;
}

}  // namespace

std::uint32_t owned_arguments(const Program& prog) { return static_cast<std::uint32_t>(std::popcount(ref_args(prog))); }

std::uint32_t owned_argument(const Program& prog, std::uint32_t arg) {
  const std::uint32_t owned = ref_args(prog);
  if (arg >= 32 || (owned >> arg & 1) == 0) return 0;
  return static_cast<std::uint32_t>(std::popcount(owned & ((1u << arg) - 1))) + 1;
}

void own_arguments(const Program& prog, PathState& path, Search& search) {
  for (std::uint32_t id = 1; id <= owned_arguments(prog); ++id) {
    RING3_CHECK(search.new_id() == id, "the ids of owned arguments are the first");
    path.refs.push_back({id, path.insn_idx, 0});
  }
}

Result<void> check_owned_arguments(const Program& prog, Diag& diag) {
  if (owned_arguments(prog) == 0) return {};
  for (const SubprogInfo& subprog : prog.subprogs)
    if (subprog.has_tail_call) return diag.refuse(Rule::kTailCallOwned);
  return {};
}

bool returns_pointer(const Program& prog) { return returned_pointer(prog) != nullptr; }

bool give_to_host(Step& step) {
  const btf::Type* pointer = returned_pointer(step.prog);
  const RegState& r0 = step.reg(0);
  if (pointer == nullptr || r0.kind != RegKind::kHostStruct || r0.ref_obj_id == 0 || r0.has(model::kUntrusted)) return false;
  const btf::Btf* btf = step.prog.in.target.ops->btf.get();
  if (step.prog.btfs[r0.btf] != btf || r0.btf_type != btf->skip_modifiers(pointer->type)) return false;
  if (r0.off != 0 || !r0.val.is_const() || r0.val.const_value() != 0) return false;
  return std::erase_if(step.path.refs, [&](const Reference& r) { return r.id == r0.ref_obj_id; }) != 0;
}

}  // namespace ring3::verifier
