// Which member of a BTF struct an access at (offset, size) hits.
#pragma once

#include <cstdint>
#include <string>

#include "btf/btf.h"

namespace ring3::verifier {

struct StructWalk {
  enum class Result : std::uint8_t { kScalar, kPointer, kRefused } result = Result::kRefused;
  btf::TypeId pointee = 0;   // kPointer: struct or union it points to
  bool rcu_tag = false, user_tag = false, percpu_tag = false;
  std::string_view owner, member;  // kPointer: innermost struct with a name, and its member
  bool through_union = false;  // which member is meant is a guess
  bool beyond = false;         // behind the struct, in an array without a length: how far that reaches only its owner knows
  std::string refusal;       // kRefused: the kernel's line
};

/// type: a struct or union. off: bytes from its start. Walks nested structs, unions, arrays and a trailing
/// flexible array; pointers to anything but structs are scalars.
StructWalk walk_struct(const btf::Btf& btf, btf::TypeId type, std::uint32_t off, std::uint32_t size);

}  // namespace ring3::verifier
