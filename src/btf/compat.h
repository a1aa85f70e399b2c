// When are two types the same? Four answers, from strict to lenient; callers name the one they mean.
//
//   identical    one record: the same id of the same blob (a split blob and its base share the base's
//                records). What owned references are compared by (behaviour.md C.3.7).
//   equivalent   equal in every word that reaches C: kinds, names, sizes, member names and places,
//                enumerators, prototypes with parameter types; tags included, ids not. Rings are equal when
//                walking both side by side meets no difference. What "equal program-local types" are.
//   same name    equal kind and equal essential name; the flavour after three underscores does not count.
//                How CO-RE and struct_ops loaders look candidates up.
//   compatible   of two functions: one may stand where the other is expected (behaviour.md D.2.3): equal
//                number of parameters; returns of equal kind and info; parameters that are scalars of equal
//                kind and size, pointers to structs of equal name, or pointers to scalars of equal size.
//                Names of functions, parameters and modifiers are irrelevant.
//
// All are pure, symmetric, and safe on any validated BTF.
#pragma once

#include <memory>
#include <string_view>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "btf/names.h"
#include "ring3/result.h"

namespace ring3::btf {

bool is_identical(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b);
bool is_equivalent(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b);
bool has_same_name(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b);

/// Whether FUNC `id_b` of b may stand for FUNC `id_a` of a. kInval: it may not, the log says in what they differ.
Result<void> check_compatible_functions(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b, TextSink& log);
/// The same for two prototypes; what: how the log calls them.
Result<void> check_compatible_protos(const Btf& a, TypeId id_a, const Btf& b, TypeId id_b, std::string_view what,
                                     TextSink& log);

}  // namespace ring3::btf
