// Validation of single records (behaviour.md C.6.2), one checker per kind, each in isolation: it looks
// at its own record only, so ids may still point anywhere. What ids lead to is graph.h.
//
// Every refusal is one line in the log that starts with the record, `[id] KIND name details rule`, in
// the form existing tests and tools match on.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text_sink.h"
#include "btf/impl.h"
#include "ring3/result.h"

namespace ring3::btf {

/// The blob under construction and where complaints go.
struct Checker {
  const Btf::Impl& btf;
  TextSink& log;
  Origin origin = Origin::kClient;

  /// Writes the record line with the broken rule and gives back the errno.
  Errno refuse(TypeId id, std::string_view rule, Errno e = Errno::kInval) const;
  /// The same for an element of a struct: the record's line, then the member's with the rule.
  Errno refuse_member(TypeId id, std::uint32_t index, std::string_view rule) const;

  /// The record's own name, checked: may be absent, must be absent, or must be an identifier.
  Result<void> no_name(TypeId id, const RawType& raw) const;
  Result<void> optional_name(TypeId id, const RawType& raw) const;
  Result<void> needs_name(TypeId id, const RawType& raw) const;
};

/// Checks record `id`, whose bytes are known to lie inside the type section.
Result<void> check_record(const Checker& c, TypeId id, const RawType& raw);

// One per kind or family; the table in validate.cc names them.
Result<void> check_int(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_float(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_enum(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_enum64(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_reference(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_forward(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_func(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_var(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_decl_tag(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_array(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_struct(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_datasec(const Checker& c, TypeId id, const RawType& raw);
Result<void> check_func_proto(const Checker& c, TypeId id, const RawType& raw);

}  // namespace ring3::btf
