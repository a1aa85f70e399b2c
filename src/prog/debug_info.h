// Load step 2: function and line records, checked against the program's BTF and decoded.
#pragma once

#include <vector>

#include "prog/load_request.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"
#include "verifier/verifier.h"

namespace ring3::prog {

struct DebugInfo {
  std::vector<verifier::FuncInfo> funcs;
  std::vector<verifier::LineInfo> lines;  // text borrowed from the request's BTF
};

/// decoded: the program, for line records that point into the middle of a wide immediate.
/// Whether the records fit the program's functions is the verifier's to say.
/// Errors: kInval a record breaks a rule (log names it); kTooBig a record has nonzero bytes this runtime does
/// not know.
Result<DebugInfo> read_debug_info(const LoadRequest& request, std::span<const isa::Insn> decoded,
                                  verifier::LogSink& log);

/// Bytes of a record this runtime knows: what the attribute's *_rec_size becomes when it was too large.
inline constexpr std::uint32_t kFuncInfoBytes = 8;
inline constexpr std::uint32_t kLineInfoBytes = 16;

}  // namespace ring3::prog
