// Stored pointers: kptr fields of map values and of objects (behaviour.md C.3).
//
// Soundness: a field holds null or a valid pointer of exactly its type. Into an owned field (kKptrRef, kKptrPercpu) only
// bpf_kptr_xchg puts anything, and that only what the path owns; so what it takes out is owned. What a plain load sees may
// be taken out and given back at any moment: it is valid only inside a read section and only when the type's memory
// outlives that, otherwise it is untrusted. A field marked untrusted may hold any stale pointer.
//
// A weak field (kKptrWeak) is exchanged as an owned one: the path gives a reference up and owns what it takes out. What
// differs is the run: object/weak_table.h gives the reference back and clears the field before the object's memory goes to the
// grace period, so a plain load is as valid as one of an owned field of an RCU-safe type.
#pragma once

#include "verifier/kinds/access.h"

namespace ring3::verifier {

/// A load or store at the field, which the access overlaps.
Result<void> access_kptr(Step& step, const Access& access, const model::Field& field);
/// The overlap of an access with a kptr field is exactly the field. off: with the pointer's fixed offset.
Result<void> check_kptr_access(Step& step, const RegState& reg, const model::Field& field, std::int32_t off, std::uint32_t size);

/// The owned field that argument `regno` of bpf_kptr_xchg points to, in a map value or in an object the path owns.
Result<const model::Field*> kptr_slot(Step& step, unsigned regno);
/// What goes into the field: an owned pointer. Returns its reference.
Result<std::uint32_t> kptr_source(Step& step, unsigned regno, const model::Field& field);
/// Whether the exchange is one of a weak slot: all paths through the call agree.
Result<void> note_exchange(Step& step, const model::Field& field);
/// The path gives the reference to a field. False: it does not own it.
bool store_reference(Step& step, std::uint32_t id);
/// The register may be stored in the field: type, offset, qualifiers.
Result<void> check_kptr_value(Step& step, unsigned regno, const model::Field& field);
/// r0: what the field held before.
void set_taken_kptr(Step& step, const model::Field& field);

}  // namespace ring3::verifier
