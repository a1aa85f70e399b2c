// Programs compiled by clang that walk, keep and annotate the host's threads.
#include <gtest/gtest.h>

#include <vector>

#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"
#include "tests/support/waiting_thread.h"

namespace ring3::test {
namespace {

class TaskPrograms : public World {
 protected:
  long run(ObjectFile& object, const char* program) { return bpf().run_on_packet(object.program(program)); }
  struct Globals {
    int wanted, threads, processes, met;
  };
  Globals globals(ObjectFile& object) {
    Globals out{};
    EXPECT_EQ(bpf().lookup(object.bss(), &out), 0);
    return out;
  }
  void want(ObjectFile& object, std::uint32_t tid) {
    const Globals in{static_cast<int>(tid), 0, 0, 0};
    EXPECT_EQ(bpf().update(object.bss(), &in), 0);
  }
  exec::Tasks& tasks() { return runtime_->impl().machine().tasks; }

  LibbpfDoor door_{*runtime_, test_host_btf};
};

TEST_F(TaskPrograms, WalkTheThreads) {
  ObjectFile object(RING3_MODULE_DIR "/tasks.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  WaitingThread thread;
  want(object, thread.tid());
  EXPECT_EQ(run(object, "walk"), 0);
  const Globals before = globals(object);
  EXPECT_EQ(before.met, 1);
  EXPECT_EQ(before.processes, 1);
  EXPECT_GE(before.threads, 2);
  thread.end();
  EXPECT_EQ(run(object, "walk"), 0);
  EXPECT_EQ(globals(object).met, 0);
  EXPECT_EQ(run(object, "current_is"), 0);
}

TEST_F(TaskPrograms, ATaskInAMapIsKeptBeyondItsThread) {
  {
    ObjectFile object(RING3_MODULE_DIR "/tasks.bpf.o");
    ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
    WaitingThread thread;
    want(object, thread.tid());
    EXPECT_EQ(run(object, "keep_wanted"), 0);
    EXPECT_EQ(run(object, "keep_wanted"), 0);
    thread.end();
    EXPECT_EQ(run(object, "walk"), 0);  // notices
    rcu::drain();
    want(object, thread.tid());
    EXPECT_EQ(run(object, "look"), 0);
    const std::vector<KptrUse> uses = runtime_->kptr_uses().value();
    bool listed = false;
    for (const KptrUse& use : uses) listed |= use.type == "task_struct" && use.owned == 1;
    EXPECT_TRUE(listed);
  }
  (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
  rcu::drain();
  tasks().stop();
  rcu::drain();
  EXPECT_LE(tasks().alive(), 1u) << "this thread's own";
}

/// behaviour.md C-27 for the runtime's tasks: a task that its own storage keeps goes when its thread does.
TEST_F(TaskPrograms, C_27_StorageOfAThread) {
  ObjectFile object(RING3_MODULE_DIR "/tasks.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  void* task = nullptr;
  {
    WaitingThread thread;
    {
      rcu::ReadSection readers;
      task = tasks().find(thread.tid());
    }
    ASSERT_NE(task, nullptr);
    EXPECT_EQ(exec::Tasks::references(task), 2u) << "the table's and this one";
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(object.program("note_all"));
    attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
    const long link = bpf().bpf(uapi::BPF_LINK_CREATE, attr);
    ASSERT_GE(link, 0) << log_.take();
    for (int turn = 0; turn < 2; ++turn) {
      uapi::bpf_attr create = BpfClient::zero();
      create.iter_create.link_fd = static_cast<std::uint32_t>(link);
      const long stream = bpf().bpf(uapi::BPF_ITER_CREATE, create);
      ASSERT_GE(stream, 0) << log_.take();
      char text[16];
      EXPECT_EQ(::read(static_cast<int>(stream), text, sizeof text), 0);
      bpf().close(stream);
    }
    bpf().close(link);
    EXPECT_EQ(exec::Tasks::references(task), 3u) << "and its own storage's";
    thread.end();
  }
  EXPECT_EQ(run(object, "walk"), 0);  // notices
  rcu::drain();
  EXPECT_EQ(exec::Tasks::references(task), 1u);
  exec::Tasks::release(task);
}

/// Clients name a thread by a pidfd: here the process's, which is its first thread.
TEST_F(TaskPrograms, ClientsReachTheStorageOfAThread) {
  ObjectFile object(RING3_MODULE_DIR "/tasks.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  const int notes = object.map("notes");
  const auto pidfd = static_cast<std::uint32_t>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  struct {
    std::uint64_t seen, task;
  } note{5, 0};
  EXPECT_EQ(bpf().lookup(notes, &note, pidfd), -ENOENT) << "nothing is kept yet";
  EXPECT_EQ(bpf().update(notes, &note, pidfd, uapi::BPF_EXIST), -ENOENT);
  EXPECT_EQ(bpf().update(notes, &note, pidfd), 0) << log_.take();
  note.seen = 0;
  EXPECT_EQ(bpf().lookup(notes, &note, pidfd), 0);
  EXPECT_EQ(note.seen, 5u);
  EXPECT_EQ(bpf().erase(notes, pidfd), 0);
  EXPECT_EQ(bpf().lookup(notes, &note, pidfd), -ENOENT);
  ::close(static_cast<int>(pidfd));
  // No pidfd, and processes that are not the runtime's.
  EXPECT_EQ(bpf().lookup(notes, &note, 100'000), -EBADF);
  EXPECT_EQ(bpf().lookup(notes, &note, static_cast<std::uint32_t>(notes)), -EBADF);
  const auto another = static_cast<std::uint32_t>(::syscall(SYS_pidfd_open, 1, 0));
  EXPECT_EQ(bpf().update(notes, &note, another), -ENOENT);
  ::close(static_cast<int>(another));
}

}  // namespace
}  // namespace ring3::test
