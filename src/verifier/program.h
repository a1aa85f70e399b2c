// The program under verification, prepared: everything that is computed once before any path is walked
// and only read afterwards. Filled by flow/ in the order of its fields.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isa/insn.h"
#include "model/facts.h"
#include "model/kernel_kfuncs.h"
#include "model/kfunc_args.h"
#include "model/prog_kind.h"
#include "verifier/verifier.h"

namespace ring3::verifier {

using model::GlobalArg;

/// The function whose arguments the context holds.
struct TargetProto {
  const btf::Btf* btf = nullptr;    // null: the context is no array of arguments
  btf::TypeId proto = 0;            // FUNC_PROTO; 0: arguments are not known, all are numbers
  const model::ProgramFacts* program = nullptr;  // the function is one of this program, whose BTF is `btf`
  std::string_view name;
  std::uint32_t skip = 0;           // leading parameters programs do not see
  std::uint32_t nullable = 0;       // bit per argument
  bool trusted = false;             // pointers are valid for the whole run
  bool shows_result = false;        // behind the arguments stands the result
  std::uint32_t read_buffers = 0;   // bit per argument: a void pointer that is a buffer to read …
  std::uint32_t buffers = 0;        // … or to read and write
};

/// A global function is walked on its own, once for each of these that it is called in: what may sleep and what counts as
/// a read section depend on it.
enum Surroundings : std::uint8_t { kAtomic = 1 << 0, kMaySleep = 1 << 1 };

struct SubprogInfo {
  std::uint32_t start = 0, end = 0;
  btf::TypeId func = 0;            // FUNC record, 0: none
  std::string_view name;
  bool is_global = false;          // verified once against its prototype
  bool is_callback = false;        // address taken
  bool is_async_callback = false;  // set on a timer or work item …
  bool is_sync_callback = false;   // run by a helper before it returns
  bool is_exception_callback = false;
  bool may_throw = false;          // itself, or by what it calls
  bool has_tail_call = false;
  bool tail_call_reachable = false;
  bool may_sleep = false;          // calls something that may sleep
  bool changes_packet = false;     // itself, or by what it calls
  bool returns_void = false;
  bool prototype_ok = false;       // args below are usable
  bool has_arg_tags = false;       // its prototype says more of its arguments than their types do
  bool entered_untyped = false;    // static: something else came in than its prototype says
  std::vector<GlobalArg> args;
  std::uint32_t stack_bytes = 0;   // grows while paths are walked
  // Spills around fast calls (flow/fastcall.cc): all below fastcall_off, which nothing else touches.
  bool has_fastcall = false;
  bool keeps_fastcall_stack = false;
  std::int32_t fastcall_off = 0;
  std::uint8_t called = 0;         // global: Surroundings that verified code enters it in …
  std::uint8_t verified = 0;       // … and those it was walked in
};

/// A callback that runs later, on its own (call/async.cc): one walk.
struct AsyncEntry {
  std::uint32_t subprog;
  std::uint32_t map;               // index into Program::maps: whose value has the timer or work item …
  bool of_lookup;                  // … of one found in an outer map
  bool may_sleep;
  std::uint32_t callsite;          // where it was first set; only for the log
  bool walked = false;

  bool same_walk(const AsyncEntry& o) const {
    return subprog == o.subprog && map == o.map && of_lookup == o.of_lookup && may_sleep == o.may_sleep;
  }
};

/// Per instruction flow facts; bits.
enum InsnMark : std::uint8_t {
  kMarkJumpTarget = 1 << 0,
  kMarkPrune = 1 << 1,            // states are compared here
  kMarkForceCheckpoint = 1 << 2,  // and always kept
  kMarkCallsCallback = 1 << 3,    // runs a callback synchronously
  kMarkIterNext = 1 << 4,         // advances an open coded iterator
  kMarkMayGoto = 1 << 5,
  kMarkFastcall = 1 << 6,         // spill or fill around a fast call
};

struct Program {
  const ProgramInput& in;
  const model::Facts& facts;
  const Limits& limits;

  // What the program is judged as: its type, or that of the program a function of which it replaces.
  std::uint32_t type = 0;            // enum bpf_prog_type
  std::uint32_t attach_type = 0;     // enum bpf_attach_type
  const model::ProgKindRow* kind = nullptr;
  bool replaces = false;             // main stands for another program's function, and takes its arguments
  bool sleepable = false;
  // What the caller's rights allow: model/allowances.def.
  bool allow_ptr_leaks = false;
  bool allow_host_fields = false;
  bool allow_uninit_stack = false;
  bool follow_wrong_guesses = true;  // Spectre v1: transfer/speculation.h
  bool fence_stores = true;          // Spectre v4
  bool track_spilled_numbers = false;
  bool compare_imprecise = false;    // numbers nothing relied on tell states apart all the same
  bool exact_numbers = false;        // masks depend on bounds: states match by equal numbers only (set by the walk)
  /// What a slot held before a store to it decides nothing: no barrier, no mask, and addresses may be overwritten in part.
  bool stores_forget = false;
  bool lends_stack = false;          // slices may lie in a frame's stack: RegState::lent_stack() (set by the walk)
  bool strict_alignment = false;
  TargetProto target;

  std::uint32_t arena = UINT32_MAX;  // index into maps: the program's one arena

  /// The maps of the program, then templates of inner maps: MapFacts of an index.
  std::vector<const model::MapFacts*> maps;
  /// 0: the host's BTF (null without one); others in order of first use.
  std::vector<const btf::Btf*> btfs;

  /// Special fields of the structs that objects were seen of; filled as the walk meets them.
  struct StructFields {
    std::uint32_t btf = 0;
    btf::TypeId type = 0;
    bool valid = false;
    model::FieldTable table;
  };
  std::deque<StructFields> struct_fields{};
  /// Of programs that call functions of the host: facts.kfuncs by FUNC record.
  std::vector<std::pair<btf::TypeId, std::uint32_t>> kfuncs_by_func{};
  std::vector<std::int8_t> specials{};  // per facts.kfuncs: KfuncSpecial, or -1 before it was looked up

  std::vector<std::uint32_t> wide_of;   // per instruction: index into in.wide, or kNoIndex
  std::vector<SubprogInfo> subprogs;    // sorted by start, main first
  std::deque<AsyncEntry> async_entries{};  // grows while paths are walked
  std::vector<std::uint8_t> marks;      // per instruction: InsnMark
  std::vector<std::uint8_t> fastcall_pairs{};  // per call: spills and fills around it that Linux drops
  struct RegUses {
    std::uint16_t reads = 0, writes = 0;
    std::uint8_t only_makes = 0xff;     // HistoryEntry::only_makes
  };
  std::vector<RegUses> reg_uses{};      // per instruction; of calls, only the registers that are arguments
  std::vector<std::uint16_t> live_in;   // per instruction: registers read before written from here on
  std::vector<std::uint64_t> stack_live{};  // per instruction: slots of its function's frame that may be looked at; empty: all
  std::vector<std::uint32_t> line_of;   // per instruction: index into in.line_info, or kNoIndex

  /// What the program is to rows of model/: one bit.
  model::ProgViews view() const { return model::prog_view(type, attach_type); }
  const isa::Insn& insn(std::uint32_t idx) const { return in.insns[idx]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(in.insns.size()); }
  bool marked(std::uint32_t idx, std::uint8_t bits) const { return (marks[idx] & bits) != 0; }
  /// Subprog that contains the instruction.
  std::uint32_t subprog_at(std::uint32_t idx) const;
  /// Subprog that starts at the instruction, or UINT32_MAX.
  std::uint32_t subprog_starting(std::uint32_t idx) const;
  /// Before find_kfunc() finds anything.
  void index_kfuncs();
  /// The host function a call names, and its place in facts.kfuncs; null: none registered.
  const model::Kfunc* find_kfunc(const isa::Insn& insn, std::uint32_t& index) const;
  /// What the verifier knows of a host function by its name; kfunc: index into facts.kfuncs.
  model::KfuncSpecial special_of(std::uint32_t kfunc);
  std::uint32_t btf_index(const btf::Btf* btf);
  const btf::Type* btf_type(std::uint32_t btf, btf::TypeId id) const { return btfs[btf] ? btfs[btf]->type(id) : nullptr; }
  std::string_view btf_name(std::uint32_t btf, btf::TypeId id) const;
};

}  // namespace ring3::verifier
