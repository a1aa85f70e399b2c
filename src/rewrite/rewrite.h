// From a verified program to what runs: a list of small passes over a working copy (working_copy.h).
//
//   resolve_immediates   map, map value, variable and function references become values
//   resolve_calls        helper ids and kfuncs become indices into the program's own call tables
//   convert_context      context accesses address the record behind the context
//   arena_accesses       pointers into an arena become the host's, for one access each
//   add_member_code      what a host wants run before and after the programs of a struct_ops member
//   inline_lookups       map lookups become the map kind's own instructions
//   inline_tail_calls    tail calls look their program up themselves
//   mask_arithmetic      amounts that move pointers are kept in range when the CPU guesses wrong
//   load_packets         legacy loads by skb[…] become a call and a way out
//   remove_dead_code     what the verifier never walked goes; branches that go one way only become jumps
//   guard_tail_calls     indices are kept inside their array when the CPU guesses wrong
//   finish               jumps, subprograms, faulting loads and original indices in their final place
//
// Pure: nothing is published, no reference is taken. The caller keeps the maps and types alive as long as the result.
#pragma once

#include <span>
#include <string>

#include "maps/allocated_type.h"
#include "maps/map.h"
#include "model/facts.h"
#include "ring3/result.h"
#include "rewrite/xlated.h"
#include "verifier/verifier.h"

namespace ring3::rewrite {

/// The helper with this enum bpf_func_id, or null (exec::find_helper).
using FindHelper = const HelperCall* (*)(std::uint32_t id);

struct RewriteInput {
  const verifier::ProgramInput& program;
  const verifier::VerifiedProgram& verified;
  const model::Facts& facts;
  std::span<maps::Map* const> maps;  // parallel to ProgramInput::maps
  FindHelper find_helper = nullptr;
  std::span<const maps::AllocatedType* const> objects = {};  // parallel to VerifiedProgram::objects
};

/// log: one line that says what could not be rewritten, on an error.
/// Errors: kInval a helper, kfunc or variable without an address here; kNotSupp an instruction no tier runs;
/// kNoMem.
Result<XlatedProgram> rewrite(const RewriteInput& in, verifier::LogSink& log);

}  // namespace ring3::rewrite
