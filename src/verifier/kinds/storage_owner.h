// Objects of the host that own a value in an object storage map, and what such a value may keep.
//
// cgrp_storage is for any object here: its helpers take, besides a cgroup, a pointer to a struct that the host has registered as
// a kptr type, unless Linux has a type of map for such structs. Soundness: the map keys by address and follows nothing; the value is gone when the host says that the object
// goes (Runtime::storage_owner_gone), and its memory outlives the readers.
//
// An object whose storage keeps something that keeps the object never ends. Where the types declare it (KptrOptions::reaches) the
// program that asks for the storage is refused; a type that is kept in its own objects' storage without declaring anything
// is only seen at run time (ring3 refs --cycles). Weak pointers keep nothing.
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

/// reg points to the beginning of a registered struct of the host.
bool is_storage_owner(const Step& step, const RegState& reg);
/// Storage of what `regno` points to, in map `map` of the program. Errors: kLoop.
Result<void> check_storage_ring(Step& step, std::uint32_t map, unsigned regno);

}  // namespace ring3::verifier
