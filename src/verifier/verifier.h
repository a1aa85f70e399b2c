// The verifier's only door: a pure function from a program and facts to a verdict.
//
//   verify(ProgramInput, Facts, Limits, LogSink&) -> Result<VerifiedProgram>
//
// No descriptors, no objects, no code generation: the loader (prog/) resolves descriptors into facts
// first, and rewrite/ turns a VerifiedProgram into what runs. Verbosity never changes a verdict.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "isa/insn.h"
#include "model/facts.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::verifier {

/// What a wide immediate with a pseudo source names, after the loader has resolved descriptors.
struct WideImmediate {
  std::uint32_t idx;           // instruction
  isa::Pseudo pseudo;          // kMapFd (also for index forms), kMapValue, kBtfId or kFunc
  std::uint32_t map = 0;       // index into ProgramInput::maps
  std::uint32_t value_off = 0; // kMapValue: byte offset into the value
  btf::TypeId btf_id = 0;      // kBtfId: VAR or FUNC of the host's BTF
};

struct FuncInfo { std::uint32_t insn_idx; btf::TypeId type; };
struct LineInfo { std::uint32_t insn_idx; std::string_view file, line; std::uint32_t line_num, line_col; };

struct ProgramInput {
  std::string_view name;
  std::uint32_t prog_type = 0;             // enum bpf_prog_type
  std::uint32_t attach_type = 0;           // enum bpf_attach_type
  std::uint32_t flags = 0;                 // BPF_F_SLEEPABLE, BPF_F_STRICT_ALIGNMENT, …
  bool gpl_compatible = false;
  std::span<const isa::Insn> insns;
  std::span<const isa::RawInsn> raw;       // the same slots as given, for field validation and messages
  std::span<const WideImmediate> wide;     // sorted by idx
  std::span<const model::MapFacts> maps;
  std::shared_ptr<const btf::Btf> btf;     // the program's own; null: none
  std::span<const FuncInfo> func_info;
  std::span<const LineInfo> line_info;
  /// What the program attaches to: a struct_ops member, a traced or replaced function; empty otherwise.
  model::AttachTarget target;
  model::Rights rights;
};

class ChunkCache;

struct Limits {
  std::uint32_t max_insns_processed = 1'000'000;
  std::uint32_t max_frames = 8;
  std::uint32_t max_stack_bytes = 512;
  /// Of the walk: what it keeps of paths and states. (Linux takes whatever it needs: tens of gigabytes for a small program.)
  std::uint64_t max_memory_bytes = std::uint64_t{2} << 30;
  /// Debug: walk every path to its end. Must agree with the pruned walk wherever it ends (callbacks still converge).
  bool no_pruning = false;
  /// Memory for the walk comes from here and goes back here; null: from the heap. Outlives the verification.
  ChunkCache* chunks = nullptr;
};

/// How arithmetic on a pointer by a register is kept inside the object when the CPU runs ahead of a wrong guess
/// (transfer/speculation.h). The amount is replaced by 0 unless it is at most `limit` towards its known side.
struct ArithMask {
  enum class Kind : std::uint8_t { kNone, kNumbers /* no pointer on any path */, kPointer };
  Kind kind = Kind::kNone;
  bool negative = false;        // the amount is below 0: it is negated first
  bool constant = false;        // the amount is the same known number on all paths: `limit` of it
  bool amount_in_src = false;   // else in dst, and the pointer in src
  std::uint32_t limit = 0;
  friend bool operator==(const ArithMask&, const ArithMask&) = default;
};

/// What later passes need to know about one instruction. Each field is written by one pass.
struct InsnFacts {
  bool reachable = false;                    // explore: never walked instructions are dead code
  bool branch_always = false;                // explore: conditional jump seen going one way only …
  bool branch_never = false;
  model::AccessKind access = model::AccessKind::kNone;  // what a load, store or atomic touches
  std::uint16_t ctx_row = 0xffff;            // access kCtx: row of model::ctx_fields()
  std::uint32_t map = UINT32_MAX;            // call: the one map all paths pass, or UINT32_MAX
  std::uint32_t callee = UINT32_MAX;         // subprog index of a call or a callback reference
  std::uint32_t kfunc = UINT32_MAX;          // index into VerifiedProgram::kfuncs
  std::int64_t const_args_known = 0;         // bit n: argument n+1 is the same constant on all paths …
  std::int64_t const_arg[5] = {};            // … and this is it; of a load with access kSocket the first is what it gives
  std::uint32_t object = UINT32_MAX;         // call of an object, list or tree function: index into VerifiedProgram::objects
  std::uint32_t node_off = 0;                // list push, tree add: byte offset of the node in its object
  bool percpu_object = false;                // bpf_this_cpu_ptr, bpf_per_cpu_ptr: argument 1 is a per-CPU object, not a variable
  const WeakType* weak = nullptr;            // bpf_kptr_xchg: the slot is a weak one
  bool dynptr_read_only = false;             // makes a dynptr of a packet that this program may not write
  bool shown_map = false;                    // bpf_map_sum_elem_count: argument 1 is the struct by which an iterator shows the map
  bool needs_nospec = false;                 // a store later loads must not overtake
  ArithMask mask;
  std::uint8_t fastcall_pairs = 0;           // fast call: spills and fills around it that no longer matter to clients
  bool zero_extend = false;                  // upper half of dst is read after this 32-bit write
  bool arena_arith = false;                  // the result is an arena pointer: 32 bits of it count, the others are 0
};

/// A struct objects of which the program makes, keeps or ends; of the program's BTF, or of a map's.
struct ObjectType {
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;
  std::uint32_t bytes = 0;
  bool percpu = false;                       // one copy per CPU; never has special fields
  model::FieldTable fields = {};             // what making one initialises and its end gives back
  /// Not a type, but one of these (indices into VerifiedProgram::objects): an instruction ends objects of all of them.
  std::vector<std::uint32_t> any_of = {};
};

struct Subprog {
  std::uint32_t start_idx = 0;
  std::uint32_t end_idx = 0;
  std::uint32_t stack_bytes = 0;
  std::uint32_t counted_stack_bytes = 0;     // without spills around fast calls
  std::uint32_t shown_stack_bytes = 0;       // … and with what Linux puts in for loops
  bool is_global = false;
  bool has_tail_call = false;
  bool is_callback = false;                  // entered from a helper with callback arguments
  bool is_exception_callback = false;
};

struct Stats {
  std::uint32_t insns_processed = 0;
  std::uint32_t states_total = 0;
  std::uint32_t states_peak = 0;
  std::uint32_t max_states_per_insn = 0;
  std::uint64_t time_ns = 0;
  std::uint64_t peak_memory_bytes = 0;
};

struct VerifiedProgram {
  std::vector<InsnFacts> insns;              // one per slot
  std::vector<Subprog> subprogs;             // sorted by start, main first
  std::vector<model::KfuncRef> kfuncs;       // in order of first use
  std::vector<ObjectType> objects;           // in order of first use; each type once
  std::vector<model::ProgramFunction> functions;  // those left in the program, for who replaces or traces one; main first
  std::uint32_t max_ctx_offset = 0;          // syscall programs: least context size
  std::uint32_t max_rdonly_access = 0;       // furthest byte touched of buffers whose size the load does not tell
  std::uint32_t max_rdwr_access = 0;         // … of those that may be written
  bool touches_percpu = false;               // needs a CPU slot while it runs
  bool may_sleep = false;
  bool changes_packet = false;
  /// Something the program does that no engine can run yet: it may be judged, not loaded. Empty: nothing.
  std::string_view not_runnable;
  Stats stats;
};

/// A bpf_loop whose callback and flags are known: Linux shows a loop in its place.
bool becomes_inline_loop(const isa::Insn& insn, const InsnFacts& facts);

/// Errors: what Linux answers for the same program (kInval, kAcces, kTooBig, kPerm, …); the reason is in log.
Result<VerifiedProgram> verify(const ProgramInput& in, const model::Facts& facts, const Limits& limits,
                               LogSink& log);

}  // namespace ring3::verifier
