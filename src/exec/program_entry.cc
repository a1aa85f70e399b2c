#include "exec/program_entry.h"

#include <new>
#include <utility>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/fault_point.h"
#include "maps/map.h"
#include "object/rcu_inline.h"

namespace ring3::exec {
namespace {

/// A slot an enclosing run of the same machine holds, or null. Another machine's slots are other slots.
const RunContext* slot_holder(const RunContext* run, const Machine& machine) noexcept {
  for (; run != nullptr; run = run->outer)
    if (run->holds_slot && run->machine == &machine) return run;
  return nullptr;
}

void lease_slot(RunContext& run) noexcept {
  run.cpu = run.machine->slots.acquire();
  run.holds_slot = true;
  run.owns_slot = true;
}

bool is_running(const RunContext* run, const ProgramEntry* entry) noexcept {
  for (; run != nullptr; run = run->outer)
    if (run->root == entry) return true;
  return false;
}

}  // namespace

constinit thread_local ThreadRuns t_runs;

RunContext* current_run() noexcept { return t_runs.current; }

std::uint32_t current_cpu(const Machine& machine) noexcept {
  const RunContext* holder = slot_holder(t_runs.current, machine);
  return holder != nullptr ? holder->cpu : machine.slots.preferred();
}

/// The current code's owner. Made with the code, so that retiring it needs no memory.
struct ProgramEntry::Keeper {
  rcu::Deferred node;  // first: the deferred call gets its address
  std::unique_ptr<const Code> code;
  ReadyCode ready;
};

ProgramEntry::ProgramEntry(Machine& machine, EntryOptions options) : machine_(machine), options_(options) {}

ProgramEntry::~ProgramEntry() {
  MutexLock lock(set_code_);
  delete keeper_;
}

Result<void> ProgramEntry::set_code(std::unique_ptr<const Code> code) {
  Keeper* fresh = fault_point() ? nullptr : new (std::nothrow) Keeper{};
  if (fresh == nullptr) return Errno::kNoMem;
  fresh->code = std::move(code);
  fresh->ready = {fresh->code->direct(), {this, fresh->code.get(), &machine_.host, this, &machine_}};
  Keeper* old = nullptr;
  {
    MutexLock lock(set_code_);
    old = keeper_;
    keeper_ = fresh;
    code_.store(fresh->code.get(), std::memory_order_release);
    ready_.store(fresh->ready.fn != nullptr ? &fresh->ready : nullptr, std::memory_order_release);
    leaf_.store(options_.touches_percpu ? nullptr : fresh->code->leaf(), std::memory_order_release);
  }
  if (old != nullptr)
    rcu::call_after_readers(&old->node,
                            [](rcu::Deferred* node) { delete reinterpret_cast<Keeper*>(node); });
  return {};
}

inline RunContext ProgramEntry::context_of(const RunArgs& args, RunContext* outer) const noexcept {
  RunContext run;
  run.begin({this, nullptr, &machine_.host, this, &machine_});
  run.outer = outer;
  run.attach_cookie = args.cookie;
  run.func_ip = args.func_ip;
  run.traced = args.traced;
  run.client = args.client;
  run.seq = args.seq;
  run.packet = args.packet;
  return run;
}

/// What a run may need besides running: the recursion guard, a slot, its time.
std::uint64_t ProgramEntry::run_nested_or_measured(const RunArgs& args, RunContext* outer,
                                                   const Code* code) const noexcept {
  if (options_.guard_recursion && is_running(outer, this)) {
    stats_.count_miss();
    return 0;
  }
  if (code == nullptr) return 0;
  RunContext run = context_of(args, outer);
  if (const RunContext* holder = slot_holder(outer, machine_)) {
    run.cpu = holder->cpu;
    run.holds_slot = true;
  } else if (options_.touches_percpu) {
    lease_slot(run);
  }

  t_runs.current = &run;
  std::uint64_t result;
  const bool is_sample = stats_.next_is_sampled();
  const bool all_are_timed = machine_.stats_users.load(std::memory_order_relaxed) != 0;
  if (!is_sample && !all_are_timed) {
    result = code->run(run, args.ctx);
  } else {
    const std::uint64_t start_ns = machine_.host.ktime_ns();
    result = code->run(run, args.ctx);
    const std::uint64_t ns = machine_.host.ktime_ns() - start_ns;
    if (is_sample) stats_.count_sample(ns);
    if (all_are_timed) stats_.count_time(ns);
  }
  t_runs.current = outer;

  if (run.owns_slot) machine_.slots.release(run.cpu);
  stats_.count_run();
  return result;
}

bool ProgramEntry::runs_here() const noexcept { return is_running(t_runs.current, this); }

std::uint64_t ProgramEntry::run(const RunArgs& args) const noexcept {
  rcu::InnerReadSection readers;
  return run_nested_or_measured(args, t_runs.current, code_.load(std::memory_order_acquire));
}

__attribute__((noinline, cold)) std::uint64_t ProgramEntry::run_slowly(void* ctx) const noexcept {
  return run(RunArgs{.ctx = ctx});
}

/// The thread's count of runs, when the next one need not be timed.
inline std::atomic<std::uint64_t>* ProgramEntry::unmeasured_runs() const noexcept {
  std::atomic<std::uint64_t>* const runs = stats_.own_word();
  if (__builtin_expect(runs == nullptr || RunStats::is_sampled(runs->load(std::memory_order_relaxed)) ||
                           machine_.stats_users.load(std::memory_order_relaxed) != 0, 0))
    return nullptr;
  return runs;
}

/// Functions made of machine code lack the marks a sanitizer looks for.
__attribute__((no_sanitize("undefined"))) static inline std::uint64_t call_leaf(LeafFn fn, void* ctx) { return fn(ctx); }
__attribute__((no_sanitize("undefined"))) static inline std::uint64_t call_direct(rewrite::HelperFn fn, void* ctx,
                                                                                  RunContext& run) {
  return fn(reinterpret_cast<std::uintptr_t>(ctx), 0, 0, 0, 0, run);
}

/// Takes the thread's context for a run of `root`.
static inline void take(ThreadRuns& mine, const ProgramEntry* root) noexcept {
#if defined(__SSE2__)
  _mm_store_si128(reinterpret_cast<__m128i*>(&mine), _mm_set_epi64x(reinterpret_cast<std::intptr_t>(root), reinterpret_cast<std::intptr_t>(&mine.idle)));
#else  // where there is no compiler, nothing is entered this way
  mine.idle.root = root;
  mine.current = &mine.idle;
#endif
}

/// The second half of the short way. Signals may come between any two steps, and their handlers may run programs: the
/// context is taken before it is written, and given back after it is as it was made.
/// A function of its own, so that neither half needs to save more than one register.
template <bool kLeases>
__attribute__((noinline)) std::uint64_t ProgramEntry::run_taken(void* ctx, const ReadyCode& ready, std::atomic<std::uint64_t>& runs,
                                                                detail::SlotThread* leased) noexcept {
  ThreadRuns* mine = &t_runs;
  asm("" : "+r"(mine));  // kept in a register across the call, not asked for again
  RunContext& run = mine->idle;
  take(*mine, ready.start.root);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  run.begin(ready.start);
  if constexpr (kLeases) {
    run.cpu = static_cast<std::uint32_t>(leased->own_state.cpu);
    run.holds_slot = run.owns_slot = true;
  }
  runs.store(runs.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const std::uint64_t result = call_direct(ready.fn, ctx, run);
  // Who calls no tail has no target, nor a slot that a target needed.
  if (__builtin_expect(run.tail_calls != 0 || run.thrown, 0)) return finish(result);
  if constexpr (kLeases) run.holds_slot = run.owns_slot = false;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  mine->current = nullptr;
  if constexpr (kLeases) run.machine->slots.release_own(*leased);
  return result;
}

/// The short way: nothing is in its way, and what the run needs is taken.
template <bool kLeases>
inline std::uint64_t ProgramEntry::run_ready(void* ctx) const noexcept {
  const ReadyCode* const ready = ready_.load(std::memory_order_acquire);
  std::atomic<std::uint64_t>* const runs = unmeasured_runs();
  if (__builtin_expect(ready == nullptr || runs == nullptr || t_runs.current != nullptr || !rcu::known_to_read(), 0))
    return run_slowly(ctx);
  detail::SlotThread* leased = nullptr;
  if constexpr (kLeases) {
    leased = machine_.slots.acquire_own();
    if (__builtin_expect(leased == nullptr, 0)) return run_slowly(ctx);
  }
  return run_taken<kLeases>(ctx, *ready, *runs, leased);
}

/// The rest of run_ready(), where something is left to do.
__attribute__((noinline, cold)) std::uint64_t ProgramEntry::finish(std::uint64_t result) noexcept {
  RunContext& run = t_runs.idle;
  if (run.thrown) result = run.code->thrown_result(run);
  if (const Code* const target = std::exchange(run.tail_target, nullptr)) result = target->run_tail(run, run.tail_ctx);
  const bool owns_slot = run.owns_slot;
  const std::uint32_t cpu = run.cpu;
  Machine& machine = *run.machine;
  run.tail_calls = 0;
  run.holds_slot = run.owns_slot = run.thrown = false;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_runs.current = nullptr;
  if (owns_slot) machine.slots.release(cpu);
  return result;
}

std::uint64_t ProgramEntry::run_inside_plain(void* data, std::uint64_t* ctx) noexcept {
  return static_cast<const ProgramEntry*>(data)->run_ready<false>(ctx);
}
std::uint64_t ProgramEntry::run_inside_leasing(void* data, std::uint64_t* ctx) noexcept {
  return static_cast<const ProgramEntry*>(data)->run_ready<true>(ctx);
}

std::uint64_t ProgramEntry::run(void* ctx) const noexcept {
  rcu::InlineReadSection readers;
  const LeafFn fn = leaf_.load(std::memory_order_acquire);
  std::atomic<std::uint64_t>* const runs = unmeasured_runs();
  if (__builtin_expect(fn == nullptr || runs == nullptr, 0)) return run_no_leaf(ctx);
  runs->store(runs->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return call_leaf(fn, ctx);
}

/// Apart from run(), which then needs few registers.
__attribute__((noinline)) std::uint64_t ProgramEntry::run_no_leaf(void* ctx) const noexcept {
  return options_.touches_percpu ? run_ready<true>(ctx) : run_ready<false>(ctx);
}

std::uint64_t ProgramEntry::run_callback(std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2,
                                         std::uint64_t r3) const noexcept {
  rcu::InnerReadSection readers;
  const Code* const code = code_.load(std::memory_order_acquire);
  if (code == nullptr) return 0;
  RunContext* const outer = t_runs.current;
  RunContext run = context_of({}, outer);
  run.code = code;
  if (const RunContext* holder = slot_holder(outer, machine_)) {
    run.cpu = holder->cpu;
    run.holds_slot = true;
  } else if (options_.touches_percpu) {
    lease_slot(run);
  }
  t_runs.current = &run;
  const std::uint64_t result = code->call_subprog(run, subprog, r1, r2, r3);
  t_runs.current = outer;
  if (run.owns_slot) machine_.slots.release(run.cpu);
  return result;
}

bool enter_tail_call(RunContext& run, maps::Map& program_array, std::uint32_t index) noexcept {
  if (index >= program_array.max_entries()) return false;
  return enter_tail_call(run, static_cast<Object*>(program_array.ops().data.lookup(program_array, &index)));
}

bool enter_tail_call(RunContext& run, Object* program) noexcept {
  if (run.tail_calls >= kMaxTailCalls) return false;
  if (program == nullptr) return false;  // not counted, as where Linux compiles
  const ProgramEntry* target = static_cast<Runnable*>(program)->entry();
  const Code* code = target != nullptr ? target->code() : nullptr;
  if (code == nullptr) return false;
  ++run.tail_calls;
  // The program that calls may have done without a slot; the rest of the run may not.
  if (target->options().touches_percpu && !run.holds_slot) lease_slot(run);
  run.entry = target;
  run.tail_target = code;
  return true;
}

}  // namespace ring3::exec
