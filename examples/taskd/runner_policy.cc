// Schedulers come and go.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "kfuncs.h"
#include "runner.h"
#include "taskd_btf.h"

namespace taskd {

using ring3::Errno;
using ring3::Result;

namespace {

constexpr std::size_t kExitsKept = 16;
constexpr std::chrono::milliseconds kWatchdogPeriod{100};

/// What the command that loads a scheduler fails with: init's result, where it is an errno.
Errno refusal(std::int64_t exit_code) {
  return exit_code < 0 && exit_code > -4096 ? static_cast<Errno>(-exit_code) : Errno::kInval;
}

}  // namespace

Result<void> check_ops(const taskd_ops& ops) {
  if (ops.name[0] == 0 || (ops.flags & ~std::uint64_t{TASKD_OPS_ALL_FLAGS}) != 0) return Errno::kInval;
  if (ops.timeout_ms > TASKD_TIMEOUT_MAX_MS) return Errno::kTooBig;
  return {};
}

Result<void> Runner::offer(const RunnerOptions& options) {
  auto runtime = ring3::Runtime::create({.name = options.name, .btf = taskd_btf, .log = options.log, .clock = options.clock});
  if (!runtime.ok()) return runtime.error();
  runtime_ = std::move(*runtime);
  if (auto added = offer_kfuncs(*runtime_); !added.ok()) return added.error();

  ring3::StructOpsOptions<taskd_ops> ops;
  ops.annotated = {&taskd_ops::dispatch};
  ops.sleepable = {&taskd_ops::init};
  ops.writable = {ring3::writable(&task::slice), ring3::writable(&task::vtime)};
  ops.stubs = ops.fallback = &kBuiltin;
  ops.context = this;
  ops.validate = [](void*, const taskd_ops& table) { return check_ops(table); };
  ops.activating = [](void* runner, const taskd_ops& table) { return static_cast<Runner*>(runner)->take_over(table); };
  ops.deactivated = [](void* runner, const taskd_ops& table) { static_cast<Runner*>(runner)->leave(table); };
  auto point = runtime_->struct_ops(ops);
  if (!point.ok()) return point.error();
  point_ = *point;
  return {};
}

/// A scheduler is about to be registered, or to replace another one, which stays in charge if this one does not get there. What
/// goes wrong later is told by its exit record and the end of its link.
Result<void> Runner::take_over(const taskd_ops& ops) {
  auto next = std::make_shared<Tenure>(*this, ops);
  {
    const Call call(*next, Member::kInit);
    if (const std::int32_t result = ops.init(); result != 0) next->end(TASKD_EXIT_ERROR, result, "init() failed with {}", result);
  }
  {
    const std::lock_guard lock(mutex_);
    if (next->ending() == TASKD_EXIT_NONE && init_all(*next)) {
      {
        const std::lock_guard lookup(lookup_mutex_);
        tenures_.push_back(next);
      }
      if (in_charge_ != &builtin_) in_charge_->end(TASKD_EXIT_REPLACED, 0, "by {}", next->name);
      ++counts_.takeovers;
      switch_to(*next);
      settle();
      return {};
    }
  }
  finish(*next);
  return refusal(next->info.exit_code);
}

/// Its link has gone, or is another one's now. The last that is heard of `ops`.
void Runner::leave(const taskd_ops& ops) {
  std::shared_ptr<Tenure> tenure;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(tenures_.begin(), tenures_.end(), [&](const auto& t) { return &t->ops == &ops; });
    if (at == tenures_.end()) return;
    tenure = *at;
    {
      const std::lock_guard lookup(lookup_mutex_);
      tenures_.erase(at);
    }
    tenure->end(TASKD_EXIT_UNREG, 0, "");
    if (in_charge_ == tenure.get()) {
      if ((ops.flags & TASKD_OPS_DUMP_ALWAYS) != 0) write_dump(*tenure);
      switch_to(builtin_);
    }
  }
  finish(*tenure);
}

/// No member runs any more, and none will but exit.
void Runner::finish(Tenure& ended) {
  {
    const Call call(ended, Member::kExit);
    const ring3::ReadSection section;
    ended.ops.exit(&ended.info);
  }
  ExitRecord record{ended.name, ended.info};
  if (log_ != nullptr) log_->line(ring3::Severity::kWarning, "", to_text(record));
  const std::lock_guard lock(exits_mutex_);
  if (exits_.size() == kExitsKept) exits_.pop_front();
  exits_.push_back(std::move(record));
  ++exit_count_;
  exited_.notify_all();
}

// --- under the lock -------------------------------------------------------------------------------------------------

bool Runner::init_task(Tenure& tenure, Task& task) {
  const Call call(tenure, Member::kInitTask, &task);
  const ring3::ReadSection section;
  const std::int32_t result = tenure.ops.init_task(&task);
  if (result != 0) tenure.end(TASKD_EXIT_ERROR, result, "init_task() failed with {} for {}[{}]", result, task.name, task.id);
  return result == 0;
}

void Runner::exit_task(Tenure& tenure, Task& task) {
  const Call call(tenure, Member::kExitTask, &task);
  const ring3::ReadSection section;
  tenure.ops.exit_task(&task);
}

void Runner::enable(Tenure& tenure, Task& task) {
  task.vtime = 0;
  task.enabled_by = &tenure;
  const Call call(tenure, Member::kEnable, &task);
  const ring3::ReadSection section;
  tenure.ops.enable(&task);
}

/// All or none.
bool Runner::init_all(Tenure& next) {
  for (auto at = tasks_.begin(); at != tasks_.end(); ++at) {
    if (init_task(next, *at->second)) continue;
    while (at != tasks_.begin()) exit_task(next, *(--at)->second);
    return false;
  }
  return true;
}

/// A new task. A scheduler that refuses it is about to end.
void Runner::adopt(Task& task) {
  if (init_task(*in_charge_, task)) enable(*in_charge_, task);
}

void Runner::forget(Task& task) {
  if (task.enabled_by == in_charge_) exit_task(*in_charge_, task);
  task.enabled_by = nullptr;
}

/// What waits in a CPU's queue or the global one keeps its place. No step of it needs memory.
void Runner::switch_to(Tenure& next) {
  for (auto& [id, queue] : in_charge_->queues)
    while (Task* const task = queue.pop()) task->state = State::kHeld;
  for (const auto& [id, task] : tasks_) forget(*task);
  {
    const std::lock_guard lookup(lookup_mutex_);
    in_charge_ = &next;
  }
  for (const auto& [id, task] : tasks_) enable(next, *task);
  for (const auto& [id, task] : tasks_) {
    if (task->state != State::kHeld) continue;
    task->runnable_since_ns = now_ns();
    enqueue(*task, TASKD_ENQ_TAKEOVER);
  }
  for (std::int32_t cpu = 0; is_cpu(cpu); ++cpu) kick(cpu, 0);
}

/// Before the lock is let go of: a scheduler that has erred loses its tasks.
void Runner::settle() {
  if (!in_charge_->to_eject()) return;
  if (in_charge_->ending() >= TASKD_EXIT_ERROR || (in_charge_->ops.flags & TASKD_OPS_DUMP_ALWAYS) != 0) write_dump(*in_charge_);
  switch_to(builtin_);
}

void Runner::write_dump(Tenure& of) {
  for (std::size_t cpu = 0; cpu < cpus_.size(); ++cpu) {
    const Cpu& c = cpus_[cpu];
    of.dump_line("CPU {}: {}, {} waiting", cpu, c.current != nullptr ? c.current->name : "idle", c.local.length());
  }
  of.dump_line("global queue: {} waiting", global_.length());
  for (const auto& [id, queue] : of.queues) of.dump_line("queue {}: {} waiting", id, queue.length());
  for (const auto& [id, task] : tasks_)
    if (task->state == State::kHeld || task->state == State::kQueued)
      of.dump_line("{}[{}]: runnable for {} ms, {}", task->name, task->id, (now_ns() - task->runnable_since_ns) / 1'000'000,
                               task->state == State::kHeld ? "in no queue" : "queued");
  const Call call(of, Member::kDump);
  const ring3::ReadSection section;
  of.ops.dump();
}

void Runner::check_watchdog() {
  const std::lock_guard lock(mutex_);
  if (in_charge_ == &builtin_) return;
  const std::uint64_t now = now_ns();
  for (const auto& [id, task] : tasks_) {
    if (task->state != State::kHeld && task->state != State::kQueued) continue;
    const std::uint64_t waited_ns = now - task->runnable_since_ns;
    if (waited_ns <= in_charge_->timeout_ns) continue;
    in_charge_->end(TASKD_EXIT_ERROR_STALL, 0, "{}[{}] has not run for {} ms", task->name, task->id, waited_ns / 1'000'000);
    break;
  }
  settle();
}

// --- the supervisor -------------------------------------------------------------------------------------------------

void Runner::supervise() {
  while (!closing_) {
    (void)concerns_.try_acquire_for(kWatchdogPeriod);
    if (clock_ == nullptr) check_watchdog();
    // A registration that is still under way cannot be ended yet.
    while (!closing_ && !eject_failed()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// False: there is one that should have gone.
bool Runner::eject_failed() {
  std::unique_lock lock(mutex_);
  settle();
  const auto at = std::find_if(tenures_.begin(), tenures_.end(), [](const auto& tenure) { return tenure->to_eject(); });
  if (at == tenures_.end()) return true;
  const ring3::ReadSection section;  // the table has not been left yet, so it stays while this is open
  const taskd_ops& ops = (*at)->ops;
  lock.unlock();
  return point_.eject(ops);
}

// --- exit records ---------------------------------------------------------------------------------------------------

std::string to_text(const ExitRecord& record) {
  const taskd_exit_info& info = record.info;
  std::string text = fmt::format("scheduler \"{}\" has ended: {}", record.scheduler, info.reason);
  if (info.message[0] != 0) text += fmt::format(" ({})", info.message);
  if (info.exit_code != 0) text += fmt::format(", code {}", info.exit_code);
  for (std::string_view dump = info.dump; !dump.empty();) {
    const std::size_t length = std::min(dump.find('\n'), dump.size());
    text += fmt::format("\n  {}", dump.substr(0, length));
    dump.remove_prefix(std::min(length + 1, dump.size()));
  }
  return text;
}

std::vector<ExitRecord> Runner::exits() {
  const std::lock_guard lock(exits_mutex_);
  return {exits_.begin(), exits_.end()};
}

bool Runner::wait_for_exits(std::size_t wanted, std::chrono::milliseconds at_most) {
  std::unique_lock lock(exits_mutex_);
  return exited_.wait_for(lock, at_most, [&] { return exit_count_ >= wanted; });
}

}  // namespace taskd
