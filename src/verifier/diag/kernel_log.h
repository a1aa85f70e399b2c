// The kernel's verifier log: the line format of Linux 6.12, because tools and tests read it.
//
//   ; int x = ctx->a; @ file.c:12
//   3: (61) r1 = *(u32 *)(r1 +0)          ; R1_w=scalar(…)
//   from 4 to 7: R0=… R10=fp0
#pragma once

#include "verifier/diag/diag.h"
#include "verifier/program.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

/// Registers and stack of a frame on one line; all: every one, else those touched since the last line.
void log_frame(Diag& diag, const Program& prog, const PathState& path, const FrameState& frame, bool all);
/// What is known of a frame, all of it, as one line without its end. read: what paths from here have looked at, marked so.
std::string frame_line(const Diag& diag, const Program& prog, const PathState& path, const FrameState& frame, const ValueSet& read);
/// "from 4 to 7: R0=…": a path put aside is taken up …
void log_resume(Diag& diag, const Program& prog, const PathState& path);
/// … "from 4 to 7: safe": and ends at once.
void log_resumed_safe(Diag& diag, const PathState& path);
/// State touched by the previous instruction, then the source line if it changed, then the instruction. state_idx: the
/// instruction the state is told by where it has a line of its own.
void log_insn(Diag& diag, const Program& prog, const PathState& path, std::uint32_t state_idx);
void log_stats(Diag& diag, const Program& prog, const VerifiedProgram& out);

/// One register as the log shows it, "map_value(map=m,ks=4,vs=8)"; also for the report.
std::string reg_text(const Program& prog, const FrameState& frame, const RegState& reg);
/// "(b7) r1 = 0", with the program's names for maps and functions.
std::string insn_text(const Program& prog, std::uint32_t idx);

}  // namespace ring3::verifier
