// Two steps: the finder walks the value and lists what is declared as special, with offsets; then each
// find is resolved (pointee, element and node), and the rules between fields are checked.
#include "model/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "base/try.h"
#include "btf/print.h"
#include "model/field_kinds.h"

namespace ring3::model {
namespace {

using btf::Btf;
using btf::Kind;
using btf::TypeId;

constexpr std::uint32_t kMaxNesting = 32;
constexpr std::string_view kContains = "contains:";

Errno refuse(TextSink& log, std::string_view member, std::string_view rule, Errno e = Errno::kInval) {
  log.write(fmt::format("{}: {}\n", member, rule));
  return e;
}

// A find, before resolution. Where a list head's tag stands: on member `component` of `holder`.
struct Found {
  FieldKind kind;
  std::uint32_t off;
  TypeId pointee;  // kptr
  TypeId holder;
  std::int32_t component;
  std::string member;
};

class Finder {
 public:
  Finder(const Btf& btf, FieldSet wanted, TextSink& log) : btf_(btf), wanted_(wanted), log_(log) {}

  Result<std::vector<Found>> run(TypeId type) {
    const TypeId id = btf_.skip_modifiers(type);
    const btf::Type* t = btf_.type(id);
    if (t != nullptr && t->kind == Kind::kStruct) RING3_TRY(walk_struct(id, 0, 0, std::string(t->name)));
    if (t != nullptr && t->kind == Kind::kDatasec) RING3_TRY(walk_section(id));
    return std::move(found_);
  }

 private:
  Result<void> walk_struct(TypeId id, std::uint64_t off, std::uint32_t depth, const std::string& path) {
    if (depth >= kMaxNesting) return refuse(log_, path, "structs nested too deeply", Errno::kTooBig);
    // A struct without finds is walked once: overlapping members could otherwise ask for it endlessly.
    const std::uint64_t key = std::uint64_t{id} * 8 + off % 8;
    if (plain_.count(key) != 0) return {};
    const std::size_t before = found_.size();
    const std::uint32_t count = btf_.type(id)->vlen;
    for (std::uint32_t i = 0; i < count; ++i) {
      const btf::Member m = btf_.member(id, i);
      if (m.bitfield_bits != 0 || m.bit_off % 8 != 0) continue;  // never special
      const std::string member = fmt::format("{}.{}", path, m.name.empty() ? "(anon)" : m.name);
      RING3_TRY(walk_member(m.type, off + m.bit_off / 8, depth, id, static_cast<std::int32_t>(i), member));
    }
    if (found_.size() == before) plain_.insert(key);
    return {};
  }

  Result<void> walk_section(TypeId id) {
    for (const btf::SecVar& v : btf_.section_vars(id)) {
      const btf::Type& var = *btf_.type(v.var);
      RING3_TRY(walk_member(var.type, v.off, 0, v.var, -1, std::string(var.name)));
    }
    return {};
  }

  // A member, or an array of something: the element decides, the count repeats it.
  Result<void> walk_member(TypeId type, std::uint64_t off, std::uint32_t depth, TypeId holder, std::int32_t component,
                           const std::string& member) {
    std::uint64_t count = 1;
    while (const std::optional<btf::ArrayInfo> a = btf_.array(type)) {
      count *= a->count;
      type = a->elem;
    }
    if (count == 0) return {};
    const std::uint64_t size = btf_.size_of(type).value_or(0);
    const std::size_t before = found_.size();
    TypeId pointee = 0;
    const Result<const FieldRow*> row = classify(type, member, pointee);
    if (!row) return row.error();
    const btf::Type& t = *btf_.type(type);
    if (*row != nullptr) {
      if (size != (*row)->size_bytes || off % (*row)->align_bytes != 0) return {};  // the name only
      RING3_TRY(add({(*row)->kind, static_cast<std::uint32_t>(off), pointee, holder, component, member}));
    } else if (t.kind == Kind::kStruct) {
      RING3_TRY(walk_struct(type, off, depth + 1, member));
    }
    return repeat(before, count, size, member);
  }

  Result<void> repeat(std::size_t before, std::uint64_t count, std::uint64_t step, const std::string& member) {
    const std::size_t after = found_.size();
    if (count == 1 || before == after) return {};
    for (std::size_t i = before; i < after; ++i)
      if (!field_row(found_[i].kind).in_arrays)
        return refuse(log_, member, fmt::format("a {} cannot be in an array", field_text(found_[i].kind)));
    for (std::uint64_t n = 1; n < count; ++n) {
      for (std::size_t i = before; i < after; ++i) {
        Found copy = found_[i];
        copy.off = static_cast<std::uint32_t>(copy.off + n * step);
        RING3_TRY(add(std::move(copy)));
      }
    }
    return {};
  }

  Result<void> add(Found f) {
    const FieldRow& row = field_row(f.kind);
    if (row.only_one)
      for (const Found& other : found_)
        if (other.kind == f.kind)
          return refuse(log_, f.member, fmt::format("a second {}; {} is the first", row.text, other.member),
                        Errno::kTooBig);
    if (found_.size() == kMaxFields)
      return refuse(log_, f.member, fmt::format("more than {} special fields", kMaxFields), Errno::kTooBig);
    found_.push_back(std::move(f));
    return {};
  }

  // The row a type stands for, null for data.
  Result<const FieldRow*> classify(TypeId type, const std::string& member, TypeId& pointee) {
    const btf::Type& t = *btf_.type(type);
    if (t.kind == Kind::kStruct) return find_row(t.name, false);
    if ((wanted_ & kKptrFields) == 0) return static_cast<const FieldRow*>(nullptr);
    return classify_pointer(type, member, pointee);
  }

  const FieldRow* find_row(std::string_view declared, bool kptr) const {
    for (const FieldRow& row : field_rows())
      if (row.declared == declared && is_kptr(row.kind) == kptr && (wanted_ & field_bit(row.kind)) != 0) return &row;
    return nullptr;
  }

  Result<const FieldRow*> classify_pointer(TypeId type, const std::string& member, TypeId& pointee) {
    const FieldRow* none = nullptr;
    if (btf_.type(type)->kind == Kind::kVolatile) type = btf_.type(type)->type;
    if (btf_.type(type)->kind != Kind::kPtr) return none;
    const btf::Type& tag = *btf_.type(btf_.type(type)->type);
    if (tag.kind != Kind::kTypeTag || tag.kind_flag) return none;
    if (btf_.type(tag.type)->kind == Kind::kTypeTag)
      return refuse(log_, member, fmt::format("a second type tag '{}' behind '{}'", btf_.type(tag.type)->name, tag.name));
    const FieldRow* row = find_row(tag.name, true);
    if (row == nullptr) return refuse(log_, member, fmt::format("unknown type tag '{}'", tag.name));
    pointee = btf_.skip_modifiers(tag.type);
    if (btf_.type(pointee)->kind != Kind::kStruct)
      return refuse(log_, member, fmt::format("{} to '{}': the pointee must be a struct", row->text,
                                              btf::type_name(btf_, tag.type)));
    return row;
  }

  const Btf& btf_;
  FieldSet wanted_;
  TextSink& log_;
  std::vector<Found> found_;
  std::unordered_set<std::uint64_t> plain_;  // id and place within 8 bytes
};

class Resolver {
 public:
  Resolver(const std::shared_ptr<const Btf>& btf, std::span<const std::shared_ptr<const Btf>> hosts, TextSink& log)
      : btf_(btf), hosts_(hosts), log_(log) {}

  Result<Field> run(const Found& f) {
    Field field{f.kind, f.off, field_row(f.kind).size_bytes, nullptr, 0, 0, f.member};
    if (is_kptr(f.kind)) resolve_pointee(f, field);
    if (f.kind == FieldKind::kKptrWeak && field.btf == btf_)
      return refuse(log_, f.member, fmt::format("a weak kptr is to a struct of the host, which '{}' is not",
                                                btf::type_name(*btf_, f.pointee)));
    if (is_root(f.kind)) RING3_TRY(resolve_element(f, field));
    return field;
  }

 private:
  void resolve_pointee(const Found& f, Field& field) {
    const std::string_view name = btf_->type(f.pointee)->name;
    field.btf = btf_;
    field.type = f.pointee;
    if (name.empty()) return;
    for (const std::shared_ptr<const Btf>& host : hosts_) {
      const TypeId id = host->find(name, Kind::kStruct);
      if (id == btf::kVoid) continue;
      field.btf = host;
      field.type = id;
      return;
    }
  }

  // contains:<struct>:<member>
  Result<void> resolve_element(const Found& f, Field& field) {
    std::string_view contains;
    for (const std::string_view tag : btf_->decl_tags(f.holder, f.component)) {
      if (!tag.starts_with(kContains)) continue;
      if (!contains.empty()) return refuse(log_, f.member, "two 'contains' tags");
      contains = tag.substr(kContains.size());
    }
    const std::size_t colon = contains.find(':');
    if (contains.empty() || colon == std::string_view::npos || colon == 0 || colon + 1 == contains.size())
      return refuse(log_, f.member, fmt::format("a {} needs a tag contains:<struct>:<member>", field_text(f.kind)));
    const std::string_view type_name = contains.substr(0, colon), node_name = contains.substr(colon + 1);
    const TypeId type = btf_->find(type_name, Kind::kStruct);
    if (type == btf::kVoid)
      return refuse(log_, f.member, fmt::format("contains unknown struct {}", type_name), Errno::kNoEnt);
    field.btf = btf_;
    field.type = type;
    return resolve_node(f, field, type_name, node_name);
  }

  Result<void> resolve_node(const Found& f, Field& field, std::string_view type_name, std::string_view node_name) {
    const FieldRow& node = field_row(field_row(f.kind).node);
    bool is_found = false;
    for (const btf::Member& m : btf_->members(field.type)) {
      if (m.name != node_name) continue;
      if (is_found) return refuse(log_, f.member, fmt::format("struct {} has two members {}", type_name, node_name));
      const btf::Type& t = *btf_->type(m.type);
      if (t.kind != Kind::kStruct || t.name != node.declared || m.bit_off % (8u * node.align_bytes) != 0)
        return refuse(log_, f.member, fmt::format("struct {}.{} is no {}", type_name, node_name, node.text));
      field.node_off = m.bit_off / 8;
      is_found = true;
    }
    if (!is_found)
      return refuse(log_, f.member, fmt::format("struct {} has no member {}", type_name, node_name), Errno::kNoEnt);
    return {};
  }

  const std::shared_ptr<const Btf>& btf_;
  std::span<const std::shared_ptr<const Btf>> hosts_;
  TextSink& log_;
};

// Rules between the fields of one value.
Result<void> check_together(const FieldTable& table, std::span<const Found> found, std::string_view type, TextSink& log) {
  for (std::size_t i = 1; i < table.fields.size(); ++i)
    if (table.fields[i].off < table.fields[i - 1].off + table.fields[i - 1].size)
      return refuse(log, found[i].member, fmt::format("overlaps {}", found[i - 1].member), Errno::kExist);
  const bool has_root = table.has(FieldKind::kListHead) || table.has(FieldKind::kRbRoot);
  if (has_root && !table.has(FieldKind::kSpinLock))
    return refuse(log, type, "a list head or tree root needs a bpf_spin_lock beside it");
  if (table.has(FieldKind::kListNode) && table.has(FieldKind::kRbNode) && !table.has(FieldKind::kRefcount))
    return refuse(log, type, "a list node and a tree node in one struct need a bpf_refcount");
  return {};
}

}  // namespace

Result<FieldTable> parse_fields(const std::shared_ptr<const Btf>& btf, TypeId type,
                                std::span<const std::shared_ptr<const Btf>> hosts, FieldSet wanted, TextSink& log) {
  FieldTable table;
  if (btf == nullptr || btf->type(type) == nullptr) return table;
  std::vector<Found> found = RING3_TRY(Finder(*btf, wanted, log).run(type));
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.off < b.off; });
  Resolver resolver(btf, hosts, log);
  for (const Found& f : found) table.fields.push_back(RING3_TRY(resolver.run(f)));
  RING3_TRY(check_together(table, found, btf::type_name(*btf, type), log));
  return table;
}

std::string field_place(const Field& field) {
  return field.member.empty() ? fmt::format("value offset {}", field.off) : field.member;
}

bool same_fields(const FieldTable& a, const FieldTable& b) {
  return std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(),
                    [](const Field& x, const Field& y) {
                      return x.kind == y.kind && x.off == y.off && x.size == y.size && x.node_off == y.node_off &&
                             x.btf == y.btf && x.type == y.type;
                    });
}

Result<void> check_releasable(const FieldTable& table, const Btf& own, IsReleasable releasable, const void* context,
                              TextSink& log) {
  for (const Field& f : table.fields) {
    if (f.kind != FieldKind::kKptrRef || f.btf.get() == &own) continue;
    if (releasable(context, *f.btf, f.type)) continue;
    log.write(fmt::format("{}: the host has registered no destructor for {}\n", field_place(f),
                          btf::type_name(*f.btf, f.type)));
    return Errno::kNoEnt;
  }
  return {};
}

}  // namespace ring3::model
