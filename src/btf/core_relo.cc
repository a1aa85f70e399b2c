#include "btf/core_relo.h"

#include <fmt/format.h>

#include <optional>

#include "base/try.h"
#include "btf/core_spec.h"
#include "btf/names.h"

namespace ring3::btf {
namespace {

/// Where a field's bits lie, and in which aligned unit a load gets them.
struct Field {
  TypeId type = kVoid;
  std::uint64_t bit_off = 0, bits = 0;
  std::uint64_t byte_off = 0, bytes = 0;  // the unit
  bool is_bitfield = false;
  bool is_element = false;  // the access ends at an element, not at a member
};

Result<Field> field_of(const Btf& btf, const CoreSpec& spec) {
  const CoreStep& last = spec.steps.back();
  Field f{.type = last.type, .bit_off = spec.bit_off, .byte_off = spec.bit_off / 8};
  if (last.name.empty()) {
    f.is_element = true;
    f.bytes = *btf.size_of(last.type);
    f.bits = f.bytes * 8;
    return f;
  }
  const Member member = btf.member(last.type, last.index);
  f.type = member.type;
  const std::optional<std::uint32_t> size = btf.size_of(member.type);
  if (!size) return Errno::kInval;
  f.bytes = *size;
  f.bits = f.bytes * 8;
  if (member.bitfield_bits == 0) return f;
  f.is_bitfield = true;
  f.bits = member.bitfield_bits;
  f.byte_off = f.bit_off / 8 / f.bytes * f.bytes;
  // The bits may cross the border of a unit of their type's size: then twice as large a load.
  while (f.bit_off + f.bits - f.byte_off * 8 > f.bytes * 8) {
    if (f.bytes >= 8) return Errno::kTooBig;
    f.bytes *= 2;
    f.byte_off = f.bit_off / 8 / f.bytes * f.bytes;
  }
  return f;
}

bool is_signed(const Btf& btf, TypeId id) {
  const TypeId plain = btf.skip_modifiers(id);
  const Type& type = *btf.type(plain);
  if (type.kind == Kind::kEnum || type.kind == Kind::kEnum64) return type.kind_flag;
  const std::optional<IntInfo> integer = btf.integer(plain);
  return integer && integer->is_signed;
}

struct Value {
  std::uint64_t value = 0;
  bool check_local = true;
  std::uint32_t bytes = 0;  // kByteOffset of a plain field
  TypeId type = kVoid;      // likewise
};

Result<Value> field_value(const Btf& btf, const CoreSpec& spec) {
  if (spec.kind == CoreKind::kFieldExists) return Value{.value = 1};
  const Field f = RING3_TRY(field_of(btf, spec));
  Value v{.check_local = !f.is_bitfield};
  if (f.is_element && spec.kind != CoreKind::kByteOffset && spec.kind != CoreKind::kByteSize) return Errno::kInval;
  switch (spec.kind) {
    case CoreKind::kByteOffset:
      v.value = f.byte_off;
      if (!f.is_bitfield) {
        v.bytes = static_cast<std::uint32_t>(f.bytes);
        v.type = f.type;
      }
      break;
    case CoreKind::kByteSize: v.value = f.bytes; break;
    case CoreKind::kSigned:
      v.value = is_signed(btf, f.type) ? 1 : 0;
      v.check_local = true;
      break;
    case CoreKind::kLshift: v.value = 64 - (f.bit_off + f.bits - f.byte_off * 8); break;
    case CoreKind::kRshift:
      v.value = 64 - f.bits;
      v.check_local = true;
      break;
    case CoreKind::kFieldExists:
    case CoreKind::kTypeIdLocal:
    case CoreKind::kTypeIdTarget:
    case CoreKind::kTypeExists:
    case CoreKind::kTypeSize:
    case CoreKind::kEnumvalExists:
    case CoreKind::kEnumvalValue:
    case CoreKind::kTypeMatches:
      return Errno::kInval;
  }
  return v;
}

Result<Value> value_in(const Btf& btf, const CoreSpec& spec) {
  switch (spec.kind) {
    case CoreKind::kByteOffset:
    case CoreKind::kByteSize:
    case CoreKind::kFieldExists:
    case CoreKind::kSigned:
    case CoreKind::kLshift:
    case CoreKind::kRshift:
      return field_value(btf, spec);
    // An id changes when objects are linked: what the instruction holds says nothing.
    case CoreKind::kTypeIdLocal:
    case CoreKind::kTypeIdTarget:
      return Value{.value = spec.root, .check_local = false};
    case CoreKind::kTypeExists:
    case CoreKind::kTypeMatches:
    case CoreKind::kEnumvalExists:
      return Value{.value = 1};
    case CoreKind::kTypeSize: {
      const std::optional<std::uint32_t> size = btf.size_of(spec.root);
      if (!size) return Errno::kInval;
      return Value{.value = *size};
    }
    case CoreKind::kEnumvalValue: {
      const CoreStep& step = spec.steps[0];
      const std::int64_t value = btf.enumerators(step.type)[step.index].value;
      // One of 32 bits counts as signed whatever its enumeration says, as for libbpf and Linux.
      const bool wide = btf.type(step.type)->kind == Kind::kEnum64;
      return Value{.value = static_cast<std::uint64_t>(wide ? value : std::int64_t{static_cast<std::int32_t>(value)})};
    }
  }
  return Errno::kInval;
}

/// No candidate has it: a zero, or nothing at all.
bool has_zero(CoreKind kind) {
  return is_core_type(kind) || kind == CoreKind::kFieldExists || kind == CoreKind::kEnumvalExists;
}

/// Whether a load of one type may become a load of the other's size: pointers, and integers without sign.
bool is_resizable(const Btf& a, TypeId x, const Btf& b, TypeId y) {
  x = a.skip_modifiers(x);
  y = b.skip_modifiers(y);
  if (a.type(x)->kind == Kind::kPtr && b.type(y)->kind == Kind::kPtr) return true;
  const std::optional<IntInfo> i = a.integer(x), j = b.integer(y);
  return i && j && !i->is_signed && !j->is_signed;
}

Result<CoreAnswer> answer_of(const Btf& local, const CoreSpec& ours, const Btf& target, const CoreSpec* theirs) {
  CoreAnswer answer;
  const Value before = RING3_TRY(value_in(local, ours));
  answer.local = before.value;
  answer.check_local = before.check_local;
  if (theirs == nullptr) {
    answer.poison = !has_zero(ours.kind);
    return answer;
  }
  const Value after = RING3_TRY(value_in(target, *theirs));
  answer.target = after.value;
  answer.check_local = before.check_local && after.check_local;
  // A bitfield has no size here: an access to one on one side only is never resized.
  answer.local_bytes = before.bytes;
  answer.target_bytes = after.bytes;
  answer.resizable = before.bytes == after.bytes ||
                     (before.bytes != 0 && after.bytes != 0 && is_resizable(local, before.type, target, after.type));
  return answer;
}

}  // namespace

const std::vector<TypeId>& CoreResolver::candidates(TypeId local) {
  const auto [known, fresh] = candidates_.try_emplace(local);
  if (!fresh) return known->second;
  const Type& wanted = *local_.type(local);
  const std::string_view name = essential_name(wanted.name);
  for (TypeId id = 1; id < target_.end_id(); ++id) {
    const Type& type = *target_.type(id);
    if (is_same_core_kind(type.kind, wanted.kind) && essential_name(type.name) == name) known->second.push_back(id);
  }
  return known->second;
}

Result<CoreAnswer> CoreResolver::resolve(const CoreRelo& relo, TextSink& log) {
  const Type* type = local_.type(relo.type);
  if (relo.type == kVoid || type == nullptr) {
    log.write(fmt::format("type id {} is not in the program's BTF", relo.type));
    return Errno::kInval;
  }
  const std::string what = fmt::format("[{}] {} access '{}'", relo.type, type->name.empty() ? "(anon)" : type->name, relo.access);
  const std::optional<CoreSpec> ours = parse_core_spec(local_, relo);
  if (!ours) {
    log.write(fmt::format("{}: does not fit the type", what));
    return Errno::kInval;
  }
  if (relo.kind == CoreKind::kTypeIdLocal) return CoreAnswer{.local = relo.type, .target = relo.type, .check_local = false};
  if (type->name.empty()) {
    log.write(fmt::format("{}: a type without a name cannot be looked up", what));
    return Errno::kOpNotSupp;
  }

  std::optional<CoreAnswer> answer;
  std::uint64_t bit_off = 0;
  for (const TypeId candidate : candidates(relo.type)) {
    const std::optional<CoreSpec> theirs = match_core_spec(local_, *ours, target_, candidate);
    if (!theirs) continue;
    const CoreAnswer one = RING3_TRY(answer_of(local_, *ours, target_, &*theirs));
    if (answer && (bit_off != theirs->bit_off || answer->target != one.target)) {
      log.write(fmt::format("{}: ambiguous: the host's types disagree, {} and {}", what, answer->target, one.target));
      return Errno::kInval;
    }
    if (!answer) {
      answer = one;
      bit_off = theirs->bit_off;
    }
  }
  if (answer) return *answer;
  return answer_of(local_, *ours, target_, nullptr);
}

}  // namespace ring3::btf
