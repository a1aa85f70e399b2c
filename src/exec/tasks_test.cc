// The threads of this process as tasks: which there are, how long each lasts, and what programs do with them.
#include "exec/tasks.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "btf/builder.h"
#include "exec/kfunc_table.h"
#include "object/rcu.h"
#include "tests/support/helper_test.h"
#include "tests/support/waiting_thread.h"

namespace ring3::exec {
namespace {

struct View {
  std::int32_t pid;
  std::int32_t tgid;
  char comm[16];
};

std::uint32_t own_tid() { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }

class TasksTest : public HelperTest {
 protected:
  TasksTest() {
    btf::Builder b;
    const auto number = b.add_int("int", 4, 1), letter = b.add_int("char", 1, 1), index = b.add_int("unsigned int", 4);
    b.add_struct("task_struct", 24, {{"pid", number, 0}, {"tgid", number, 32}, {"comm", b.add_array(letter, index, 16), 64}});
    StringSink log;
    btf_ = btf::Btf::parse(b.finish(), nullptr, log).value();
    EXPECT_TRUE(tasks().start(*btf_, [](void* self, const void* task) { static_cast<TasksTest*>(self)->note(task); }, this).ok());
  }
  ~TasksTest() override {
    tasks().stop();
    rcu::drain();
  }
  void note(const void* task) {
    MutexLock lock(mutex_);
    gone_.insert(task);
  }
  std::size_t gone(const void* task) {
    MutexLock lock(mutex_);
    return gone_.count(task);
  }
  Tasks& tasks() { return machine_.tasks; }
  static const View& view(const void* task) { return *static_cast<const View*>(task); }
  std::vector<std::uint32_t> known() {
    rcu::ReadSection readers;
    std::vector<std::uint32_t> out;
    for (void* t = tasks().after(0); t != nullptr; t = tasks().after(out.back())) out.push_back(Tasks::number(t));
    return out;
  }
  bool knows(std::uint32_t tid) {
    const std::vector<std::uint32_t> all = known();
    return std::find(all.begin(), all.end(), tid) != all.end();
  }
  template <typename... Args>
  std::int64_t kfunc(std::string_view name, Args... args) {
    const std::uint64_t regs[5] = {reg(args)...};
    return static_cast<std::int64_t>(find_own_kfunc(name)(regs[0], regs[1], regs[2], regs[3], regs[4], run_));
  }

  std::shared_ptr<const btf::Btf> btf_;
  Mutex mutex_;
  std::multiset<const void*> gone_ RING3_GUARDED_BY(mutex_);
};

TEST_F(TasksTest, TheCurrentThread) {
  rcu::ReadSection readers;
  void* const task = tasks().current();
  EXPECT_EQ(tasks().current(), task);
  EXPECT_EQ(view(task).pid, static_cast<int>(own_tid()));
  EXPECT_EQ(view(task).tgid, ::getpid());
  char name[16];
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  EXPECT_STREQ(view(task).comm, name);
  EXPECT_EQ(call(uapi::BPF_FUNC_get_current_task_btf), static_cast<std::int64_t>(reg(task)));
  EXPECT_TRUE(Tasks::is_process(task)) << "tests run on the first thread";
}

TEST_F(TasksTest, AThreadThatAskedSaysItsEnd) {
  const void* seen = nullptr;
  test::WaitingThread thread([&] {
    rcu::ReadSection readers;
    seen = tasks().current();
  });
  EXPECT_TRUE(knows(thread.tid()));
  {
    rcu::ReadSection keeps_its_memory;
    thread.end();
    EXPECT_FALSE(knows(thread.tid()));
    EXPECT_EQ(gone(seen), 1u) << "its storage, when it ends";
  }
  rcu::drain();
  EXPECT_EQ(gone(seen), 2u) << "and before its memory does";
}

TEST_F(TasksTest, OthersAreFoundByLooking) {
  test::WaitingThread thread;
  EXPECT_FALSE(knows(thread.tid()));
  {
    rcu::ReadSection readers;
    tasks().refresh();
  }
  EXPECT_TRUE(knows(thread.tid()));
  EXPECT_TRUE(knows(own_tid()));
  thread.end();
  EXPECT_TRUE(knows(thread.tid())) << "nobody has looked";
  {
    rcu::ReadSection readers;
    tasks().refresh();
  }
  EXPECT_FALSE(knows(thread.tid()));
}

TEST_F(TasksTest, AReferenceKeepsTheMemoryAndNotTheThread) {
  test::WaitingThread thread;
  rcu::read_lock();
  void* const task = reinterpret_cast<void*>(kfunc("bpf_task_from_pid", thread.tid()));
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(kfunc("bpf_task_from_pid", 0), 0);
  EXPECT_EQ(kfunc("bpf_task_from_pid", -1), 0);
  EXPECT_EQ(kfunc("bpf_task_acquire", task), static_cast<std::int64_t>(reg(task)));
  rcu::read_unlock();
  thread.end();
  rcu::read_lock();
  tasks().refresh();
  rcu::read_unlock();
  rcu::drain();
  EXPECT_EQ(gone(task), 1u);
  EXPECT_EQ(view(task).pid, static_cast<int>(thread.tid()));
  kfunc("bpf_task_release", task);
  const std::size_t before = tasks().alive();
  rcu::read_lock();
  kfunc("bpf_task_release", task);
  EXPECT_EQ(kfunc("bpf_task_acquire", task), 0) << "dying";
  rcu::read_unlock();
  rcu::drain();
  EXPECT_EQ(tasks().alive(), before - 1);
}

TEST_F(TasksTest, Iterators) {
  test::WaitingThread one, two;
  rcu::ReadSection readers;
  std::uint64_t it[3] = {7, 7, 7};
  const auto walk = [&](std::uint32_t flags, void* task) {
    std::set<std::uint32_t> out;
    EXPECT_EQ(kfunc("bpf_iter_task_new", it, task, flags), 0);
    while (const std::int64_t t = kfunc("bpf_iter_task_next", it)) {
      const auto& [place, fresh] = out.insert(Tasks::number(reinterpret_cast<void*>(t)));
      EXPECT_TRUE(fresh) << *place;
    }
    EXPECT_EQ(kfunc("bpf_iter_task_next", it), 0) << "it stays at its end";
    kfunc("bpf_iter_task_destroy", it);
    return out;
  };
  const auto threads = walk(1, nullptr);
  for (const std::uint32_t tid : {own_tid(), one.tid(), two.tid()}) EXPECT_TRUE(threads.count(tid)) << tid;
  const auto of_process = walk(2, tasks().current());  // a thread of the library's may have come since
  for (const std::uint32_t tid : {own_tid(), one.tid(), two.tid()}) EXPECT_TRUE(of_process.count(tid)) << tid;
  EXPECT_EQ(walk(0, nullptr), std::set<std::uint32_t>{static_cast<std::uint32_t>(::getpid())});
  EXPECT_EQ(kfunc("bpf_iter_task_new", it, nullptr, 2), -22) << "the threads of no process";
  EXPECT_EQ(kfunc("bpf_iter_task_next", it), 0);
  EXPECT_EQ(kfunc("bpf_iter_task_new", it, nullptr, 3), -22);
  EXPECT_EQ(kfunc("bpf_iter_task_next", it), 0);
}

TEST_F(TasksTest, WithoutMemoryThereIsSomebody) {
  std::thread([&] {
    rcu::ReadSection readers;
    void* nobody = nullptr;
    {
      const FaultInjection failing(0);
      nobody = tasks().current();
      EXPECT_TRUE(failing.fired());
    }
    ASSERT_NE(nobody, nullptr);
    EXPECT_EQ(view(nobody).pid, 0);
    EXPECT_NE(view(tasks().current()).pid, 0) << "the next time there is memory";
  }).join();
}

TEST_F(TasksTest, TwoRuntimesDoNotMixThem) {
  test::FakeHost host;
  Machine other(host);
  ASSERT_TRUE(other.tasks.start(*btf_, [](void*, const void*) {}, nullptr).ok());
  void *mine = nullptr, *its = nullptr;
  rcu::read_lock();  // their memory stays
  std::thread([&] {
    rcu::ReadSection readers;
    mine = tasks().current();
    its = other.tasks.current();
    EXPECT_NE(mine, its);
    EXPECT_EQ(tasks().current(), mine);
    EXPECT_EQ(other.tasks.current(), its);
    other.tasks.stop();  // the thread ends after it
  }).join();
  EXPECT_EQ(gone(mine), 1u);
  EXPECT_EQ(gone(its), 0u);
  rcu::read_unlock();
  rcu::drain();
}

TEST_F(TasksTest, ThreadsComeAndGoWhileProgramsLook) {
  std::atomic<bool> stop{false};
  std::thread looks([&] {
    while (!stop) {
      rcu::ReadSection readers;
      tasks().refresh();
      for (void* t = tasks().after(0); t != nullptr; t = tasks().after(Tasks::number(t)))
        if (Tasks::acquire(t)) Tasks::release(t);
    }
  });
  for (int i = 0; i < 200; ++i) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        if (t % 2 == 0) return;
        rcu::ReadSection readers;
        EXPECT_EQ(view(tasks().current()).pid, static_cast<int>(own_tid()));
      });
    for (std::thread& t : threads) t.join();
  }
  stop = true;
  looks.join();
  tasks().stop();
  rcu::drain();
  EXPECT_LE(tasks().alive(), 1u) << "this thread's, which it gives back when it ends";
}

/// Another thread's stack changes while it is looked at.
TEST_F(TasksTest, OnlyTheRunningTasksStackIsWalked) {
  rcu::ReadSection readers;
  std::uint64_t out[4] = {1, 1, 1, 1};
  EXPECT_GE(call(uapi::BPF_FUNC_get_task_stack, tasks().current(), out, sizeof out, 0), 0);
  int another = 0;
  out[3] = 1;
  EXPECT_EQ(call(uapi::BPF_FUNC_get_task_stack, &another, out, sizeof out, 0), -EOPNOTSUPP);
  EXPECT_EQ(out[3], 0u) << "cleared";
}

}  // namespace
}  // namespace ring3::exec
