// The 8 bytes that name a program's text across machines: bpftool and loaders compare them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "isa/insn.h"
#include "sign/sha256.h"

namespace ring3::prog {

/// First 8 bytes of SHA-1 over the instructions as loaded, with the immediates of both slots zeroed where a map is
/// named by descriptor, because descriptors differ from load to load. decoded: the same slots.
using ProgramTag = std::array<std::uint8_t, 8>;
ProgramTag program_tag(std::span<const isa::RawInsn> raw, std::span<const isa::Insn> decoded);

/// SHA-256 over the same text, of instructions nobody has looked at yet: what exclusive maps name a program by. Errors: kNoMem.
Result<sign::Sha256> program_digest(std::span<const isa::RawInsn> raw);

}  // namespace ring3::prog
