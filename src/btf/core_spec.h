// An access that a CO-RE record describes, in one BTF: which type it starts from, what it goes through, where it ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "btf/core_relo.h"

namespace ring3::btf {

struct CoreStep {
  TypeId type;            // struct or union of a member; element type of an array; the enumeration
  std::uint32_t index;    // member, element or enumerator
  std::string_view name;  // of a member or enumerator; "" for an element
};

struct CoreSpec {
  TypeId root = kVoid;
  CoreKind kind{};
  std::vector<CoreStep> steps;  // nameless inner structs are passed through, and are no steps
  std::uint64_t bit_off = 0;
};

constexpr bool is_core_field(CoreKind k) { return k <= CoreKind::kRshift; }
constexpr bool is_core_enumval(CoreKind k) { return k == CoreKind::kEnumvalExists || k == CoreKind::kEnumvalValue; }
constexpr bool is_core_type(CoreKind k) { return !is_core_field(k) && !is_core_enumval(k); }

/// Nothing: the access does not fit the type.
std::optional<CoreSpec> parse_core_spec(const Btf& btf, const CoreRelo& relo);
/// The same access from `candidate` of the target. Nothing: it has no such thing.
std::optional<CoreSpec> match_core_spec(const Btf& local, const CoreSpec& spec, const Btf& target, TypeId candidate);

/// Whether kinds may stand for each other: equal, or both enumerations.
bool is_same_core_kind(Kind a, Kind b);
/// Shape of two types, names of inner ones not looked at: what kTypeExists asks.
bool are_core_compatible(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b);
/// Names too, and every member or enumerator of the local one is in the target: what kTypeMatches asks.
bool do_core_types_match(const Btf& local, TypeId local_id, const Btf& target, TypeId target_id);

}  // namespace ring3::btf
