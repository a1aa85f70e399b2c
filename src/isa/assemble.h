// The disassembler's text back to instructions: what case files are written in.
//
//   entry:                      label, alone on its line or before an instruction
//   3: (b7) r1 = 0              an index and an opcode byte in front are allowed; the byte, when given, is obeyed
//   if r1 == 0 goto out         targets: pc+N, +N or a label
//   r1 = 0x10 ll                wide immediate; hexadecimal without ll is one too (as the log prints it)
//   call bpf_ktime_get_ns       also with #5 behind, or the number alone
//   call kernel-function#12     kfunc by BTF id; other names go to Symbols
//   r1 = map[name:counts]       map by name: goes to Symbols
//   .raw 07 1 0 0 5             code (hex), dst, src, off, imm: any slot, legal or not
//   ; // or # at the start of a word: comment to the end of the line
//
// Wide immediates take two slots, so labels save counting.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isa/insn.h"
#include "ring3/result.h"

namespace ring3::isa {

/// What names outside this room stand for. Each returns false for an unknown name.
class Symbols {
 public:
  /// A kfunc: imm and off of the call.
  virtual bool kfunc(std::string_view /*name*/, std::int32_t& /*btf_id*/, std::int16_t& /*off*/) const { return false; }
  /// A map: the descriptor to put into the instruction.
  virtual bool map(std::string_view /*name*/, std::int32_t& /*fd*/) const { return false; }

 protected:
  ~Symbols() = default;
};

struct AssembleError {
  std::uint32_t line = 0;  // 1 for the first
  std::string message;     // what was wrong, with the offending text
};

/// Slots of the program, field rules not applied beyond what text can say.
/// Errors: kInval, with error filled in (may be null).
Result<std::vector<RawInsn>> assemble(std::string_view text, AssembleError* error = nullptr,
                                      const Symbols* symbols = nullptr);

/// Text that assembles back to exactly these slots: the log's text where that says everything, else .raw.
/// One line an instruction, jumps as pc+N.
std::string assembly_text(std::span<const RawInsn> raw);

}  // namespace ring3::isa
