// What a map kind puts in the place of bpf_map_lookup_elem(r1 = map, r2 = key): BPF instructions, the number of the CPU slot,
// and direct calls of the kind's own functions.
//
// Register rules: the sequence ends with r0 as the helper would leave it, and may use r1 to r5. Jumps stay inside; its
// end is the fall-through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "isa/insn.h"

namespace ring3::exec {
struct RunContext;
}

namespace ring3::maps {

/// A function for direct calls, of the type of helpers. It does not look at the run, calls nothing that does, and does
/// not throw.
using DirectFn = std::uint64_t (*)(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                                   std::uint64_t r5, exec::RunContext& run);

struct InlineCode {
  /// A kCallHelper's imm is an index into `functions`, or kCurrentCpu: r0 = the CPU slot of the run, r1 to r5 stay.
  static constexpr std::int64_t kCurrentCpu = -1;

  std::vector<isa::Insn> insns;
  std::vector<DirectFn> functions;

  void by_constant(isa::Op op, std::uint8_t dst, std::int64_t imm) {
    insns.push_back({.op = op, .bits = 64, .dst = dst, .imm = imm});
  }
  void by_register(isa::Op op, std::uint8_t dst, std::uint8_t src) {
    insns.push_back({.op = op, .bits = 64, .src_is_reg = true, .dst = dst, .src = src});
  }
  void load(std::uint8_t bytes, std::uint8_t dst, std::uint8_t src) {
    insns.push_back({.op = isa::Op::kLoad, .bits = 64, .size = bytes, .src_is_reg = true, .dst = dst, .src = src});
  }
  void address(std::uint8_t dst, const void* of) {
    const auto value = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(of));
    insns.push_back({.op = isa::Op::kLdImm64, .bits = 64, .dst = dst, .src = static_cast<std::uint8_t>(isa::Pseudo::kImm), .imm = value});
    insns.push_back({.op = isa::Op::kLdImm64Hi, .bits = 64});
  }
  void call(DirectFn function) {
    insns.push_back({.op = isa::Op::kCallHelper, .bits = 64, .imm = static_cast<std::int64_t>(functions.size())});
    functions.push_back(function);
  }
  void current_cpu() { insns.push_back({.op = isa::Op::kCallHelper, .bits = 64, .imm = kCurrentCpu}); }
  /// A jump whose end is not known yet: lands_here() says it.
  std::size_t jump(isa::Op op, std::uint8_t bits, std::uint8_t dst, std::int64_t imm) {
    insns.push_back({.op = op, .bits = bits, .dst = dst, .imm = imm});
    return insns.size() - 1;
  }
  void lands_here(std::size_t jump) { insns[jump].jump = static_cast<std::int32_t>(insns.size() - jump - 1); }
};

}  // namespace ring3::maps
