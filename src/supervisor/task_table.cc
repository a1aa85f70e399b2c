#include "supervisor/task_table.h"

#include <poll.h>
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
  event.events = EPOLLIN | EPOLLET;  // once: who has ended stays readable as long as its parent does not wait for it
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
  const int count = ::epoll_wait(ends_.get(), events, 32, 0);  // the rest next time
  for (int i = 0; i < count; ++i) {
    const auto known = tasks_.find(static_cast<pid_t>(events[i].data.u64));
    // It may be another thread's, of the same number; that one's pidfd tells. A signal would still reach who has ended and was not waited for.
    pollfd end{known == tasks_.end() ? -1 : known->second->task.pidfd(), POLLIN, 0};
    if (::poll(&end, 1, 0) <= 0) continue;
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
