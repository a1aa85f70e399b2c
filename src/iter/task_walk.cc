// Tasks: the threads of the host's process (exec/tasks.h), in order of their number. Which there are is looked up when the
// walk starts; threads that ended since are passed over.
#include <unistd.h>

#include <utility>

#include "exec/tasks.h"
#include "iter/walk.h"
#include "object/rcu.h"

namespace ring3::iter {
namespace {

class TaskWalk final : public Walk {
 public:
  TaskWalk(exec::Tasks& tasks, const WalkScope& scope) : tasks_(tasks), scope_(scope) {
    const rcu::ReadSection readers;
    tasks_.refresh();
  }
  ~TaskWalk() override { TaskWalk::let_go(); }
  Result<bool> hold() override {
    const rcu::ReadSection readers;
    while (held_ == nullptr) {
      void* const task = is_in_scope() ? tasks_.after(behind_) : nullptr;
      if (task == nullptr) return false;
      const std::uint32_t number = exec::Tasks::number(task);
      if ((scope_.tid == 0 || number == scope_.tid) && exec::Tasks::acquire(task)) held_ = task;
      else behind_ = number;
    }
    return true;
  }
  void let_go() noexcept override {
    if (held_ != nullptr) exec::Tasks::release(std::exchange(held_, nullptr));
  }
  void step() override {
    if (held_ != nullptr) behind_ = exec::Tasks::number(held_);
    TaskWalk::let_go();
  }
  void arguments(std::span<std::uint64_t> out) override { out[0] = reinterpret_cast<std::uintptr_t>(held_); }

 private:
  /// A host is one process.
  bool is_in_scope() const { return scope_.pid == 0 || scope_.pid == static_cast<std::uint32_t>(::getpid()); }

  exec::Tasks& tasks_;
  const WalkScope scope_;
  std::uint32_t behind_ = 0;  // the place is behind the thread of this number
  void* held_ = nullptr;      // with a reference
};

}  // namespace

std::unique_ptr<Walk> walk_tasks(const WalkWorld& world, const WalkScope& scope) {
  return std::make_unique<TaskWalk>(world.tasks, scope);
}

}  // namespace ring3::iter
