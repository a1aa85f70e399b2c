// A dispatch queue: in the order of insertion, or of virtual time. The links are part of the tasks, so that no memory is needed to
// queue one: whatever happens to a scheduler, its tasks find a place.
#pragma once

#include <cstdint>

#include "task.h"

namespace taskd {

/// Guarded by the runner's lock.
class Queue {
 public:
  enum class Order : std::uint8_t { kAny, kFifo, kVtime };

  /// False: the other order is in use, and the task in no queue.
  bool push(Task& task, Order order) {
    if (length_ != 0 && order != order_) return false;
    order_ = order;
    Task* after = last_;
    // Most come late, so the place is looked for from the end.
    while (order == Order::kVtime && after != nullptr && after->vtime > task.vtime) after = after->before;
    task.before = after;
    task.behind = after != nullptr ? after->behind : first_;
    (task.before != nullptr ? task.before->behind : first_) = &task;
    (task.behind != nullptr ? task.behind->before : last_) = &task;
    task.queue = this;
    ++length_;
    return true;
  }
  Task* pop() {
    Task* const task = first_;
    if (task != nullptr) remove(*task);
    return task;
  }
  void remove(Task& task) {
    (task.before != nullptr ? task.before->behind : first_) = task.behind;
    (task.behind != nullptr ? task.behind->before : last_) = task.before;
    task.before = task.behind = nullptr;
    task.queue = nullptr;
    --length_;
  }
  std::uint32_t length() const { return length_; }

 private:
  Task *first_ = nullptr, *last_ = nullptr;
  std::uint32_t length_ = 0;
  Order order_ = Order::kAny;
};

}  // namespace taskd
