// Any program: the verifier ends with a verdict, and what it accepts does no harm.
//
// Input: one byte of choices, then either instruction slots as they are, or bytes that are made into instructions with
// legal fields (rows of insn.def) behind a prologue that leaves numbers of unknown value in registers, or into programs that are nearly
// right (support/tame_programs.h), or nearly right and full of loops (support/looping_programs.h).
//
// Oracles
//   - an accepted program touches its context and its stack only: the context is a heap block of exactly the bytes the
//     verifier says the program needs, the interpreter is built with address sanitizer
//   - what a caller without rights may load, a caller with all rights may
//   - without CAP_PERFMON results do not depend on where memory lies: interpreter and compiler, whose stacks are
//     elsewhere, give the same result and leave the same context
//   - a walk of every path, where it ends, refuses nothing that the pruned walk accepts
//   - a run of the program as written, on a machine that watches every access (support/concrete_machine.h), is at each
//     instruction in one of the states that the walk of every path had there: registers and stack (verifier/witness.h)
//   - such a run ends, whatever number of rounds its iterators, callbacks and may_gotos have, and leaves no iterator behind
//   - the machine's kernel, where ring3-verifier-fuzz --kernel asks it, accepts what is accepted here (support/kernel_oracle.h)
//   - the verdict stays when nops are put in, registers get other names, blocks another order (support/layout.h)
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "fuzz/support/concrete_machine.h"
#include "fuzz/support/counts.h"
#include "fuzz/support/fuzz_world.h"
#include "fuzz/support/kernel_oracle.h"
#include "fuzz/support/layout.h"
#include "fuzz/support/looping_programs.h"
#include "fuzz/support/tame_programs.h"
#include "exec/engine.h"
#include "exec/helper_table.h"
#include "exec/jit.h"
#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/rows.h"
#include "rewrite/rewrite.h"
#include "uapi/bpf.h"
#include "verifier/verifier.h"
#include "verifier/witness.h"

namespace ring3::fuzz {
Counts& counts() {
  static Counts all;
  return all;
}
}  // namespace ring3::fuzz

namespace {

using namespace ring3;
using isa::RawInsn;
using isa::Role;

constexpr std::size_t kMostInsns = 192;
constexpr std::size_t kInsnsToWalkWhole = 48;
constexpr std::uint32_t kMostWalked = 20'000;

class Sink final : public verifier::LogSink {
 public:
  explicit Sink(std::uint32_t log_level = 0) { level = log_level; }
  void write(std::string_view more) override {
    if (fuzz::counts().show) text += more;
  }
  void rejected(const verifier::Rejection& why) override {
    message = why.message;
    rule = why.rule;
  }

  std::string message, rule, text;
};

/// Bytes of the input, one after the other; zeros behind its end.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> input) : input_(input) {}
  bool more() const { return at_ < input_.size(); }
  std::uint8_t next() { return more() ? input_[at_++] : 0; }

 private:
  std::span<const std::uint8_t> input_;
  std::size_t at_ = 0;
};

constexpr std::int32_t kImmediates[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 255, 256, 4096, 65535,
                                        INT32_MAX, INT32_MIN, -1, -2, -8, -16, -64, -512};

bool is_generated(const isa::Row& row) {
  switch (row.form) {
    case isa::Form::kCall: case isa::Form::kLdSkb: case isa::Form::kAddrSpace: case isa::Form::kMayGoto:
    case isa::Form::kLdImm64: case isa::Form::kLdImm64Hi: return false;
    default: return true;
  }
}

std::uint8_t register_of(Bytes& bytes, bool base) {
  const std::uint8_t choice = bytes.next();
  if (base) return std::array<std::uint8_t, 4>{10, 6, 10, static_cast<std::uint8_t>(choice / 4 % 11)}[choice % 4];
  return static_cast<std::uint8_t>(choice % 10);
}

RawInsn generated(Bytes& bytes) {
  const isa::Row* row = nullptr;
  do row = &isa::kRows[bytes.next() % isa::kRowCount];
  while (!is_generated(*row) && bytes.more());
  if (!is_generated(*row)) return {0xb7, 0, 0, 0, 0};
  const bool writes = (row->effects & isa::kStores) != 0;
  const bool reads = (row->effects & isa::kLoads) != 0;
  RawInsn out{row->code, 0, 0, 0, 0};
  const auto reg = [&](const isa::Field& field, bool base) {
    return static_cast<std::uint8_t>((field.is_register() ? register_of(bytes, base) : field.value) & 15);
  };
  out.dst = reg(row->dst, writes) & 0xf;
  out.src = reg(row->src, reads && !writes) & 0xf;
  const std::uint8_t choice = bytes.next();
  switch (row->off.role) {
    case Role::kMem: out.off = static_cast<std::int16_t>((choice % 2 == 0 ? -8 : 1) * (choice / 2 % 72)); break;
    case Role::kJump: out.off = static_cast<std::int16_t>(choice < 224 ? choice % 8 : -(choice % 8) - 1); break;
    case Role::kIs: out.off = row->off.value; break;
    default: break;
  }
  switch (row->imm.role) {
    case Role::kValue: out.imm = kImmediates[choice % std::size(kImmediates)]; break;
    case Role::kJump: out.imm = choice % 8; break;
    case Role::kWidth: out.imm = std::array{16, 32, 64}[choice % 3]; break;
    case Role::kIs: out.imm = row->imm.value; break;
    default: break;
  }
  return out;
}

constexpr std::uint8_t kMovImm = 0xb7, kMovReg = 0xbf, kLoadWide = 0x79, kLoadWord = 0x61, kStoreImm = 0x7a, kAndImm = 0x57,
                       kExit = 0x95;

std::vector<RawInsn> make_program(Bytes& bytes) {
  std::vector<RawInsn> out{{kMovReg, 6, 1, 0, 0}, {kLoadWide, 7, 6, 0, 0}, {kLoadWord, 8, 6, 8, 0}, {kMovReg, 9, 8, 0, 0},
                           {kAndImm, 9, 0, 0, 0x1f}, {kStoreImm, 10, 0, -8, 0}, {kStoreImm, 10, 0, -16, 7},
                           {kMovImm, 0, 0, 0, 0}, {kMovReg, 2, 10, 0, 0}};
  while (bytes.more() && out.size() < kMostInsns) out.push_back(generated(bytes));
  for (int i = 0; i < 8; ++i) out.push_back({kMovImm, 0, 0, 0, 0});  // jumps land here
  out.push_back({kExit, 0, 0, 0, 0});
  return out;
}

std::vector<RawInsn> raw_program(Bytes& bytes) {
  std::vector<RawInsn> out;
  while (bytes.more() && out.size() < kMostInsns) {
    RawInsn insn{};
    insn.code = bytes.next();
    const unsigned registers = bytes.next();
    insn.dst = registers & 0xf;
    insn.src = registers >> 4 & 0xf;
    const unsigned low = bytes.next();
    insn.off = static_cast<std::int16_t>(low | static_cast<unsigned>(bytes.next()) << 8);
    std::uint32_t imm = 0;
    for (int i = 0; i < 4; ++i) imm |= std::uint32_t{bytes.next()} << (8 * i);
    insn.imm = static_cast<std::int32_t>(imm);
    out.push_back(insn);
  }
  return out;
}

std::vector<verifier::WideImmediate> wide_of(const std::vector<isa::Insn>& insns) {
  std::vector<verifier::WideImmediate> wide;
  for (std::uint32_t idx = 0; idx < insns.size(); ++idx) {
    const isa::Insn& insn = insns[idx];
    if (insn.op != isa::Op::kLdImm64 || insn.pseudo() == isa::Pseudo::kImm || insn.pseudo() == isa::Pseudo::kFunc) continue;
    wide.push_back({.idx = idx, .pseudo = insn.pseudo(), .map = static_cast<std::uint32_t>(insn.imm) & 1,
                    .value_off = static_cast<std::uint32_t>(static_cast<std::uint64_t>(insn.imm) >> 32)});
  }
  return wide;
}

struct Judged {
  const std::vector<RawInsn>& raw;
  std::vector<isa::Insn> insns;
  std::vector<verifier::WideImmediate> wide;
  model::MapFacts map;
  std::uint32_t prog_type;
  bool has_types = false;  // functions have records
  std::vector<verifier::FuncInfo> functions = has_types ? fuzz::function_records(raw) : std::vector<verifier::FuncInfo>{};

  verifier::ProgramInput input(const model::Rights& rights) const {
    verifier::ProgramInput in;
    in.name = "fuzz";
    in.prog_type = prog_type;
    in.flags = prog_type == uapi::BPF_PROG_TYPE_SYSCALL ? std::uint32_t{uapi::BPF_F_SLEEPABLE} : 0u;
    in.gpl_compatible = true;
    in.insns = insns;
    in.raw = raw;
    in.wide = wide;
    in.maps = {&map, 1};
    if (has_types) in.btf = fuzz::world().program_btf;
    in.func_info = functions;
    in.rights = rights;
    return in;
  }
  /// rule: that it breaks, if it is refused.
  Result<verifier::VerifiedProgram> verify_witnessed(const model::Rights& rights, verifier::Witness& witness, std::string* rule = nullptr) const {
    verifier::Limits limits;
    limits.max_insns_processed = 20'000;
    limits.no_pruning = true;
    Sink sink;
    auto verdict = verifier::verify_witnessed(input(rights), fuzz::world().facts, limits, sink, witness);
    if (rule != nullptr) *rule = sink.rule;
    return verdict;
  }
  /// The program is refused for what the CPU may do after a wrong guess.
  bool is_refused_on_wrong_guess(const model::Rights& rights) const {
    verifier::Witness witness;
    verifier::Limits limits;
    limits.max_insns_processed = kMostWalked;
    Sink sink;
    const auto verdict = verifier::verify_witnessed(input(rights), fuzz::world().facts, limits, sink, witness);
    return !verdict.ok() && witness.ended_on_wrong_guess();
  }
  /// message: why not, if it is refused.
  Result<verifier::VerifiedProgram> verify(const model::Rights& rights, bool every_path, std::uint32_t log_level = 0,
                                           std::string* message = nullptr, std::string* rule = nullptr) const {
    verifier::Limits limits;
    limits.max_insns_processed = every_path ? 100'000 : kMostWalked;
    limits.no_pruning = every_path;
    Sink sink(log_level);
    auto verdict = verifier::verify(input(rights), fuzz::world().facts, limits, sink);
    if (message != nullptr) *message = sink.message;
    if (rule != nullptr) *rule = sink.rule;
    return verdict;
  }
};

[[noreturn]] void complain(const char* what, const Judged& judged) {
  std::fprintf(stderr, "%s\n", what);
  StringSink text;
  isa::disassemble(judged.insns, text);
  std::fprintf(stderr, "%s", text.text().c_str());
  std::abort();
}

void show(const Judged& judged) {
  StringSink text;
  isa::disassemble(judged.insns, text);
  Sink sink(2);
  verifier::Limits limits;
  limits.max_insns_processed = kMostWalked;
  (void)verifier::verify(judged.input(model::Rights::all()), fuzz::world().facts, limits, sink);
  std::printf("%s\n%s\n", text.text().c_str(), sink.text.c_str());
}

std::byte pattern_byte(std::size_t i) { return static_cast<std::byte>(i * 37 + 11); }

/// Programs that name no map, and whose run with the pattern for a context ends soon.
bool runs_on_engines(const Judged& judged, std::size_t context_bytes) {
  constexpr std::uint64_t kMostSteps = 100'000;
  if (judged.prog_type != uapi::BPF_PROG_TYPE_SYSCALL || !fuzz::ConcreteMachine::knows(judged.insns)) return false;
  if (std::any_of(judged.insns.begin(), judged.insns.end(), [](const isa::Insn& insn) {
        return insn.op == isa::Op::kLdImm64 && insn.pseudo() != isa::Pseudo::kFunc;
      }))
    return false;
  std::vector<std::byte> context(context_bytes);
  for (std::size_t i = 0; i < context_bytes; ++i) context[i] = pattern_byte(i);
  fuzz::ConcreteMachine machine(judged.insns, context);
  return machine.run(kMostSteps, 0, [](const verifier::ConcreteState&) { return true; }).finished;
}

struct RunResult {
  std::uint64_t r0;
  std::vector<std::uint64_t> context;
  friend bool operator==(const RunResult&, const RunResult&) = default;
};

/// Null: this engine does not take the program.
std::unique_ptr<RunResult> run_on(exec::Engine& engine, const std::shared_ptr<const rewrite::XlatedProgram>& program,
                                  std::size_t context_bytes) {
  auto code = engine.compile(program);
  if (!code.ok()) return nullptr;
  // Exactly as large as the verifier says; the sanitizer watches its ends.
  const auto context = std::make_unique<std::byte[]>(context_bytes);
  for (std::size_t i = 0; i < context_bytes; ++i) context[i] = pattern_byte(i);
  exec::RunContext run;
  run.code = &*code.value();  // callbacks are its functions
  auto out = std::make_unique<RunResult>();
  out->r0 = code.value()->call_subprog(run, 0, reinterpret_cast<std::uintptr_t>(context.get()), 0, 0, 0, 0);
  for (std::size_t i = 0; i < context_bytes; ++i) out->context.push_back(static_cast<std::uint64_t>(context[i]));
  return out;
}

void run_accepted(const Judged& judged, const verifier::VerifiedProgram& verified, const model::Rights& rights) {
  const std::size_t bytes = verified.max_ctx_offset == 0 ? 1 : verified.max_ctx_offset;
  if (!runs_on_engines(judged, bytes)) return;
  Sink sink;
  const verifier::ProgramInput input = judged.input(rights);
  auto xlated = rewrite::rewrite({.program = input, .verified = verified, .facts = fuzz::world().facts, .maps = {}, .find_helper = &exec::find_helper}, sink);
  if (!xlated.ok()) return;
  const auto program = std::make_shared<const rewrite::XlatedProgram>(std::move(xlated).value());
  ++fuzz::counts().engine_runs;
  const std::unique_ptr<RunResult> interpreted = run_on(*exec::make_interpreter(), program, bytes);
  if (rights.perfmon || !exec::jit_available() || interpreted == nullptr) return;
  exec::CodeMemory memory;
  const std::unique_ptr<RunResult> compiled = run_on(*exec::make_jit(memory, {}), program, bytes);
  if (compiled != nullptr && *compiled != *interpreted) complain("an address shows, or engines differ", judged);
}

/// What a run starts with: a pattern, zeros, ones, and bytes that differ from one program to the next.
std::vector<std::byte> context_of(std::size_t bytes, unsigned kind, std::uint64_t seed) {
  std::vector<std::byte> context(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto random = static_cast<std::byte>(seed >> 56);
    context[i] = kind == 0 ? pattern_byte(i) : kind == 1 ? std::byte{0} : kind == 2 ? std::byte{0xff} : random;
  }
  return context;
}

[[noreturn]] void complain_of_state(const Judged& judged, const model::Rights& rights, const verifier::ConcreteState& run) {
  verifier::Witness witness(true);
  (void)judged.verify_witnessed(rights, witness);
  std::fprintf(stderr, "before instruction %u a run has", run.idx);
  for (unsigned r = 0; r < isa::kRegCount; ++r) std::fprintf(stderr, " r%u=%llx", r, static_cast<unsigned long long>(run.frames.back().regs[r]));
  std::fprintf(stderr, " (context at %llx)\nand the walk\n%s", static_cast<unsigned long long>(run.ctx), witness.text(run.idx).c_str());
  complain("a run left the states of the walk", judged);
}

/// Some run of a program that is not accepted goes on and on.
bool runs_for_ever(const Judged& judged) {
  constexpr std::uint64_t kMostSteps = 1'000'000;
  if (judged.prog_type != uapi::BPF_PROG_TYPE_SYSCALL || !fuzz::ConcreteMachine::knows(judged.insns)) return false;
  for (unsigned kind = 0; kind < 16; ++kind) {
    fuzz::ConcreteMachine machine(judged.insns, context_of(128, kind, judged.insns.size() + kind), 1 + kind % 3);
    const fuzz::RunEnd end = machine.run(kMostSteps, 0, [](const verifier::ConcreteState&) { return true; });
    if (!end.finished && end.fault.empty()) return true;
  }
  return false;
}

/// A verdict that may depend on the order of the walk, as on Linux. For who may see addresses: Witness::accessed_somewhere(). For others:
/// `refused` is refused on a wrong guess. Its operands are taken for unknown, and a path that was not guessed may cover it or come too late.
bool is_excused(const Judged& judged, const Judged& refused, const model::Rights& rights) {
  if (!rights.perfmon) {
    const bool excused = refused.is_refused_on_wrong_guess(rights);
    fuzz::counts().excused += excused ? 1 : 0;
    return excused;
  }
  verifier::Witness witness;
  (void)judged.verify_witnessed(rights, witness);
  fuzz::counts().excused += witness.accessed_somewhere() ? 1 : 0;
  return witness.accessed_somewhere();
}

/// Numbers that changed since the visit before are widened where iterators and callbacks go on, unless something relied on them by then. A
/// walk of every path that ends only where all is the same makes more visits, so it may widen a number that the pruned walk keeps, and then take a counted loop for an endless
/// one, or go a way on which a register has nothing in it, or a number where an address was (seeds 770019111, 770103374, 773016062). Nothing
/// is reached by it, and that the program ends and touches nothing else is seen in its runs.
bool is_widened(const std::string& rule, const verifier::Witness& witness) {
  if (rule != "InfiniteLoop" && !witness.ended_on_widened()) return false;
  ++fuzz::counts().widened;
  return true;
}

/// Every step of some runs lies in the states of the walk, no access outside of the objects, and the end is reached.
void run_in_states(const Judged& judged, const model::Rights& rights, const verifier::VerifiedProgram& verified) {
  constexpr std::uint64_t kLooks = 4096;
  // The longest path that was walked has fewer than kMostWalked instructions, a few loops in each other that end by themselves.
  constexpr std::uint64_t kMostSteps = 8'000'000;
  constexpr std::uint32_t kMostRounds[] = {3, 1, 2, 0, 3, 2};
  if (judged.prog_type != uapi::BPF_PROG_TYPE_SYSCALL || !fuzz::ConcreteMachine::knows(judged.insns)) return;
  verifier::Witness witness;
  std::string rule;
  const auto whole = judged.verify_witnessed(rights, witness, &rule);
  if (!whole.ok() && whole.error() != Errno::kTooBig && !is_widened(rule, witness) && !is_excused(judged, judged, rights)) {
    std::fprintf(stderr, "%s\n", rule.c_str());
    complain("accepted by the pruned walk, refused by the whole one", judged);
  }
  fuzz::counts().too_long += whole.ok() ? 0 : 1;  // its runs are not held against states
  std::uint64_t seed = judged.insns.size();
  for (const isa::Insn& insn : judged.insns) seed = seed * 31 + static_cast<std::uint64_t>(insn.imm) + insn.dst;
  for (unsigned kind = 0; kind < std::size(kMostRounds); ++kind) {
    const std::size_t bytes = verified.max_ctx_offset == 0 ? 1 : verified.max_ctx_offset;
    const std::vector<std::byte> context = context_of(bytes, kind, seed + kind);
    fuzz::ConcreteMachine machine(judged.insns, context, kMostRounds[kind]);
    const fuzz::RunEnd end = machine.run(kMostSteps, whole.ok() ? kLooks : 0, [&](const verifier::ConcreteState& state) {
      ++fuzz::counts().steps;
      if (!witness.covers(state)) complain_of_state(judged, rights, state);
      return true;
    });
    ++fuzz::counts().runs;
    fuzz::counts().longest_run = std::max(fuzz::counts().longest_run, end.steps);
    if (!end.fault.empty()) complain(("accepted, but it faults: " + end.fault).c_str(), judged);
    if (!end.finished) complain("accepted, but it does not end", judged);
  }
}

/// As the program is written in another way: the same verdict, unless one of both is given up on.
void compare_edits(const Judged& judged, bool accepted, const model::Rights& rights, std::uint64_t choices) {
  if (!fuzz::is_editable(judged.raw)) return;
  for (unsigned edit = 0; edit < 3; ++edit) {
    const std::vector<RawInsn> raw = edit == 0   ? fuzz::with_nops(judged.raw, choices)
                                     : edit == 1 ? fuzz::with_renamed_registers(judged.raw, 1 + static_cast<unsigned>(choices % 3))
                                                 : fuzz::with_blocks_reversed(judged.raw);
    isa::FieldError wrong;
    auto insns = isa::decode(raw, &wrong);
    if (raw.empty() || !insns.ok()) continue;
    const Judged edited{.raw = raw, .insns = *insns, .wide = wide_of(*insns), .map = judged.map, .prog_type = judged.prog_type,
                        .has_types = judged.has_types};
    std::string message;
    const auto verdict = edited.verify(rights, false, 0, &message);
    ++fuzz::counts().edits;
    if (verdict.ok() == accepted || (!verdict.ok() && verdict.error() == Errno::kTooBig)) continue;
    if (is_excused(judged, accepted ? edited : judged, rights)) continue;
    constexpr const char* kEdits[] = {"nops change the verdict", "names of registers change the verdict", "the order of blocks changes the verdict"};
    std::string before;
    (void)judged.verify(rights, false, 0, &before);
    std::fprintf(stderr, "%s %s as edited: %s%s\n", rights.perfmon ? "with all rights" : "with CAP_BPF", accepted ? "refused" : "accepted",
                 message.c_str(), before.c_str());
    StringSink text;
    isa::disassemble(edited.insns, text);
    std::fprintf(stderr, "%s", text.text().c_str());
    complain(kEdits[edit], judged);
  }
}

/// The machine's kernel, if it is asked, accepts it as well.
void compare_with_kernel(const Judged& judged, const Result<verifier::VerifiedProgram>& with_all) {
  fuzz::KernelOracle* kernel = fuzz::kernel_oracle().get();
  if (kernel == nullptr) return;
  const verifier::ProgramInput input = judged.input(model::Rights::all());
  fuzz::KernelOracle::Asked asked{.prog_type = input.prog_type, .flags = input.flags, .raw = judged.raw, .has_types = judged.has_types, .accepted = with_all.ok()};
  if (with_all.ok()) {
    for (const verifier::InsnFacts& insn : with_all->insns) asked.reached.push_back(insn.reachable);
  } else {
    asked.error = with_all.error();
    (void)judged.verify(model::Rights::all(), false, 0, nullptr, &asked.rule);
    if (fuzz::is_editable(judged.raw)) {
      asked.edits.push_back(fuzz::with_blocks_reversed(judged.raw));
      for (unsigned shift = 1; shift < 4; ++shift) asked.edits.push_back(fuzz::with_renamed_registers(judged.raw, shift));
      for (std::uint64_t choices = 1; choices <= 48; ++choices) asked.edits.push_back(fuzz::with_nops(judged.raw, choices * 0x9e3779b97f4a7c15u));
    }
  }
  asked.every_path_agrees = [&] {
    const auto whole = judged.verify(model::Rights::all(), true);
    return whole.ok() == with_all.ok() && (whole.ok() || whole.error() != Errno::kTooBig);
  };
  asked.runs_for_ever = [&] { return runs_for_ever(judged); };
  std::unique_ptr<verifier::Witness> witness;
  asked.believed = [&](std::uint32_t from, std::uint32_t idx, unsigned regno) {
    if (witness == nullptr) {
      witness = std::make_unique<verifier::Witness>();
      (void)judged.verify_witnessed(model::Rights::all(), *witness);
    }
    return witness->belief(from, idx, regno);
  };
  asked.found_by = "seed " + std::to_string(fuzz::counts().seed);
  const std::string wrong = kernel->compare(asked);
  if (!wrong.empty()) complain(wrong.c_str(), judged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes bytes({data, size});
  const std::uint8_t choices = bytes.next();
  const bool loops = (choices & 17) == 17;
  const std::vector<RawInsn> raw = loops                ? fuzz::looping_program({data + 1, size - 1}, kMostInsns)
                                   : (choices & 16) != 0 ? fuzz::tame_program({data + 1, size - 1}, kMostInsns / 2)
                                   : (choices & 1) != 0  ? make_program(bytes)
                                                         : raw_program(bytes);
  isa::FieldError wrong;
  auto insns = isa::decode(raw, &wrong);
  if (!insns.ok()) return 0;
  constexpr std::uint32_t kTypes[] = {uapi::BPF_PROG_TYPE_SYSCALL, uapi::BPF_PROG_TYPE_SOCKET_FILTER,
                                      uapi::BPF_PROG_TYPE_XDP, uapi::BPF_PROG_TYPE_SCHED_CLS};
  Judged judged{.raw = raw, .insns = *insns, .wide = wide_of(*insns), .map = {}, .prog_type = kTypes[choices >> 1 & 3], .has_types = loops};
  judged.map.type = uapi::BPF_MAP_TYPE_ARRAY;
  judged.map.key_size = 4;
  judged.map.value_size = fuzz::kArrayValueBytes;
  judged.map.max_entries = fuzz::kArrayEntries;

  if (fuzz::counts().show) show(judged);
  const model::Rights all = model::Rights::all(), some{.bpf = true};
  const auto with_all = judged.verify(all, false, (choices & 8) != 0 ? 2 : 0);
  const auto with_some = judged.verify(some, false);
  const auto too_long = [](const auto& verdict) { return !verdict.ok() && verdict.error() == Errno::kTooBig; };
  if (with_some.ok() && !with_all.ok() && !too_long(with_all)) complain("accepted without rights, refused with all", judged);
  ++fuzz::counts().programs;
  fuzz::counts().accepted += with_all.ok() ? 1 : 0;
  if (loops) ++fuzz::counts().loops;
  if (loops && with_all.ok()) ++fuzz::counts().loops_accepted;
  compare_with_kernel(judged, with_all);
  if (with_all.ok() || !too_long(with_all)) compare_edits(judged, with_all.ok(), all, size * 0x9e3779b97f4a7c15u + choices);
  if (with_some.ok() || !too_long(with_some)) compare_edits(judged, with_some.ok(), some, size * 0x9e3779b97f4a7c15u + choices);
  if (with_all.ok()) run_in_states(judged, all, with_all.value());
  if (with_some.ok()) run_in_states(judged, some, with_some.value());
  if (with_all.ok()) run_accepted(judged, with_all.value(), all);
  if (with_some.ok()) run_accepted(judged, with_some.value(), some);
  if (judged.insns.size() > kInsnsToWalkWhole) return 0;
  if (with_all.ok()) {
    const auto whole = judged.verify(all, true);
    if (!whole.ok() && !too_long(whole) && !is_excused(judged, judged, all)) complain("accepted by the pruned walk, refused by the whole one", judged);
  }
  return 0;
}
