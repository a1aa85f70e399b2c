// The runtime's tasks: the threads of the host's process, as programs see them by struct task_struct of the host's BTF
// (members pid, tgid and comm, where it has them; all others read as zero).
//
// A task is made when its thread first asks for itself, or when a walk finds it; the table holds a reference to it as long as the
// thread lives. A thread that has asked says itself when it ends. Of the others the table finds out when it looks at
// /proc/self/task, where a number that belongs to another thread by now is told by the time the thread was started. Reading that
// list is a system call that never sleeps, so it is done inside read sections too.
//
// What programs keep in a task's storage goes when its thread ends, and once more before its memory does, because a
// program that holds a reference may have made some since. The memory goes after readers.
//
// Locking: TaskTable::mutex is a leaf; scan_mutex comes before it and is held while the list of threads is read. Callbacks
// run under neither.
#pragma once

#include <cstdint>
#include <memory>

#include "ring3/result.h"

namespace ring3::btf {
class Btf;
}

namespace ring3::exec {

struct TaskTable;

class Tasks {
 public:
  /// What programs keep for a task may go. Any thread, under no lock.
  using Gone = void (*)(void* context, const void* task);

  Tasks() = default;
  ~Tasks() { stop(); }
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  /// Before the first program. Errors: kNoMem.
  Result<void> start(const btf::Btf& btf, Gone gone, void* context);
  /// No more callbacks once the read sections that are open now have ended. Idempotent.
  void stop() noexcept;

  bool started() const { return table_ != nullptr; }

  // Inside read sections. Tasks are the addresses that programs have.

  /// The calling thread's: never null after start().
  void* current() noexcept;
  /// The thread of this number, with a reference; null: there is none, or no memory.
  void* find(std::uint32_t tid) noexcept;
  /// Looks which threads there are. Without memory, some that nobody asked for are left out.
  void refresh() noexcept;
  /// The first known thread with a number above this one; null: none.
  void* after(std::uint32_t tid) noexcept;

  /// One more reference. False: its memory is on its way out.
  static bool acquire(void* task) noexcept;
  static void release(void* task) noexcept;
  static std::uint32_t number(const void* task) noexcept;
  /// The first thread, whose number is the process's.
  static bool is_process(const void* task) noexcept;
  static std::uint32_t references(const void* task) noexcept;

  /// Tasks whose memory has not been given back, the table's own stand-in left out. For tests and listings.
  std::size_t alive() const noexcept;

 private:
  std::shared_ptr<TaskTable> table_;
};

}  // namespace ring3::exec
