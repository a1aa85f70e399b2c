// What schedulers ask of the runner: their queues, and the CPUs that are idle.
#include <algorithm>
#include <bit>
#include <cerrno>

#include "runner.h"

namespace taskd {

std::shared_ptr<Tenure> Runner::client_in_charge() {
  const std::lock_guard lookup(lookup_mutex_);
  const auto at = std::find_if(tenures_.begin(), tenures_.end(), [this](const auto& t) { return t.get() == in_charge_; });
  return at != tenures_.end() ? *at : nullptr;
}

std::int32_t Runner::create_queue(Tenure& of, std::uint64_t dsq) {
  if ((dsq & TASKD_DSQ_BUILTIN) != 0) return -EINVAL;
  const std::lock_guard lock(mutex_);
  return of.queues.try_emplace(dsq).second ? 0 : -EEXIST;
}

/// Null: the scheduler has named one that is not there, and ends.
Queue* Runner::queue_for(const Call& call, const Task& task, std::uint64_t dsq) {
  if (dsq == TASKD_DSQ_GLOBAL) return &global_;
  if (dsq == TASKD_DSQ_LOCAL) return &cpu_at(call.member == Member::kDispatch ? call.cpu : task.cpu).local;
  if ((dsq & TASKD_DSQ_LOCAL_ON) == TASKD_DSQ_LOCAL_ON) {
    const auto cpu = static_cast<std::int64_t>(dsq & ~TASKD_DSQ_LOCAL_ON);
    if (is_cpu(cpu)) return &cpus_[static_cast<std::size_t>(cpu)].local;
    call.tenure.end(TASKD_EXIT_ERROR, 0, "{}() inserted {}[{}] on CPU {} of {}", member_name(call.member), task.name, task.id, cpu, cpus_.size());
    return nullptr;
  }
  const auto at = call.tenure.queues.find(dsq);
  if (at != call.tenure.queues.end()) return &at->second;
  call.tenure.end(TASKD_EXIT_ERROR, 0, "{}() inserted {}[{}] into queue {}, which is not there", member_name(call.member), task.name, task.id, dsq);
  return nullptr;
}

void Runner::insert(Call& call, Task& task, std::uint64_t dsq, std::uint32_t slice, Queue::Order order, std::uint64_t vtime) {
  // It may have been dispatched already, or have ended: whoever keeps tasks in mind cannot know.
  if (task.state != State::kHeld) return;
  if (slice != 0) task.slice = slice;
  if (order == Queue::Order::kVtime) task.vtime = vtime;
  if (call.member == Member::kSelectCpu && dsq == TASKD_DSQ_LOCAL) {
    call.to_local = true;
    return;
  }
  Queue* const queue = queue_for(call, task, dsq);
  if (queue == nullptr) return;
  if (!queue->push(task, order)) {
    call.tenure.end(TASKD_EXIT_ERROR, 0, "{}() inserted {}[{}] into a queue of the other order", member_name(call.member), task.name, task.id);
    return;
  }
  task.state = State::kQueued;
  if ((dsq & TASKD_DSQ_LOCAL_ON) == TASKD_DSQ_LOCAL_ON) kick(static_cast<std::int32_t>(dsq & ~TASKD_DSQ_LOCAL_ON), 0);
}

bool Runner::move_to_local(const Call& call, std::uint64_t dsq) {
  const auto at = call.tenure.queues.find(dsq);
  if (at == call.tenure.queues.end()) {
    call.tenure.end(TASKD_EXIT_ERROR, 0, "dispatch() looked into queue {}, which is not there", dsq);
    return false;
  }
  Task* const task = at->second.pop();
  return task != nullptr && cpu_at(call.cpu).local.push(*task, Queue::Order::kFifo);
}

std::int32_t Runner::queued(const Call& call, std::uint64_t dsq) {
  if (dsq == TASKD_DSQ_GLOBAL) return static_cast<std::int32_t>(global_.length());
  const auto at = call.tenure.queues.find(dsq);
  return at != call.tenure.queues.end() ? static_cast<std::int32_t>(at->second.length()) : -ENOENT;
}

std::int32_t Runner::pick_idle(std::int32_t preferred) {
  if (idle_ == 0) return -EBUSY;
  const bool fits = is_cpu(preferred) && (idle_ >> preferred & 1) != 0;
  const std::int32_t cpu = fits ? preferred : std::countr_zero(idle_);
  idle_ &= ~(1ull << cpu);
  return cpu;
}

}  // namespace taskd
