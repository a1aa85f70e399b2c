// An M:N task runner: worker threads are CPUs, and a scheduler decides which task runs where: the built-in FIFO, or a client's BPF module.
//
// Locks. mutex_ is what a run queue's lock is in a kernel: every decision is made under it, so members of schedulers run one at a
// time, and whoever swaps schedulers under it knows that none is inside. Bodies of tasks, init and exit run without it.
// lookup_mutex_ is below it, for timers' callbacks, which look up tasks and the scheduler in charge: these are changed under both
// and read under either. Nobody who holds one waits for ring3: schedulers are ejected by a thread that holds none.
//
// Ending. Whoever finds a reason (a kfunc, the watchdog, a link that goes) notes it in the tenure. Before the lock is released next,
// settle() gives all tasks to the built-in scheduler; the supervisor then takes the link away, and leave() tells the scheduler.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ring3/runtime.h"
#include "tenure.h"

namespace taskd {

/// How a scheduler ended; kept after it has gone.
struct ExitRecord {
  std::string scheduler;
  taskd_exit_info info;
};
/// What a scheduler may not say of itself: kInval no name, or unknown flags; kTooBig a long timeout.
ring3::Result<void> check_ops(const taskd_ops& ops);

/// As it is printed: a line, and the dump's.
std::string to_text(const ExitRecord& record);

struct Counts {
  std::uint64_t spawned = 0, done = 0;  // the difference is alive
  std::uint64_t slices = 0, wakeups = 0;
  std::uint64_t takeovers = 0;          // by schedulers of clients
};

struct RunnerOptions {
  std::string name = "taskd";      ///< what `ring3 hosts` calls it
  std::int32_t cpus = 2;           ///< 1 to TASKD_MAX_CPUS
  ring3::Log* log = nullptr;       ///< outlives the runner
  ring3::Clock* clock = nullptr;   ///< of the watchdog, and of programs. With one, check_watchdog() is the host's to call
};

/// One at a time in a process: kfuncs are functions. Thread-safe.
class Runner {
 public:
  static ring3::Result<std::unique_ptr<Runner>> create(const RunnerOptions& options);
  /// Stops the workers; tasks that have not ended are dropped.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// For clients: listen().
  ring3::Runtime& runtime() { return *runtime_; }
  /// One worker thread per CPU. Without them, run_slice() is the caller's.
  void start();
  void stop();

  /// A runnable task; its number. weight: 1 to 10000.
  std::uint64_t spawn(std::string_view name, std::uint32_t weight, Body body, void* arg);
  /// Once more runnable, if it sleeps; if it runs, after its slice. False: it has ended.
  bool wake(std::uint64_t task);

  /// What a worker does over and over: chooses a task and runs it for a slice. False: there was none, and the CPU is idle.
  bool run_slice(std::int32_t cpu);
  /// Ends the scheduler in charge if a task has waited too long.
  void check_watchdog();

  Counts counts();
  /// Of the scheduler in charge.
  std::string scheduler();
  /// The last ones, oldest first.
  std::vector<ExitRecord> exits();
  /// Waits until there have been so many; false: not in time.
  bool wait_for_exits(std::size_t wanted, std::chrono::milliseconds at_most);
  bool wait_until_done(std::chrono::milliseconds at_most);

  // For kfuncs (kfuncs.cc). Those with a call: on its thread, under the lock.
  /// Null: there is none.
  static Runner* current();
  bool is_cpu(std::int64_t cpu) const { return cpu >= 0 && static_cast<std::size_t>(cpu) < cpus_.size(); }
  std::uint32_t cpu_count() const { return static_cast<std::uint32_t>(cpus_.size()); }
  void kick(std::int32_t cpu, std::uint64_t flags);
  /// With a reference, or null.
  Task* find(std::uint64_t id);
  /// Null: the built-in one.
  std::shared_ptr<Tenure> client_in_charge();
  std::int32_t create_queue(Tenure& of, std::uint64_t dsq);
  void insert(Call& call, Task& task, std::uint64_t dsq, std::uint32_t slice, Queue::Order order, std::uint64_t vtime);
  bool move_to_local(const Call& call, std::uint64_t dsq);
  std::int32_t queued(const Call& call, std::uint64_t dsq);
  std::int32_t pick_idle(std::int32_t preferred);
  std::uint64_t idle() const { return idle_; }

 private:
  friend struct Tenure;

  struct Cpu {
    std::atomic<int> kicked{0};
    std::atomic<bool> preempted{false};
    Queue local;                // mutex_, as what follows
    Task* current = nullptr;
    std::uint64_t stopped = 0;  // the task that has just stopped with work left; 0: none
    std::thread worker;
  };

  explicit Runner(const RunnerOptions& options);
  ring3::Result<void> offer(const RunnerOptions& options);

  // Schedulers come and go: runner_policy.cc. take_over and leave are called by ring3, one at a time.
  ring3::Result<void> take_over(const taskd_ops& ops);
  void leave(const taskd_ops& ops);
  bool init_all(Tenure& next);
  bool init_task(Tenure& tenure, Task& task);
  void exit_task(Tenure& tenure, Task& task);
  void enable(Tenure& tenure, Task& task);
  void adopt(Task& task);
  void forget(Task& task);
  void switch_to(Tenure& next);
  void settle();
  void write_dump(Tenure& of);
  void finish(Tenure& ended);
  void supervise();
  bool eject_failed();
  void look_after() noexcept { concerns_.release(); }

  // Decisions, under mutex_.
  Task* next_task(std::int32_t cpu);
  void make_runnable(Task& task);
  void enqueue(Task& task, std::uint64_t flags);
  void begin_slice(Task& task, std::int32_t cpu);
  void end_slice(Task& task, std::int32_t cpu, std::uint32_t steps, Step wanted);
  Queue* queue_for(const Call& call, const Task& task, std::uint64_t dsq);
  Cpu& cpu_at(std::int32_t cpu) { return cpus_[static_cast<std::size_t>(cpu)]; }
  std::uint64_t now_ns() const;
  void work(std::int32_t cpu);

  std::unique_ptr<ring3::Runtime> runtime_;
  ring3::StructOpsPoint<taskd_ops> point_;
  ring3::Log* const log_;
  ring3::Clock* const clock_;
  std::deque<Cpu> cpus_;
  std::atomic<bool> stop_{false}, closing_{false};

  std::mutex mutex_;
  Tenure builtin_;
  Tenure* in_charge_;                             // one of tenures_, or builtin_; lookup_mutex_ too
  std::vector<std::shared_ptr<Tenure>> tenures_;  // of schedulers that have links; lookup_mutex_ too
  Queue global_;
  std::uint64_t idle_ = 0;  // a bit per CPU
  Counts counts_;
  std::condition_variable all_done_;

  std::mutex lookup_mutex_;
  std::map<std::uint64_t, Task*> tasks_;  // a reference each; those that have not ended. mutex_ too
  std::uint64_t last_id_ = 0;

  std::mutex exits_mutex_;
  std::deque<ExitRecord> exits_;
  std::size_t exit_count_ = 0;
  std::condition_variable exited_;

  std::counting_semaphore<> concerns_{0};
  std::thread supervisor_;
};

}  // namespace taskd
