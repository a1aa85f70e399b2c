#include "supervisor/task_table.h"

#include <sys/epoll.h>

#include <utility>
#include <vector>

#include "base/try.h"

namespace ring3::supervisor {

Result<std::unique_ptr<TaskTable>> TaskTable::create() {
  OwnedFd ends(::epoll_create1(EPOLL_CLOEXEC));
  if (!ends) return Errno::kMFile;
  return std::unique_ptr<TaskTable>(new TaskTable(std::move(ends)));
}

Result<std::shared_ptr<TaskEntry>> TaskTable::find(pid_t task) {
  std::shared_ptr<TaskEntry> stale;  // dropped after the lock
  MutexLock lock(mutex_);
  if (const auto known = tasks_.find(task); known != tasks_.end()) {
    if (known->second->task.alive()) return known->second;
    stale = std::move(known->second);
    tasks_.erase(known);
  }
  auto entry = std::make_shared<TaskEntry>(RING3_TRY(Task::open(task)));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(task);
  // Without it the entry stays until its number comes again; that is only memory.
  (void)::epoll_ctl(ends_.get(), EPOLL_CTL_ADD, entry->task.pidfd(), &event);
  tasks_[task] = entry;
  return entry;
}

Result<std::shared_ptr<TaskEntry>> TaskTable::find_known(pid_t task) {
  {
    MutexLock lock(mutex_);
    if (const auto known = tasks_.find(task); known != tasks_.end() && known->second->task.answers_for_itself()) return known->second;
  }
  return find(task);
}

void TaskTable::drop_ended() {
  std::vector<std::shared_ptr<TaskEntry>> ended;  // dropped after the lock
  MutexLock lock(mutex_);
  epoll_event events[32];
  const int count = ::epoll_wait(ends_.get(), events, 32, 0);
  for (int i = 0; i < count; ++i) {
    const auto known = tasks_.find(static_cast<pid_t>(events[i].data.u64));
    if (known == tasks_.end() || known->second->task.alive()) continue;
    (void)::epoll_ctl(ends_.get(), EPOLL_CTL_DEL, known->second->task.pidfd(), nullptr);
    ended.push_back(std::move(known->second));
    tasks_.erase(known);
  }
}

std::map<pid_t, std::shared_ptr<TaskEntry>> TaskTable::all() {
  MutexLock lock(mutex_);
  return tasks_;
}

}  // namespace ring3::supervisor
