#include "verdict_diff.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "engines_host_btf.h"
#include "engines_host_functions.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"
#include "uapi/bpf.h"

namespace ring3::native {

VerdictDiff::VerdictDiff() {
  runtime_ = Runtime::create({.name = "diff", .btf = engines_host_btf}).value();
  interpreting_ = Runtime::create({.name = "diff-interpreter", .btf = engines_host_btf, .execution = Execution::kInterpreter}).value();
  RING3_CHECK(add_engines_host(*runtime_).ok() && add_engines_host(*interpreting_).ok(), "a runtime takes the host's functions");
  const auto bpf_of = [this](Runtime& runtime) -> Bpf {
    return [this, &runtime](int cmd, void* attr, std::uint32_t size) {
      syscall::OwnCaller caller(rights_);
      return syscall::bpf(runtime.impl().kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size);
    };
  };
  const auto names_of = [](Runtime& runtime) { return HostNames(*runtime.impl().host_btf()->btf()); };
  RING3_CHECK(ours_.open(bpf_of(*runtime_), names_of(*runtime_)) == 0 && interpreted_.open(bpf_of(*interpreting_), names_of(*interpreting_)) == 0,
              "a runtime makes every map");
  const long error = theirs_.open(kernel_bpf(), kernel_names());
  if (error < 0) problem_ = std::string("bpf(2) makes no maps or programs here: ") + std::strerror(static_cast<int>(-error));
}

bool VerdictDiff::asks_kernel(const RandomProgram& program) const { return problem_.empty() && !needs_our_host(program) && theirs_.has_names_of(program); }

bool VerdictDiff::keeps_addresses(const RandomProgram& program) {
  rights_.keeps_addresses = true;
  const long prog = ours_.load(program, false);
  rights_.keeps_addresses = false;
  if (prog >= 0) ::close(static_cast<int>(prog));
  return prog >= 0;
}

/// Compiled against the kernel, and interpreted against compiled.
Comparison VerdictDiff::compare_runs(const RandomProgram& program, long ours, long theirs) {
  Comparison c;
  c.accepted = c.ran = true;
  c.by_kernel = asks_kernel(program);
  const long interpreted = interpreted_.load(program, false);
  const RunResult compiled = ours_.run(ours), reference = interpreted_.run(interpreted);
  const RunResult kernel = c.by_kernel ? theirs_.run(theirs) : reference;
  if (interpreted >= 0) ::close(static_cast<int>(interpreted));
  if (compiled == kernel && compiled == reference) return c;
  c.difference = Difference::kResult;
  c.ours = "compiled:    " + compiled.text() + "\ninterpreted: " + reference.text();
  c.theirs = kernel.text();
  return c;
}

Comparison VerdictDiff::compare(const RandomProgram& program) {
  Comparison c;
  const long ours = ours_.load(program, false);
  const long theirs = asks_kernel(program) ? theirs_.load(program, false) : ours >= 0 ? ::dup(static_cast<int>(ours)) : ours;
  if (ours >= 0 && theirs < 0 && !gave_up(theirs)) c.difference = Difference::kOnlyWeAccept;
  if (ours < 0 && theirs >= 0 && !gave_up(ours)) c.difference = Difference::kOnlyWeRefuse;
  if (c.difference != Difference::kNone) {
    for (const long again : {ours_.load(program, true), theirs_.load(program, true)})
      if (again >= 0) ::close(static_cast<int>(again));
    c.ours = ours_.log();
    c.theirs = theirs_.log();
  }
  if (ours >= 0 && theirs >= 0) {
    c.accepted = true;
    if (!keeps_addresses(program)) {  // they differ from one kernel to the next
      ::close(static_cast<int>(ours));
      ::close(static_cast<int>(theirs));
      return c;
    }
    c = compare_runs(program, ours, theirs);
  }
  if (ours >= 0) ::close(static_cast<int>(ours));
  if (theirs >= 0) ::close(static_cast<int>(theirs));
  return c;
}

namespace {

bool is_wide(const isa::RawInsn& i) { return i.code == 0x18; }
bool names_function(const isa::RawInsn& i) { return (i.code == 0x85 && i.src == 1) || (i.code == 0x18 && i.src == kNamesFunction); }
bool is_far_jump(const isa::RawInsn& i) { return i.code == 0x06; }
bool is_jump(const isa::RawInsn& i) {
  return ((i.code & 7) == 5 || (i.code & 7) == 6) && (i.code & 0xf0) != 0x80 && (i.code & 0xf0) != 0x90;
}

/// The program without instruction `at`; jumps to it go to the next one.
RandomProgram without(const RandomProgram& program, std::size_t at) {
  RandomProgram out;
  const auto width = is_wide(program.insns[at]) ? 2u : 1u;
  const auto moved = [&](std::ptrdiff_t i) { return i > static_cast<std::ptrdiff_t>(at) ? i - static_cast<std::ptrdiff_t>(width) : i; };
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    if (i >= at && i < at + width) continue;
    isa::RawInsn insn = program.insns[i];
    const auto from = static_cast<std::ptrdiff_t>(i);
    if (is_jump(insn) && !is_far_jump(insn)) insn.off = static_cast<std::int16_t>(moved(from + 1 + insn.off) - moved(from) - 1);
    if (names_function(insn) || is_far_jump(insn)) insn.imm = static_cast<std::int32_t>(moved(from + 1 + insn.imm) - moved(from) - 1);
    out.insns.push_back(insn);
  }
  return out;
}

}  // namespace

RandomProgram VerdictDiff::minimise(RandomProgram program, Difference keep) {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = program.insns.size(); i-- > 0;) {
      if (program.insns[i].code == 0) continue;  // second half of a wide immediate
      RandomProgram smaller = without(program, i);
      if (smaller.insns.empty() || compare(smaller).difference != keep) continue;
      program = std::move(smaller);
      changed = true;
      i = std::min(i, program.insns.size());
    }
  }
  return program;
}

}  // namespace ring3::native
