// The pipeline: prepare the program, walk it from every entry point, check what follows from the walk, hand over
// the facts. Each stage is a room of its own; this file only says in which order, which is the kernel's, because
// a program that breaks several rules is refused with the first.
#include "verifier/verifier.h"

#include <algorithm>
#include <chrono>

#include "base/try.h"
#include "isa/decode.h"
#include "isa/reg_use.h"
#include "model/rights.h"
#include "uapi/bpf.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/diag/report.h"
#include "verifier/explore/explorer.h"
#include "verifier/flow/flow.h"
#include "verifier/kinds/host_symbol.h"
#include "verifier/kinds/owned_args.h"

namespace ring3::verifier {
namespace {

using isa::Op;

class Run {
 public:
  Run(const ProgramInput& in, const model::Facts& facts, const Limits& limits, LogSink& log, Witness* witness = nullptr)
      : prog_{.in = in, .facts = facts, .limits = limits}, diag_(log), witness_(witness) {}

  Result<VerifiedProgram> verify() {
    const auto start = std::chrono::steady_clock::now();
    const Result<void> done = stages();
    const auto spent = std::chrono::steady_clock::now() - start;
    out_.stats.time_ns =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
    if (walked_) log_stats(diag_, prog_, out_);
    diag_.flush();
    if (!done.ok() && diag_.refused())
      diag_.sink().rejected(reported_ ? rejection_ : make_rejection(diag_, prog_, nullptr));
    diag_.sink().measured(out_.stats);
    if (done.ok()) return std::move(out_);
    return done.error();
  }

 private:
  Result<void> stages() {
    RING3_TRY(check_input());
    RING3_TRY(check_kind());
    prepare();
    RING3_TRY(find_subprogs(prog_, diag_));
    RING3_TRY(check_owned_arguments(prog_, diag_));
    RING3_TRY(check_attach_target(prog_, diag_));
    RING3_TRY(check_btf_info(prog_, diag_));
    RING3_TRY(check_maps());
    RING3_TRY(check_cfg(prog_, diag_));
    find_liveness(prog_);
    find_stack_liveness(prog_);
    find_fastcalls(prog_);
    find_throws(prog_);
    find_packet_changes(prog_);
    RING3_TRY(check_program_target(prog_, diag_));
    prepare_facts();
    RING3_TRY(walk_all());
    RING3_TRY(check_replacement_reach(prog_, out_, diag_));
    RING3_TRY(check_stack_depth(prog_, diag_));
    RING3_TRY(check_throws(prog_, diag_));
    RING3_TRY(check_tail_call_maps());
    finish();
    return {};
  }

  Result<void> check_input() {
    if (!prog_.in.raw.empty()) {
      if (const std::optional<isa::FieldError> e = isa::check_fields(prog_.in.raw))
        return diag_.refuse_as(e->error, Rule::kFieldRule, {e->message});
      if (prog_.in.raw.size() != prog_.in.insns.size()) return diag_.refuse(Rule::kFieldRule, {"instruction count mismatch"});
    }
    if (prog_.in.insns.empty()) return diag_.refuse(Rule::kFieldRule, {"program is empty"});
    return {};
  }

  Result<void> check_target() {
    if (prog_.in.prog_type != uapi::BPF_PROG_TYPE_STRUCT_OPS) return {};
    const model::AttachTarget& t = prog_.in.target;
    if (t.kind != model::AttachTarget::Kind::kStructOpsMember || t.ops == nullptr || t.member >= t.ops->members.size())
      return diag_.refuse(Rule::kNoTarget);
    return {};
  }

  /// What it is judged as. A replacement without a program to replace a function of is refused later.
  void take_role() {
    const ProgramInput& in = prog_.in;
    prog_.type = in.prog_type;
    prog_.attach_type = in.attach_type;
    prog_.replaces = in.prog_type == uapi::BPF_PROG_TYPE_EXT && in.target.program != nullptr;
    if (!prog_.replaces) return;
    prog_.type = in.target.program->acts_as;
    prog_.attach_type = in.target.program->acts_at;
  }

  Result<void> check_kind() {
    const ProgramInput& in = prog_.in;
    const model::ProgKindRow* own = model::find_prog_kind(in.prog_type);
    if (own == nullptr) return diag_.refuse(Rule::kProgTypeUnsupported, {in.prog_type});
    RING3_TRY(check_target());
    take_role();
    prog_.kind = model::find_prog_kind(prog_.type);
    if (prog_.kind == nullptr) return diag_.refuse(Rule::kProgTypeUnsupported, {prog_.type});
    prog_.sleepable = (in.flags & uapi::BPF_F_SLEEPABLE) != 0;
    if ((own->flags & model::kProgMustSleep) != 0 && !prog_.sleepable) return diag_.refuse(Rule::kSyscallMustSleep);
    bool may_sleep = (own->flags & model::kProgMaySleep) != 0;
    if (in.target.kind == model::AttachTarget::Kind::kStructOpsMember && in.target.ops != nullptr)
      may_sleep &= in.target.ops->members[in.target.member].sleepable_allowed;
    if (prog_.sleepable && !may_sleep) return diag_.refuse(Rule::kSleepableNotAllowed);
    apply_rights();
    prog_.strict_alignment = (in.flags & uapi::BPF_F_STRICT_ALIGNMENT) != 0;
    return {};
  }

  void apply_rights() {
    using model::Allowance;
    const auto may = [&](Allowance what) { return model::is_allowed(prog_.in.rights, what); };
    prog_.allow_ptr_leaks = may(Allowance::kPointerLeaks);
    prog_.allow_host_fields = may(Allowance::kHostFields);
    prog_.allow_uninit_stack = may(Allowance::kUninitStack);
    prog_.follow_wrong_guesses = !may(Allowance::kUnmaskedArithmetic);
    prog_.fence_stores = !may(Allowance::kUnfencedStores);
    prog_.track_spilled_numbers = may(Allowance::kSpilledNumbers);
    prog_.compare_imprecise = !may(Allowance::kImpreciseNumbers);
    prog_.stores_forget = prog_.allow_ptr_leaks && prog_.allow_uninit_stack && !prog_.fence_stores && !prog_.follow_wrong_guesses;
  }

  void prepare() {
    const ProgramInput& in = prog_.in;
    prog_.btfs.push_back(prog_.facts.host_btf.get());
    prog_.index_kfuncs();
    for (const model::MapFacts& map : in.maps) prog_.maps.push_back(&map);
    for (const model::MapFacts& map : in.maps)
      if (map.inner != nullptr) prog_.maps.push_back(map.inner.get());
    prog_.wide_of.assign(prog_.size(), UINT32_MAX);
    for (std::size_t w = 0; w < in.wide.size(); ++w)
      if (in.wide[w].idx < prog_.size()) prog_.wide_of[in.wide[w].idx] = static_cast<std::uint32_t>(w);
  }

  /// What get_local_storage gives is the program's, whichever map it is asked of.
  Result<void> check_cgroup_storage() {
    for (const std::uint32_t type : {uapi::BPF_MAP_TYPE_CGROUP_STORAGE, uapi::BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE}) {
      const model::MapFacts* one = nullptr;
      for (const WideImmediate& w : prog_.in.wide) {
        const bool names_map = w.pseudo != isa::Pseudo::kBtfId && w.pseudo != isa::Pseudo::kFunc;
        if (!names_map || w.map >= prog_.in.maps.size()) continue;
        const model::MapFacts& map = prog_.in.maps[w.map];
        if (map.type != type || (one != nullptr && one->id == map.id)) continue;
        if (one != nullptr) return diag_.refuse(Rule::kOneCgroupStorage);
        one = &map;
      }
    }
    return {};
  }

  /// Map types and fields that do not go with this type of program (behaviour.md C.3.8).
  Result<void> check_maps() {
    using model::FieldKind;
    RING3_TRY(check_cgroup_storage());
    const bool tracing = (prog_.kind->flags & model::kProgTracing) != 0;
    const bool filter = prog_.type == uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    for (const model::MapFacts& map : prog_.in.maps) {
      if (tracing && (map.fields.has(FieldKind::kListHead) || map.fields.has(FieldKind::kRbRoot)))
        return diag_.refuse(Rule::kMapFieldForProg, {"tracing progs cannot use bpf_{list_head,rb_root} yet"});
      if (filter && map.fields.has(FieldKind::kSpinLock))
        return diag_.refuse(Rule::kMapFieldForProg, {"socket filter progs cannot use bpf_spin_lock yet"});
      if (!tracing) continue;
      if (map.fields.has(FieldKind::kSpinLock))
        return diag_.refuse(Rule::kMapFieldForProg, {"tracing progs cannot use bpf_spin_lock yet"});
      if (map.fields.has(FieldKind::kTimer))
        return diag_.refuse(Rule::kMapFieldForProg, {"tracing progs cannot use bpf_timer yet"});
      if (map.fields.has(FieldKind::kWork))
        return diag_.refuse(Rule::kMapFieldForProg, {"tracing progs cannot use bpf_wq yet"});
    }
    RING3_TRY(find_arena());
    RING3_TRY(check_host_symbols(prog_, diag_));
    for (const WideImmediate& w : prog_.in.wide) {
      const bool names_map = w.pseudo != isa::Pseudo::kBtfId && w.pseudo != isa::Pseudo::kFunc;
      if (names_map && w.map >= prog_.in.maps.size()) return diag_.refuse(Rule::kWideImmediate);
      const bool value = w.pseudo == isa::Pseudo::kMapValue || w.pseudo == isa::Pseudo::kMapIdxValue;
      if (value && w.map != prog_.arena && w.value_off >= prog_.in.maps[w.map].value_size)
        return diag_.refuse(Rule::kMapValuePointer, {prog_.in.maps[w.map].value_size, w.value_off});
    }
    return {};
  }

  Result<void> find_arena() {
    for (std::uint32_t i = 0; i < prog_.in.maps.size(); ++i) {
      if (prog_.in.maps[i].type != uapi::BPF_MAP_TYPE_ARENA) continue;
      if (prog_.arena != kNoIndex) return diag_.refuse(Rule::kArenaSecond);
      if (!prog_.in.rights.has_bpf() || !prog_.allow_ptr_leaks) return diag_.refuse(Rule::kArenaRights);
      prog_.arena = i;
    }
    return {};
  }

  void prepare_facts() {
    out_.insns.resize(prog_.size());
    noted_.assign(prog_.size(), 0);
    for (std::uint32_t i = 0; i < prog_.size(); ++i)
      if (successors(prog_, i).count == 2) out_.insns[i].branch_always = out_.insns[i].branch_never = true;
  }

  Result<void> walk(const EntryPoint& entry) {
    walked_ = true;
    Explorer explorer(prog_, diag_, out_, frames_, noted_, ids_, witness_);
    if (diag_.wants(kLogStates)) diag_.print("func#{} @{}\n", {entry.subprog, prog_.subprogs[entry.subprog].start});
    const Result<void> done = explorer.walk(entry, rejection_);
    reported_ = !done.ok();
    return done;
  }

  Result<void> check_exception_callback(const SubprogInfo& sub) {
    if (sub.prototype_ok && sub.args.size() == 1 && sub.args[0].kind == GlobalArg::Kind::kScalar) return {};
    return diag_.refuse(Rule::kExceptionArgs);
  }

  /// Callbacks that walked code set on timers and work items.
  Result<void> walk_async() {
    for (std::size_t i = 0; i < prog_.async_entries.size(); ++i) {
      AsyncEntry& entry = prog_.async_entries[i];
      if (entry.walked) continue;
      entry.walked = true;
      RING3_TRY(walk({.subprog = entry.subprog, .may_sleep = entry.may_sleep, .async = &entry}));
    }
    return {};
  }

  Result<void> walk_global(std::uint32_t s, Surroundings surroundings) {
    SubprogInfo& sub = prog_.subprogs[s];
    if (sub.is_exception_callback) RING3_TRY(check_exception_callback(sub));
    sub.verified |= surroundings;
    const bool log = diag_.wants(kLogNormal | kLogStates);
    if (log) diag_.print("Validating {}() func#{}...\n", {sub.name, s});
    RING3_TRY(walk({.subprog = s, .may_sleep = surroundings == kMaySleep}));
    RING3_TRY(walk_async());
    if (log) diag_.print("Func#{} ('{}') is safe for any args that match its prototype\n", {s, sub.name});
    return {};
  }

  /// Main, then every global function that walked code calls, each once for what surrounds its calls.
  Result<void> walk_all() {
    // Whoever throws calls the exception callback.
    for (SubprogInfo& sub : prog_.subprogs)
      if (sub.is_global && sub.is_exception_callback) sub.called |= prog_.sleepable ? kMaySleep : kAtomic;
    RING3_TRY(walk({.may_sleep = prog_.sleepable}));
    RING3_TRY(walk_async());
    // A replacement never sleeps, but where it is entered nothing may keep what readers see: that is another walk.
    if (replaced_outside_sections(prog_)) {
      RING3_TRY(walk({.may_sleep = true}));
      RING3_TRY(walk_async());
    }
    for (bool again = true; again;) {
      again = false;
      for (std::uint32_t s = 1; s < prog_.subprogs.size(); ++s)
        for (const Surroundings one : {kAtomic, kMaySleep}) {
          const SubprogInfo& sub = prog_.subprogs[s];
          if ((sub.called & ~sub.verified & one) == 0) continue;
          RING3_TRY(walk_global(s, one));
          again = true;
        }
    }
    return {};
  }

  /// A tail call whose index is kept inside its array by a mask needs one array to keep it in.
  Result<void> check_tail_call_maps() {
    if (!prog_.follow_wrong_guesses) return {};
    for (std::uint32_t i = 0; i < prog_.size(); ++i) {
      const isa::Insn& insn = prog_.insn(i);
      if (!out_.insns[i].reachable || insn.op != Op::kCallHelper || insn.imm != uapi::BPF_FUNC_tail_call) continue;
      if (out_.insns[i].map == UINT32_MAX) return diag_.refuse(Rule::kTailCallMaps);
    }
    return {};
  }

  /// Linux saves three registers for inlined loops, and keeps a counter for loops with a budget.
  std::uint32_t shown_stack_bytes(const SubprogInfo& s) const {
    bool loops = false, budget = false;
    for (std::uint32_t i = s.start; i < s.end; ++i) {
      loops |= becomes_inline_loop(prog_.insn(i), out_.insns[i]);
      budget |= prog_.insn(i).op == Op::kMayGoto;
    }
    std::uint32_t bytes = counted_stack_bytes(prog_, s);
    if (loops) bytes = (bytes + 7) / 8 * 8 + 24;
    return bytes + (budget ? 8 : 0);
  }

  void finish() {
    for (std::uint32_t i = 0; i < prog_.size(); ++i) {
      InsnFacts& f = out_.insns[i];
      if (!f.reachable) f.branch_always = f.branch_never = false;
      if (prog_.insn(i).op == Op::kLdImm64Hi) f.reachable = i > 0 && out_.insns[i - 1].reachable;
      f.fastcall_pairs = prog_.fastcall_pairs[i];
      f.zero_extend = isa::reg_use(prog_.insn(i)).zero_upper != 0;
    }
    for (const SubprogInfo& s : prog_.subprogs)
      out_.subprogs.push_back({.start_idx = s.start, .end_idx = s.end, .stack_bytes = s.stack_bytes,
                               .counted_stack_bytes = counted_stack_bytes(prog_, s), .shown_stack_bytes = shown_stack_bytes(s),
                               .is_global = s.is_global,
                               .has_tail_call = s.has_tail_call, .is_callback = s.is_callback,
                                .is_exception_callback = s.is_exception_callback});
    out_.may_sleep |= prog_.sleepable;
    for (const SubprogInfo& s : prog_.subprogs)
      if (is_left(s)) out_.functions.push_back(describe_function(prog_, s));
  }

  /// Linux removes functions that no path enters.
  bool is_left(const SubprogInfo& s) const {
    for (std::uint32_t i = s.start; i < s.end; ++i)
      if (out_.insns[i].reachable) return true;
    return false;
  }

  Program prog_;
  Diag diag_;
  Witness* witness_;
  VerifiedProgram out_;
  FramePool frames_{prog_.limits.chunks};
  std::vector<std::uint8_t> noted_;
  std::uint32_t ids_ = 0;
  bool walked_ = false;
  bool reported_ = false;
  Rejection rejection_;
};

}  // namespace

bool becomes_inline_loop(const isa::Insn& insn, const InsnFacts& facts) {
  constexpr int kFlags = 3;  // argument 4
  return facts.reachable && insn.op == Op::kCallHelper && insn.imm == uapi::BPF_FUNC_loop && facts.callee != UINT32_MAX &&
         (facts.const_args_known >> kFlags & 1) != 0 && facts.const_arg[kFlags] == 0;
}

Result<VerifiedProgram> verify(const ProgramInput& in, const model::Facts& facts, const Limits& limits, LogSink& log) {
  return Run(in, facts, limits, log).verify();
}

Result<VerifiedProgram> verify_witnessed(const ProgramInput& in, const model::Facts& facts, const Limits& limits, LogSink& log,
                                         Witness& witness) {
  return Run(in, facts, limits, log, &witness).verify();
}

}  // namespace ring3::verifier
