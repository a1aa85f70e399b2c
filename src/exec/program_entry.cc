#include "exec/program_entry.h"

#include <new>

#include "base/fault_point.h"
#include "maps/map.h"
#include "object/rcu_inline.h"

namespace ring3::exec {
namespace {

__attribute__((tls_model("initial-exec"))) constinit thread_local RunContext* t_current = nullptr;

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

RunContext* current_run() noexcept { return t_current; }

std::uint32_t current_cpu(const Machine& machine) noexcept {
  const RunContext* holder = slot_holder(t_current, machine);
  return holder != nullptr ? holder->cpu : machine.slots.preferred();
}

/// The current code's owner. Made with the code, so that retiring it needs no memory.
struct ProgramEntry::Keeper {
  rcu::Deferred node;  // first: the deferred call gets its address
  std::unique_ptr<const Code> code;
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
  Keeper* old = nullptr;
  {
    MutexLock lock(set_code_);
    old = keeper_;
    keeper_ = fresh;
    code_.store(fresh->code.get(), std::memory_order_release);
    leaf_.store(options_.touches_percpu ? nullptr : fresh->code->leaf(), std::memory_order_release);
  }
  if (old != nullptr)
    rcu::call_after_readers(&old->node,
                            [](rcu::Deferred* node) { delete reinterpret_cast<Keeper*>(node); });
  return {};
}

inline RunContext ProgramEntry::context_of(const RunArgs& args, RunContext* outer) const noexcept {
  RunContext run;
  run.host = &machine_.host;
  run.entry = this;
  run.root = this;
  run.machine = &machine_;
  run.outer = outer;
  run.attach_cookie = args.cookie;
  run.func_ip = args.func_ip;
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

  t_current = &run;
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
  t_current = outer;

  if (run.owns_slot) machine_.slots.release(run.cpu);
  stats_.count_run();
  return result;
}

std::uint64_t ProgramEntry::run(const RunArgs& args) const noexcept {
  rcu::InnerReadSection readers;
  return run_nested_or_measured(args, t_current, code_.load(std::memory_order_acquire));
}

/// A run that is not inside another, and is not measured.
inline std::uint64_t ProgramEntry::run_plain(void* ctx, const Code* code) const noexcept {
  RunContext run = context_of({}, nullptr);
  if (options_.touches_percpu) lease_slot(run);
  t_current = &run;
  const std::uint64_t result = code->run_outermost(run, ctx);
  t_current = nullptr;
  if (run.owns_slot) machine_.slots.release(run.cpu);  // a tail call's target may have needed one
  stats_.count_run();
  return result;
}

/// The function is machine code without the marks a sanitizer looks for.
__attribute__((no_sanitize("undefined"))) static inline std::uint64_t call_leaf(LeafFn fn, void* ctx) { return fn(ctx); }

std::uint64_t ProgramEntry::run(void* ctx) const noexcept {
  rcu::InnerReadSection readers;
  const LeafFn fn = leaf_.load(std::memory_order_acquire);
  if (fn == nullptr || is_measured()) return run_no_leaf(ctx);
  const std::uint64_t result = call_leaf(fn, ctx);
  stats_.count_run();
  return result;
}

/// Apart from run(), which then needs few registers.
__attribute__((noinline)) std::uint64_t ProgramEntry::run_no_leaf(void* ctx) const noexcept {
  const Code* const code = code_.load(std::memory_order_acquire);
  RunContext* const outer = t_current;
  const bool plain = outer == nullptr && code != nullptr && !is_measured();
  return plain ? run_plain(ctx, code) : run_nested_or_measured(RunArgs{.ctx = ctx}, outer, code);
}

std::uint64_t ProgramEntry::run_inside(void* ctx) const noexcept {
  const Code* const code = code_.load(std::memory_order_acquire);
  const bool plain = t_current == nullptr && code != nullptr && rcu::known_to_read() && !is_measured();
  return __builtin_expect(plain, 1) ? run_plain(ctx, code) : run(ctx);
}

std::uint64_t ProgramEntry::run_callback(std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2,
                                         std::uint64_t r3) const noexcept {
  rcu::InnerReadSection readers;
  const Code* const code = code_.load(std::memory_order_acquire);
  if (code == nullptr) return 0;
  RunContext* const outer = t_current;
  RunContext run = context_of({}, outer);
  run.code = code;
  if (const RunContext* holder = slot_holder(outer, machine_)) {
    run.cpu = holder->cpu;
    run.holds_slot = true;
  } else if (options_.touches_percpu) {
    lease_slot(run);
  }
  t_current = &run;
  const std::uint64_t result = code->call_subprog(run, subprog, r1, r2, r3);
  t_current = outer;
  if (run.owns_slot) machine_.slots.release(run.cpu);
  return result;
}

bool enter_tail_call(RunContext& run, maps::Map& program_array, std::uint32_t index) noexcept {
  if (index >= program_array.max_entries() || run.tail_calls >= kMaxTailCalls) return false;
  ++run.tail_calls;
  auto* object = static_cast<Object*>(program_array.ops().data.lookup(program_array, &index));
  if (object == nullptr) return false;
  const ProgramEntry* target = static_cast<Runnable*>(object)->entry();
  const Code* code = target != nullptr ? target->code() : nullptr;
  if (code == nullptr) return false;
  // The program that calls may have done without a slot; the rest of the run may not.
  if (target->options().touches_percpu && !run.holds_slot) lease_slot(run);
  run.entry = target;
  run.tail_target = code;
  return true;
}

}  // namespace ring3::exec
