// What the records say together (behaviour.md C.6.3): every reference leads to something that exists and
// makes sense there, nothing contains itself, chains are short, members fit their structs.
//
// Idea. Two sorts of edges lead to trouble when they form a ring:
//   by value     struct → member type, array → element, modifier → what it modifies
//   by pointer   pointer → pointee, modifier → what it modifies, as long as that is a pointer or modifier
// A pointer ends a walk by value and a struct ends a walk by pointer, so `struct list { struct list *next; }`
// is no ring while `struct a { struct a x; }` and `typedef T *T` are. The walk is a depth-first search
// with an explicit stack of kMaxDepth frames; a record is done once for each sort of walk, so the whole
// check is linear in the blob. Every check of a record runs after the records it leads to are done,
// which is why sizes may be taken there without fear of running in circles.
#pragma once

#include "btf/validate.h"

namespace ring3::btf {

/// Checks every own type of c.btf. Errors: kInval a bad reference, kExist a ring, kTooBig a chain of more
/// than kMaxDepth references, kLoop a ring of modifiers that only the tag order check sees.
Result<void> check_graph(const Checker& c);

/// The type behind const, volatile, restrict, type tags and typedefs. id is valid.
TypeId behind_modifiers(const Btf::Impl& btf, TypeId id);
/// Size in bytes of a type whose references are known to be free of rings.
std::optional<std::uint32_t> size_in_bytes(const Btf::Impl& btf, TypeId id);

/// Whether member `index` of struct `id` lies where its type and the struct's size allow.
Result<void> check_member_place(const Checker& c, TypeId id, std::uint32_t index);
/// Whole bytes, a power of two of them, no bit offset.
bool is_regular_int(const IntInfo& i);

}  // namespace ring3::btf
