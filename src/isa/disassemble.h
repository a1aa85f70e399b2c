// Instructions as text: exactly the kernel's verifier log, so that tests and tools which read that log match.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/text_sink.h"
#include "isa/insn.h"

namespace ring3::isa {

/// Names the disassembler cannot know. Each returns false to get the default text.
class Names {
 public:
  /// Name of the callee of a kCallHelper, kCallKfunc ("kernel-function" when unknown) or kCallSubprog
  /// (all of what follows "call ").
  virtual bool call(const Insn&, std::string& /*out*/) const { return false; }
  /// All of what follows "rN = " for a kLdImm64: "map[id:3]", "0xffff…", ….
  virtual bool immediate(const Insn&, std::string& /*out*/) const { return false; }

 protected:
  ~Names() = default;
};

/// Appends "(b7) r1 = 0": opcode byte and text, no index, no newline. Nothing for a kLdImm64Hi.
/// An instruction that does not exist prints as "unknown instruction".
void disassemble(const Insn& insn, std::string& out, const Names* names = nullptr);
std::string disassemble(const Insn& insn, const Names* names = nullptr);

/// The whole program, one "IDX: (xx) …" line an instruction, as bpftool and the log show it.
void disassemble(std::span<const Insn> insns, TextSink& out, const Names* names = nullptr);

}  // namespace ring3::isa
