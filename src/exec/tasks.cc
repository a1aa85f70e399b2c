#include "exec/tasks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "base/fault_point.h"
#include "base/mutex.h"
#include "base/owned_fd.h"
#include "btf/btf.h"
#include "maps/object_links.h"
#include "maps/shared_words.h"
#include "object/rcu.h"

namespace ring3::exec {
namespace {

using maps::RbNode;

constexpr std::size_t kCommBytes = 16;

/// A member of struct task_struct; no bytes: there is none.
struct Place {
  std::uint32_t off = 0;
  std::uint32_t bytes = 0;
};

struct TaskLayout {
  std::uint32_t bytes = 8;
  Place pid, tgid, comm;
};

/// What /proc says of a thread.
struct ThreadFacts {
  std::uint64_t started = 0;  // clock ticks since the machine's start
  std::array<char, kCommBytes> comm{};
};

/// What stands before a task's struct.
struct alignas(16) Task {
  RbNode node{};  // first; in TaskTable::tasks
  rcu::Deferred freed;
  std::shared_ptr<TaskTable> table;
  std::atomic<std::uint32_t> refs{1};
  std::uint32_t tid = 0;
  std::uint32_t tgid = 0;
  std::uint64_t started = 0;
  std::uint64_t seen = 0;      // the scan that met it last
  bool says_its_end = false;   // its thread will
  Task* next_of_thread = nullptr;

  std::byte* view() { return reinterpret_cast<std::byte*>(this + 1); }
};

Task& task_of(const void* view) { return *(static_cast<Task*>(const_cast<void*>(view)) - 1); }
Task* task_of(RbNode* node) { return reinterpret_cast<Task*>(node); }

Place place_of(const btf::Btf& btf, btf::TypeId type, std::string_view name) {
  for (const btf::Member& m : btf.members(type)) {
    if (m.name != name || m.bitfield_bits != 0 || m.bit_off % 8 != 0) continue;
    return {m.bit_off / 8, static_cast<std::uint32_t>(btf.size_of(m.type).value_or(0))};
  }
  return {};
}

/// "pid (comm) state …": the comm may hold anything; the 20th word behind it is the start.
bool parse_stat(std::string_view text, ThreadFacts& out) {
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
  const std::string_view comm = text.substr(open + 1, close - open - 1);
  std::memcpy(out.comm.data(), comm.data(), std::min(comm.size(), kCommBytes - 1));
  std::size_t at = close;
  for (int word = 0; word < 20; ++word) {
    at = text.find(' ', at + 1);
    if (at == std::string_view::npos) return false;
  }
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
    out.started = out.started * 10 + static_cast<std::uint64_t>(text[at] - '0');
  return true;
}

/// False: the thread has ended.
bool read_facts(std::uint32_t tid, ThreadFacts& out) {
  std::array<char, 48> path;
  std::snprintf(path.data(), path.size(), "/proc/self/task/%u/stat", tid);
  const OwnedFd file(::open(path.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text;
  const ssize_t n = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return n > 0 && parse_stat({text.data(), static_cast<std::size_t>(n)}, out);
}

std::uint32_t own_number() {
  static thread_local const auto tid = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  return tid;
}

void put_number(Task& task, Place place, std::uint32_t number) {
  if (place.bytes == sizeof number) maps::store_shared(task.view() + place.off, &number, sizeof number);
}
void put_comm(Task& task, Place place, const std::array<char, kCommBytes>& comm) {
  if (place.bytes >= kCommBytes) maps::store_shared(task.view() + place.off, comm.data(), kCommBytes);
}

}  // namespace

/// Shared by the runtime and the threads that end after it.
struct TaskTable : std::enable_shared_from_this<TaskTable> {
  TaskLayout layout;
  std::uint64_t serial = 0;  // never that of another table
  Tasks::Gone gone = nullptr;
  void* context = nullptr;
  std::atomic<bool> stopped{false};
  std::atomic<std::size_t> alive{0};
  Task* nobody = nullptr;  // what current() gives when there is no memory
  Mutex scan_mutex;
  Mutex mutex;
  maps::RbRoot tasks RING3_GUARDED_BY(mutex){};
  std::uint64_t scan RING3_GUARDED_BY(mutex) = 0;

  Task* make(std::uint32_t tid) noexcept;
  Task* find(std::uint32_t tid) noexcept RING3_REQUIRES(mutex);
  /// The living thread's task; one of that number that is not its own goes. Null: no memory, or stopped.
  Task* enter(std::uint32_t tid, const ThreadFacts& facts, bool says_its_end, bool and_acquire) noexcept;
  bool leave(Task& task) noexcept RING3_REQUIRES(mutex);
  /// Its thread has ended, and it has left the table. Gives the table's reference back.
  void end(Task& task) noexcept;
  void tell(Task& task) noexcept {
    const rcu::ReadSection readers;  // stop() is followed by a wait for these
    if (!stopped.load(std::memory_order_seq_cst)) gone(context, task.view());
  }
  void scan_threads() noexcept RING3_REQUIRES(scan_mutex);
  void meet(std::uint32_t tid, std::uint64_t scan_number) noexcept;
};

namespace {

std::atomic<std::uint64_t> g_next_serial{1};

/// The task asked for last.
struct Remembered {
  std::uint64_t serial = 0;
  void* view = nullptr;
};
constinit thread_local Remembered t_remembered;
constinit thread_local bool t_ends = false;

/// The tasks of one thread, one for each runtime it ran programs of. Each is held by a reference.
struct ThreadTasks {
  Task* first = nullptr;
  ~ThreadTasks() {
    t_ends = true;
    t_remembered = {};
    drop([](const Task&) { return true; });
  }

  template <typename Which>
  void drop(Which which) noexcept {
    for (Task** at = &first; *at != nullptr;) {
      Task* const task = *at;
      if (!which(*task)) {
        at = &task->next_of_thread;
        continue;
      }
      *at = task->next_of_thread;
      const std::shared_ptr<TaskTable> table = task->table;
      bool was_in = false;
      {
        MutexLock lock(table->mutex);
        was_in = table->leave(*task);
      }
      if (was_in) table->end(*task);
      Tasks::release(task->view());
    }
  }
};

thread_local ThreadTasks t_tasks;

void free_task(rcu::Deferred* node) noexcept {
  auto* task = reinterpret_cast<Task*>(reinterpret_cast<std::byte*>(node) - offsetof(Task, freed));
  const std::shared_ptr<TaskTable> table = std::move(task->table);
  table->tell(*task);
  table->alive.fetch_sub(1, std::memory_order_relaxed);
  task->~Task();
  std::free(task);
}

}  // namespace

Task* TaskTable::make(std::uint32_t tid) noexcept {
  if (fault_point()) return nullptr;
  const std::size_t bytes = sizeof(Task) + (layout.bytes + 15u) / 16 * 16;
  void* const memory = std::aligned_alloc(alignof(Task), bytes);
  if (memory == nullptr) return nullptr;
  std::memset(memory, 0, bytes);
  auto* task = new (memory) Task;
  task->table = shared_from_this();
  task->tid = tid;
  task->tgid = static_cast<std::uint32_t>(::getpid());
  put_number(*task, layout.pid, tid);
  put_number(*task, layout.tgid, task->tgid);
  alive.fetch_add(1, std::memory_order_relaxed);
  return task;
}

Task* TaskTable::find(std::uint32_t tid) noexcept {
  for (RbNode* n = tasks.top; n != nullptr;) {
    Task* const task = task_of(n);
    if (task->tid == tid) return task;
    n = tid < task->tid ? n->left : n->right;
  }
  return nullptr;
}

bool TaskTable::leave(Task& task) noexcept { return maps::tree_remove(&tasks, &task.node); }

void TaskTable::end(Task& task) noexcept {
  tell(task);
  Tasks::release(task.view());
}

Task* TaskTable::enter(std::uint32_t tid, const ThreadFacts& facts, bool says_its_end, bool and_acquire) noexcept {
  Task* const fresh = make(tid);
  Task* stale = nullptr;
  Task* task = nullptr;
  {
    MutexLock lock(mutex);
    Task* const known = find(tid);
    if (known != nullptr && known->started == facts.started) {
      task = known;
    } else if (fresh != nullptr && !stopped.load(std::memory_order_relaxed)) {
      if (known != nullptr && leave(*known)) stale = known;
      fresh->started = facts.started;
      maps::tree_add(&tasks, &fresh->node, maps::Sharing::kSole,
                     [](RbNode* a, RbNode* b) { return task_of(a)->tid < task_of(b)->tid; });
      task = fresh;
    }
    if (task != nullptr) {
      task->seen = scan;
      task->says_its_end |= says_its_end;
      put_comm(*task, layout.comm, facts.comm);
      if (and_acquire) task->refs.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (stale != nullptr) end(*stale);
  if (fresh != nullptr && task != fresh) Tasks::release(fresh->view());
  return task;
}

void TaskTable::meet(std::uint32_t tid, std::uint64_t scan_number) noexcept {
  {
    MutexLock lock(mutex);
    Task* const known = find(tid);
    if (known != nullptr && known->says_its_end) {
      known->seen = scan_number;
      return;
    }
  }
  ThreadFacts facts;
  if (read_facts(tid, facts)) enter(tid, facts, false, false);
}

void TaskTable::scan_threads() noexcept {
  std::uint64_t number = 0;
  {
    MutexLock lock(mutex);
    number = ++scan;
  }
  const OwnedFd folder(::open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return;
  alignas(8) std::array<std::byte, 4096> entries;
  for (;;) {
    const long n = ::syscall(SYS_getdents64, folder.get(), entries.data(), entries.size());
    if (n < 0) return;
    if (n == 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      if (const long tid = std::strtol(entry->d_name, nullptr, 10); tid > 0) meet(static_cast<std::uint32_t>(tid), number);
      at += entry->d_reclen;
    }
  }
  // Who was not met, and entered before the list was read, is no more; one at a time, because each ends without the lock.
  for (std::uint32_t after = 0;;) {
    Task* gone_task = nullptr;
    {
      MutexLock lock(mutex);
      for (RbNode* n = maps::tree_after(&tasks, [&](RbNode* node) { return task_of(node)->tid > after; }); n != nullptr;
           n = maps::tree_next(n)) {
        Task* const task = task_of(n);
        after = task->tid;
        if (task->seen == number || task->says_its_end) continue;
        leave(*task);
        gone_task = task;
        break;
      }
    }
    if (gone_task == nullptr) return;
    end(*gone_task);
  }
}

Result<void> Tasks::start(const btf::Btf& btf, Gone gone, void* context) {
  auto table = std::make_shared<TaskTable>();
  table->serial = g_next_serial.fetch_add(1, std::memory_order_relaxed);
  table->gone = gone;
  table->context = context;
  if (const btf::TypeId type = btf.find("task_struct", btf::Kind::kStruct); type != 0)
    table->layout = {btf.size_of(type).value_or(8), place_of(btf, type, "pid"), place_of(btf, type, "tgid"), place_of(btf, type, "comm")};
  table->nobody = table->make(0);
  if (table->nobody == nullptr) return Errno::kNoMem;
  table_ = std::move(table);
  return {};
}

void Tasks::stop() noexcept {
  if (table_ == nullptr) return;
  RbNode* first = nullptr;
  Task* nobody = nullptr;
  {
    MutexLock lock(table_->mutex);
    table_->stopped.store(true, std::memory_order_seq_cst);
    first = maps::tree_take_all(&table_->tasks);
    for (RbNode* n = first; n != nullptr; n = n->right) maps::node_left(n);  // threads that end find themselves gone
    nobody = std::exchange(table_->nobody, nullptr);
  }
  if (nobody != nullptr) release(nobody->view());
  while (first != nullptr) {
    Task* const task = task_of(first);
    first = first->right;
    release(task->view());
  }
}

void* Tasks::current() noexcept {
  if (t_remembered.serial == table_->serial) [[likely]] return t_remembered.view;
  if (t_ends) return table_->nobody->view();
  Task* task = nullptr;
  for (Task* t = t_tasks.first; t != nullptr && task == nullptr; t = t->next_of_thread)
    if (t->table == table_) task = t;
  if (task == nullptr) {
    t_tasks.drop([](const Task& t) { return t.table->stopped.load(std::memory_order_relaxed); });
    ThreadFacts facts;
    if (!read_facts(own_number(), facts)) ::prctl(PR_GET_NAME, facts.comm.data());
    task = table_->enter(own_number(), facts, true, true);
    if (task == nullptr) return table_->nobody->view();
    task->next_of_thread = std::exchange(t_tasks.first, task);
  }
  t_remembered = {table_->serial, task->view()};
  return task->view();
}

void* Tasks::find(std::uint32_t tid) noexcept {
  if (tid == own_number() && acquire(current())) return current();
  {
    MutexLock lock(table_->mutex);
    Task* const known = table_->find(tid);
    if (known != nullptr && known->says_its_end) {
      known->refs.fetch_add(1, std::memory_order_relaxed);
      return known->view();
    }
  }
  ThreadFacts facts;
  if (tid == 0 || !read_facts(tid, facts)) return nullptr;
  Task* const task = table_->enter(tid, facts, false, true);
  return task == nullptr ? nullptr : task->view();
}

void Tasks::refresh() noexcept {
  MutexLock lock(table_->scan_mutex);
  table_->scan_threads();
}

void* Tasks::after(std::uint32_t tid) noexcept {
  MutexLock lock(table_->mutex);
  RbNode* const n = maps::tree_after(&table_->tasks, [&](RbNode* node) { return task_of(node)->tid > tid; });
  return n == nullptr ? nullptr : task_of(n)->view();
}

bool Tasks::acquire(void* task) noexcept {
  std::atomic<std::uint32_t>& refs = task_of(task).refs;
  std::uint32_t seen = refs.load(std::memory_order_relaxed);
  do {
    if (seen == 0 || seen == UINT32_MAX) return false;
  } while (!refs.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
  return true;
}

void Tasks::release(void* task) noexcept {
  Task& t = task_of(task);
  if (t.refs.fetch_sub(1, std::memory_order_acq_rel) == 1) rcu::call_after_readers(&t.freed, free_task);
}

std::uint32_t Tasks::number(const void* task) noexcept { return task_of(task).tid; }
bool Tasks::is_process(const void* task) noexcept { return task_of(task).tid == task_of(task).tgid; }
std::uint32_t Tasks::references(const void* task) noexcept { return task_of(task).refs.load(std::memory_order_relaxed); }

std::size_t Tasks::alive() const noexcept {
  if (table_ == nullptr) return 0;
  return table_->alive.load(std::memory_order_relaxed) - (table_->nobody != nullptr ? 1 : 0);
}

}  // namespace ring3::exec
