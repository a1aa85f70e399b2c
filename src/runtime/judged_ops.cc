#include "runtime/judged_ops.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "model/helper.h"
#include "model/kernel_struct_ops.h"

namespace ring3 {
namespace {

using btf::Kind;
using btf::TypeId;
using model::KernelOpsRow;
using model::OpsFact;

bool is_function(const btf::Btf& btf, TypeId member) {
  const btf::Type& pointer = *btf.type(btf.skip_modifiers(member));
  return pointer.kind == Kind::kPtr && btf.type(btf.skip_modifiers(pointer.type))->kind == Kind::kFuncProto;
}

struct Bytes { std::size_t off, size; };

/// "a.b" in a struct; "" is all of it.
std::optional<Bytes> find_field(const btf::Btf& btf, TypeId owner, std::string_view path) {
  Bytes at{0, btf.size_of(owner).value_or(0)};
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const auto member = btf.find_member(owner, name);
    if (!member || member->bitfield_bits != 0) return std::nullopt;
    owner = btf.skip_modifiers(member->type);
    at = {at.off + member->bit_off / 8, btf.size_of(owner).value_or(0)};
  }
  return at.size == 0 ? std::nullopt : std::optional(at);
}

/// Rows of one type.
std::vector<KernelOpsRow> rows_of(std::string_view name) {
  std::vector<KernelOpsRow> rows;
  for (const KernelOpsRow& row : model::kernel_struct_ops())
    if (row.type == name) rows.push_back(row);
  return rows;
}

void add_members(const btf::Btf& btf, TypeId table, const std::vector<KernelOpsRow>& rows, StructOpsDef& def) {
  const auto says = [&](OpsFact fact, std::string_view member) {
    return std::any_of(rows.begin(), rows.end(), [&](const KernelOpsRow& r) { return r.fact == fact && r.name == member; });
  };
  for (const btf::Member& member : btf.members(table)) {
    if (!is_function(btf, member.type)) continue;
    if (rows.empty() || says(OpsFact::kSleepable, member.name)) def.sleepable.push_back(member.bit_off / 8);
    for (const KernelOpsRow& row : rows)
      if (row.fact == OpsFact::kDenied && row.name == member.name) def.denied.push_back({member.bit_off / 8, row.helper});
    if (says(OpsFact::kUnsupported, member.name)) def.unsupported.push_back(member.bit_off / 8);
  }
}

void add_writable(const btf::Btf& btf, const std::vector<KernelOpsRow>& rows, StructOpsDef& def) {
  for (const KernelOpsRow& row : rows) {
    if (row.fact != OpsFact::kWritable) continue;
    const TypeId owner = btf.find(row.struct_name, Kind::kStruct);
    const auto field = owner == 0 ? std::nullopt : find_field(btf, owner, row.name);
    // Fields of the structs that a known one begins with are written through pointers to that.
    const std::string_view seen_as = def.known.empty() ? row.struct_name : std::string_view(def.known[0].as);
    if (field) def.writable.push_back({std::string(seen_as), field->off, field->size});
  }
}

}  // namespace

StructOpsDef judged_struct_ops(const btf::Btf& types, std::string_view name) {
  StructOpsDef def;
  def.name = name;
  const TypeId table = types.find(name, Kind::kStruct);
  if (table == 0) return def;
  const std::vector<KernelOpsRow> rows = rows_of(name);
  for (const KernelOpsRow& row : rows)
    if (row.fact == OpsFact::kKnown && types.find(row.name, Kind::kStruct) != 0)
      def.known.push_back({std::string(row.struct_name), std::string(row.name)});
  add_members(types, table, rows, def);
  add_writable(types, rows, def);
  const auto helpers = model::struct_ops_helpers(name);
  def.helpers.assign(helpers.begin(), helpers.end());
  return def;
}

}  // namespace ring3
