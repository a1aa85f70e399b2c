#include "verifier/kinds/object.h"

#include <algorithm>

#include "base/text_sink.h"
#include "model/field_kinds.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::FieldKind;
using model::FieldTable;

/// Who keeps the BTF alive while results refer to it.
std::shared_ptr<const btf::Btf> owner_of(const Program& prog, const btf::Btf* btf) {
  if (prog.in.btf.get() == btf) return prog.in.btf;
  if (prog.facts.host_btf.get() == btf) return prog.facts.host_btf;
  for (const model::MapFacts* map : prog.maps) {
    if (map->btf.get() == btf) return map->btf;
    for (const model::Field& f : map->fields.fields)
      if (f.btf.get() == btf) return f.btf;
  }
  return nullptr;
}

FieldTable parse(const Program& prog, const btf::Btf* btf, btf::TypeId type, bool& valid) {
  const std::shared_ptr<const btf::Btf> owner = owner_of(prog, btf);
  StringSink ignored;
  const std::shared_ptr<const btf::Btf> hosts[] = {prog.facts.host_btf};
  const std::size_t count = prog.facts.host_btf == nullptr ? 0 : 1;
  if (owner == nullptr) return {};
  Result<FieldTable> table = model::parse_fields(owner, type, {hosts, count}, model::kAllocatedFields, ignored);
  valid = table.ok();
  return valid ? std::move(table).value() : FieldTable{};
}

const Program::StructFields& known_fields(Program& prog, std::uint32_t btf, btf::TypeId type) {
  for (const Program::StructFields& known : prog.struct_fields)
    if (known.btf == btf && known.type == type) return known;
  Program::StructFields& added = prog.struct_fields.emplace_back();
  added.btf = btf;
  added.type = type;
  added.valid = true;
  if (prog.btfs[btf] != nullptr && !is_host_btf(prog, prog.btfs[btf])) added.table = parse(prog, prog.btfs[btf], type, added.valid);
  return added;
}

/// Objects of both types end at one instruction: each knows at run time what it is.
void note_either(std::vector<ObjectType>& objects, std::uint32_t& noted, std::uint32_t at) {
  if (objects[noted].any_of.empty()) {
    objects.emplace_back().any_of = {noted};
    noted = static_cast<std::uint32_t>(objects.size() - 1);
  }
  std::vector<std::uint32_t>& types = objects[noted].any_of;
  if (std::find(types.begin(), types.end(), at) == types.end()) types.push_back(at);
}

}  // namespace

bool is_object(const RegState& reg) {
  if (reg.kind != RegKind::kHostStruct || !reg.has(model::kAllocObj)) return false;
  if (reg.has(model::kUntrusted | model::kMaybeNull | model::kPercpuPtr)) return false;
  return reg.ref_obj_id != 0 || reg.has(model::kNonOwning | model::kRcuPtr);
}

bool is_owning_object(const RegState& reg) {
  return reg.kind == RegKind::kHostStruct && reg.flags == model::kAllocObj && reg.ref_obj_id != 0;
}

bool is_host_btf(const Program& prog, const btf::Btf* btf) {
  if (btf == prog.facts.host_btf.get()) return true;
  for (const model::Kfunc& k : prog.facts.kfuncs)
    if (k.btf.get() == btf) return true;
  return false;
}

bool is_host_type(const Program& prog, const RegState& reg) { return is_host_btf(prog, prog.btfs[reg.btf]); }

const FieldTable* fields_of_type(Program& prog, std::uint32_t btf, btf::TypeId type) {
  const Program::StructFields& known = known_fields(prog, btf, type);
  return known.valid ? &known.table : nullptr;
}

const FieldTable& fields_of(Program& prog, const RegState& reg) {
  static const FieldTable kNone;
  if (reg.kind == RegKind::kMapValue) return prog.maps[reg.map]->fields;
  if (reg.kind == RegKind::kHostStruct && reg.has(model::kAllocObj)) return known_fields(prog, reg.btf, reg.btf_type).table;
  return kNone;
}

bool may_hold_lock(Program& prog, const RegState& reg) { return fields_of(prog, reg).has(FieldKind::kSpinLock); }

Result<void> check_object_fields(Step& step, const RegState& reg, std::int32_t off, std::uint32_t size) {
  const model::Field* field = fields_of(step.prog, reg).overlapping(static_cast<std::uint32_t>(off), size);
  if (field != nullptr) return step.diag.refuse(Rule::kObjectField, {field_struct(field->kind)});
  return {};
}

Result<void> note_object(Step& step, std::uint32_t btf, btf::TypeId type, bool percpu, ObjectUse use) {
  std::uint32_t at = 0;
  const btf::Btf* graph = step.prog.btfs[btf];
  for (; at < step.out.objects.size(); ++at) {
    const ObjectType& known = step.out.objects[at];
    if (known.btf.get() == graph && known.type == type && known.percpu == percpu) break;
  }
  if (at == step.out.objects.size()) {
    const FieldTable* fields = fields_of_type(step.prog, btf, type);
    step.out.objects.push_back({.btf = owner_of(step.prog, graph), .type = type, .bytes = graph->size_of(type).value_or(0),
                                .percpu = percpu, .fields = fields == nullptr ? FieldTable{} : *fields});
  }
  std::uint32_t& noted = step.facts().object;
  if (noted == UINT32_MAX) noted = at;
  if (noted == at) return {};
  const ObjectType &before = step.out.objects[noted], &now = step.out.objects[at];
  if (use != ObjectUse::kEnd || before.percpu != now.percpu) return step.diag.refuse(Rule::kMixedObjects);
  if (now.percpu) return {};  // they have no special fields, so all end alike
  note_either(step.out.objects, noted, at);
  return {};
}

const char* field_struct(FieldKind kind) {
  switch (kind) {
    case FieldKind::kSpinLock: return "bpf_spin_lock";
    case FieldKind::kTimer: return "bpf_timer";
    case FieldKind::kWork: return "bpf_wq";
    case FieldKind::kRefcount: return "bpf_refcount";
    case FieldKind::kListHead: return "bpf_list_head";
    case FieldKind::kListNode: return "bpf_list_node";
    case FieldKind::kRbRoot: return "bpf_rb_root";
    case FieldKind::kRbNode: return "bpf_rb_node";
    case FieldKind::kKptrUntrusted:
    case FieldKind::kKptrRef: return "kptr";
    case FieldKind::kKptrWeak: return "kptr_weak";
    case FieldKind::kKptrPercpu: return "percpu_kptr";
  }
  return "";
}

}  // namespace ring3::verifier
