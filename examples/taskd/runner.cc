#include "runner.h"

#include <algorithm>
#include <cstring>

#include "kfuncs.h"

namespace taskd {
namespace {

std::atomic<Runner*> the_runner{nullptr};
std::mutex ending_mutex;  // a runner does not go while a task that ends speaks to its runtime

}  // namespace

Task::Task(std::uint64_t number, std::string_view called, std::uint32_t heavy, Body does, void* with)
    : task{}, body(does), arg(with) {
  id = number;
  weight = std::clamp(heavy, 1u, 10'000u);
  slice = TASKD_SLICE_DFL;
  std::memcpy(name, called.data(), std::min(called.size(), sizeof name - 1));
}

Task::~Task() {
  // What schedulers keep for it goes with it. The last reference may have been one in a map.
  const std::lock_guard lock(ending_mutex);
  if (Runner* const runner = the_runner.load(std::memory_order_acquire))
    runner->runtime().storage_owner_gone(static_cast<task*>(this));
}

Runner::Runner(const RunnerOptions& options)
    : log_(options.log), clock_(options.clock), builtin_(*this, kBuiltin), in_charge_(&builtin_) {
  for (std::int32_t cpu = 0; cpu < std::clamp(options.cpus, 1, std::int32_t{TASKD_MAX_CPUS}); ++cpu) cpus_.emplace_back();
}

ring3::Result<std::unique_ptr<Runner>> Runner::create(const RunnerOptions& options) {
  std::unique_ptr<Runner> made(new Runner(options));
  if (const ring3::Result<void> offered = made->offer(options); !offered.ok()) return offered.error();
  the_runner.store(made.get(), std::memory_order_release);
  made->supervisor_ = std::thread([runner = made.get()] { runner->supervise(); });
  return made;
}

Runner::~Runner() {
  stop();
  closing_ = true;
  look_after();
  if (supervisor_.joinable()) supervisor_.join();
  std::map<std::uint64_t, Task*> left;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, task] : tasks_) {
      if (task->queue != nullptr) task->queue->remove(*task);
      forget(*task);
    }
    const std::lock_guard lookup(lookup_mutex_);
    left.swap(tasks_);
  }
  for (const auto& [id, task] : left) task->release();
  ring3::wait_for_readers();  // their destructors speak to the runtime
  {
    const std::lock_guard lock(ending_mutex);
    the_runner.store(nullptr, std::memory_order_release);
  }
  runtime_.reset();  // a scheduler that is still in charge leaves
}

void Runner::start() {
  for (std::int32_t cpu = 0; is_cpu(cpu); ++cpu) cpu_at(cpu).worker = std::thread([this, cpu] { work(cpu); });
}

void Runner::stop() {
  stop_ = true;
  for (std::int32_t cpu = 0; is_cpu(cpu); ++cpu) kick(cpu, TASKD_KICK_PREEMPT);
  for (Cpu& cpu : cpus_)
    if (cpu.worker.joinable()) cpu.worker.join();
}

void Runner::work(std::int32_t cpu) {
  while (!stop_) {
    if (run_slice(cpu)) continue;
    cpu_at(cpu).kicked.wait(0);
    cpu_at(cpu).kicked = 0;
  }
}

void Runner::kick(std::int32_t cpu, std::uint64_t flags) {
  Cpu& c = cpu_at(cpu);
  if ((flags & TASKD_KICK_PREEMPT) != 0) c.preempted = true;
  c.kicked = 1;
  c.kicked.notify_one();
}

std::uint64_t Runner::now_ns() const {
  if (clock_ != nullptr) return clock_->now_ns();
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

// --- tasks ----------------------------------------------------------------------------------------------------------

std::uint64_t Runner::spawn(std::string_view name, std::uint32_t weight, Body body, void* arg) {
  const std::lock_guard lock(mutex_);
  Task* task = nullptr;
  {
    const std::lock_guard lookup(lookup_mutex_);
    task = new Task(++last_id_, name, weight, body, arg);
    tasks_.emplace(task->id, task);
  }
  const std::uint64_t id = task->id;
  ++counts_.spawned;
  adopt(*task);
  make_runnable(*task);
  settle();
  return id;
}

Task* Runner::find(std::uint64_t id) {
  const std::lock_guard lookup(lookup_mutex_);
  const auto at = tasks_.find(id);
  return at != tasks_.end() && at->second->acquire() ? at->second : nullptr;
}

bool Runner::wake(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  Task* const task = find(id);
  if (task == nullptr) return false;
  if (task->state == State::kRunning) task->woken = true;
  if (task->state == State::kAsleep) make_runnable(*task);
  settle();
  task->release();
  return true;
}

/// It has slept, or is new: select_cpu and enqueue.
void Runner::make_runnable(Task& task) {
  ++counts_.wakeups;
  task.state = State::kHeld;
  task.runnable_since_ns = now_ns();
  bool to_local = false;
  {
    Call call(*in_charge_, Member::kSelectCpu, &task);
    const ring3::ReadSection section;
    const std::int32_t chosen = in_charge_->ops.select_cpu(&task, task.cpu);
    if (is_cpu(chosen)) {
      task.cpu = chosen;
    } else {
      in_charge_->end(TASKD_EXIT_ERROR, 0, "select_cpu() chose CPU {} of {} for {}[{}]", chosen, cpus_.size(), task.name, task.id);
    }
    to_local = call.to_local;
  }
  if (to_local) {
    if (task.state == State::kHeld && cpu_at(task.cpu).local.push(task, Queue::Order::kFifo)) task.state = State::kQueued;
  } else if (task.state == State::kHeld) {
    enqueue(task, TASKD_ENQ_WAKEUP);
  }
  kick(task.cpu, 0);
}

void Runner::enqueue(Task& task, std::uint64_t flags) {
  task.state = State::kHeld;
  const Call call(*in_charge_, Member::kEnqueue, &task);
  const ring3::ReadSection section;
  in_charge_->ops.enqueue(&task, flags);
}

// --- slices ---------------------------------------------------------------------------------------------------------

bool Runner::run_slice(std::int32_t cpu) {
  std::unique_lock lock(mutex_);
  Task* const task = next_task(cpu);
  if (task == nullptr) {
    idle_ |= 1ull << cpu;
    settle();
    return false;
  }
  begin_slice(*task, cpu);
  const std::uint32_t slice = task->slice;
  settle();
  lock.unlock();

  std::atomic<bool>& preempted = cpu_at(cpu).preempted;
  Step wanted = Step::kAgain;
  std::uint32_t steps = 0;
  while (wanted == Step::kAgain && steps < slice && (steps == 0 || !preempted.load(std::memory_order_relaxed))) {
    wanted = task->body(*task, task->arg);
    ++steps;
  }

  lock.lock();
  end_slice(*task, cpu, steps, wanted);
  settle();
  lock.unlock();
  if (wanted == Step::kDone) task->release();
  return true;
}

/// From the CPU's own queue, the global one, or whatever dispatch comes up with.
Task* Runner::next_task(std::int32_t cpu) {
  Cpu& c = cpu_at(cpu);
  Task* task = c.local.pop();
  if (task == nullptr) task = global_.pop();
  if (task == nullptr) {
    Task* const stopped = c.stopped != 0 ? find(c.stopped) : nullptr;
    {
      const Call call(*in_charge_, Member::kDispatch, stopped, cpu);
      const ring3::ReadSection section;
      in_charge_->ops.dispatch(cpu, stopped);
    }
    if (stopped != nullptr) stopped->release();
    task = c.local.pop();
    if (task == nullptr) task = global_.pop();
  }
  c.stopped = 0;
  return task;
}

void Runner::begin_slice(Task& task, std::int32_t cpu) {
  idle_ &= ~(1ull << cpu);
  cpu_at(cpu).current = &task;
  cpu_at(cpu).preempted = false;  // that was meant for another
  task.state = State::kRunning;
  task.cpu = cpu;
  if (task.slice == 0) task.slice = TASKD_SLICE_DFL;
  const Call call(*in_charge_, Member::kRunning, &task);
  const ring3::ReadSection section;
  in_charge_->ops.running(&task);
}

void Runner::end_slice(Task& task, std::int32_t cpu, std::uint32_t steps, Step wanted) {
  ++counts_.slices;
  task.steps += steps;
  task.slice -= std::min(steps, task.slice);
  const bool runnable = wanted == Step::kAgain || (wanted == Step::kSleep && task.woken);
  {
    const Call call(*in_charge_, Member::kStopping, &task);
    const ring3::ReadSection section;
    in_charge_->ops.stopping(&task, runnable);
  }
  cpu_at(cpu).current = nullptr;
  task.woken = false;
  if (runnable) {
    cpu_at(cpu).stopped = task.id;
    task.runnable_since_ns = now_ns();
    enqueue(task, wanted == Step::kSleep ? TASKD_ENQ_WAKEUP : 0);
    return;
  }
  task.state = wanted == Step::kDone ? State::kDone : State::kAsleep;
  if (wanted != Step::kDone) return;
  forget(task);
  {
    const std::lock_guard lookup(lookup_mutex_);
    tasks_.erase(task.id);
  }
  ++counts_.done;
  if (counts_.done == counts_.spawned) all_done_.notify_all();
}

// --- what others ask ------------------------------------------------------------------------------------------------

Runner* Runner::current() { return the_runner.load(std::memory_order_acquire); }

Counts Runner::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string Runner::scheduler() {
  const std::lock_guard lock(mutex_);
  return in_charge_->name;
}

bool Runner::wait_until_done(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return all_done_.wait_for(lock, at_most, [this] { return counts_.done == counts_.spawned; });
}

}  // namespace taskd
