#include "exec/detour.h"

#include <algorithm>
#include <memory>
#include <new>

#include "base/fault_point.h"
#include "exec/program_entry.h"

namespace ring3::exec {

struct Detour::Tracer {
  Tracer(const ProgramEntry& by, std::uint64_t with) : program(&by), cookie(with) {}
  // Only while a record is made, by one thread.
  Tracer(const Tracer& o) : program(o.program), cookie(o.cookie), left(o.left.load(std::memory_order_relaxed)) {}

  const ProgramEntry* program;
  std::uint64_t cookie;
  mutable std::atomic<bool> left{false};  // it went while no memory was to be had for a record without it
};

struct Detour::Record {
  rcu::Deferred node;  // first: the deferred call gets its address
  const ProgramEntry* replacement = nullptr;
  std::vector<Tracer> entry, exit;  // in the order they run: the last attached first

  const std::vector<Tracer>& at(TracePoint point) const { return point == TracePoint::kEntry ? entry : exit; }
};

namespace {

/// What a run held of CPU slots before another program ran in it.
class SlotOfRun {
 public:
  SlotOfRun(RunContext& run, const ProgramEntry& program) : run_(run), leases_(program.options().touches_percpu && !run.holds_slot) {
    if (!leases_) return;
    run.cpu = run.machine->slots.acquire();
    run.holds_slot = true;
  }
  ~SlotOfRun() {
    if (!leases_) return;
    run_.machine->slots.release(run_.cpu);
    run_.holds_slot = false;
  }
  SlotOfRun(const SlotOfRun&) = delete;
  SlotOfRun& operator=(const SlotOfRun&) = delete;

 private:
  RunContext& run_;
  const bool leases_;
};

}  // namespace

Detour::~Detour() { delete record_.load(std::memory_order_relaxed); }

std::uint64_t Detour::enter(const FunctionArgs& args, RunContext& run, const FunctionBody& body) const {
  const Record* const record = record_.load(std::memory_order_acquire);
  if (record == nullptr) return body.enter(body, args, run);
  if (record->replacement != nullptr) return enter_replacement(*record->replacement, args, run);

  std::uint64_t slots[kArgRegisters + 1];
  std::copy_n(args.begin(), args_, slots);
  slots[args_] = 0;
  TracedCall call{.slots = slots, .args = args_};
  const auto run_tracers = [&](TracePoint point) {
    for (const Tracer& tracer : record->at(point))
      if (!tracer.left.load(std::memory_order_acquire))
        tracer.program->run({.ctx = slots, .cookie = tracer.cookie, .func_ip = body.address, .traced = &call});
  };
  run_tracers(TracePoint::kEntry);
  const std::uint64_t result = body.enter(body, args, run);
  if (run.thrown) return result;
  slots[args_] = result;
  call.has_result = true;
  run_tracers(TracePoint::kExit);
  return result;
}

/// An exception of the replacement ends with it, as it does with every program.
std::uint64_t Detour::enter_replacement(const ProgramEntry& program, const FunctionArgs& args, RunContext& run) {
  const Code* const code = program.code();
  const Code* const outer_code = run.code;
  const ProgramEntry* const outer_entry = run.entry;
  const SlotOfRun slot(run, program);
  run.code = code;
  run.entry = &program;
  std::uint64_t result = code->call_subprog(run, 0, args[0], args[1], args[2], args[3], args[4]);
  if (run.thrown) result = code->thrown_result(run);
  run.code = outer_code;
  run.entry = outer_entry;
  return result;
}

bool Detour::is_replaced() const noexcept {
  const Record* const record = record_.load(std::memory_order_relaxed);
  return record != nullptr && record->replacement != nullptr;
}

std::size_t Detour::tracers() const noexcept {
  const Record* const record = record_.load(std::memory_order_relaxed);
  if (record == nullptr) return 0;
  const auto count = [](const std::vector<Tracer>& tracers) {
    return static_cast<std::size_t>(std::count_if(tracers.begin(), tracers.end(), [](const Tracer& t) { return !t.left.load(std::memory_order_relaxed); }));
  };
  return count(record->entry) + count(record->exit);
}

bool Detour::is_traced_by(TracePoint point, const ProgramEntry& program) const noexcept {
  const Record* const record = record_.load(std::memory_order_relaxed);
  if (record == nullptr) return false;
  return std::any_of(record->at(point).begin(), record->at(point).end(), [&](const Tracer& t) {
    return t.program == &program && !t.left.load(std::memory_order_relaxed);
  });
}

Result<void> Detour::replace(const ProgramEntry& program) {
  Record* const next = fault_point() ? nullptr : new (std::nothrow) Record{};
  if (next == nullptr) return Errno::kNoMem;
  next->replacement = &program;
  publish(next);
  return {};
}

Result<void> Detour::trace(TracePoint point, const ProgramEntry& program, std::uint64_t cookie) {
  if (fault_point()) return Errno::kNoMem;
  auto next = std::make_unique<Record>();
  std::vector<Tracer>& list = point == TracePoint::kEntry ? next->entry : next->exit;
  list.emplace_back(program, cookie);
  if (const Record* const now = record_.load(std::memory_order_relaxed)) {
    const auto copy = [](const std::vector<Tracer>& from, std::vector<Tracer>& to) {
      for (const Tracer& tracer : from)
        if (!tracer.left.load(std::memory_order_relaxed)) to.push_back(tracer);
    };
    copy(now->entry, next->entry);
    copy(now->exit, next->exit);
  }
  publish(next.release());
  return {};
}

void Detour::remove(const ProgramEntry& program) noexcept {
  const Record* const now = record_.load(std::memory_order_relaxed);
  if (now == nullptr) return;
  if (now->replacement == &program) return publish(nullptr);
  for (const TracePoint point : {TracePoint::kEntry, TracePoint::kExit})
    for (const Tracer& tracer : now->at(point))
      if (tracer.program == &program) tracer.left.store(true, std::memory_order_release);
  if (tracers() == 0) return publish(nullptr);
  // Without memory it stays in the list, and is not run.
  try {
    auto next = fault_point() ? nullptr : std::make_unique<Record>();
    if (!next) return;
    for (const TracePoint point : {TracePoint::kEntry, TracePoint::kExit})
      for (const Tracer& tracer : now->at(point))
        if (!tracer.left.load(std::memory_order_relaxed)) (point == TracePoint::kEntry ? next->entry : next->exit).push_back(tracer);
    publish(next.release());
  } catch (const std::bad_alloc&) {
  }
}

void Detour::publish(Record* next) noexcept {
  Record* const old = record_.exchange(next, std::memory_order_acq_rel);
  if (old == nullptr) return;
  rcu::call_after_readers(&old->node, [](rcu::Deferred* node) { delete reinterpret_cast<Record*>(node); });
}

}  // namespace ring3::exec
