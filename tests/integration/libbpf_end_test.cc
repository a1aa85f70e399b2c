// Runtimes that end while programs run, and destructors that take their time. What a program holds or keeps in a map then
// is given back exactly once all the same.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "maps/allocated_type.h"
#include "object/rcu.h"
#include "object/weak_table.h"
#include "test_host_btf.h"
#include "tests/integration/kptr_world.h"
#include "tests/integration/libbpf_door.h"

namespace ring3::test {
namespace {

void show_another() {
  if (LiveThing* const old = LiveThing::found.exchange(new LiveThing)) old->release();
}
void show_none() {
  if (LiveThing* const old = LiveThing::found.exchange(nullptr)) old->release();
}

template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void register_functions(Runtime& runtime, LogLines& log) {
  using namespace kfunc;
  EXPECT_TRUE((runtime.kfunc<&counted_thing_find>({.flags = kAcquire | kRetNull}).ok())) << log.take();
  EXPECT_TRUE((runtime.kfunc<&counted_thing_put>({.flags = kRelease}).ok())) << log.take();
}

class RuntimeEnds : public KptrWorld {
 protected:
  RuntimeEnds() : objects_before_(maps::AllocatedType::live_objects()) { register_functions(*runtime_, log_); }
  void end_runtime() {
    client_.reset();
    runtime_.reset();
    show_none();
    wait_for_readers();
    wait_for_readers();
    EXPECT_EQ(LiveThing::alive, 0);
    EXPECT_EQ(weak::filled(), 0u);
    EXPECT_EQ(maps::AllocatedType::live_objects(), objects_before_);
  }
  const std::int64_t objects_before_;
};

std::atomic<int> inside{0};
const StructOpsPoint<policy_ops>* the_point = nullptr;

/// Threads of the host that are inside a member when the runtime begins to end: it takes the policy away first and then waits
/// for them, so what they do afterwards finds everything in its place.
TEST_F(RuntimeEnds, WaitsForThreadsInsideMembers) {
  LibbpfDoor door(*runtime_, test_host_btf);
  show_another();
  ObjectFile object(RING3_MODULE_DIR "/ending.bpf.o");
  ASSERT_EQ(object.load(), 0) << door.take_text() << log_.take();
  ASSERT_GE(object.attach("policy"), 0) << door.take_text() << log_.take();
  ASSERT_TRUE(policy_.has_instance());
  inside = 0;
  the_point = &policy_;
  HostFunctions::swap = [] {
    ++inside;
    while (the_point->has_instance()) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return 0;
  };
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (__u64 t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      if (auto p = policy_.enter()) right += p->choose(t) == t + 1;
    });
  ASSERT_TRUE(eventually([] { return inside == 4; }));
  end_runtime();
  EXPECT_EQ(right, 4) << "all of them had left";
  for (std::thread& thread : threads) thread.join();
  HostFunctions::swap = nullptr;
}

TEST_F(RuntimeEnds, StopsTimersAndWorkThatStartThemselvesAgain) {
  LibbpfDoor door(*runtime_, test_host_btf);
  show_another();
  ObjectFile object(RING3_MODULE_DIR "/ending.bpf.o");
  ASSERT_EQ(object.load(), 0) << door.take_text() << log_.take();
  ASSERT_EQ(bpf().run_on_packet(object.program("arm")), 0);
  const int bss = object.bss();
  EXPECT_TRUE(eventually([&] {
    std::uint64_t counts[2] = {};
    return bpf().lookup(bss, counts) == 0 && counts[0] > 100 && counts[1] > 100;
  }));
  end_runtime();
}

/// One host object in two runtimes: one of them ends, again and again, with references in its maps, while programs of the other
/// exchange references to the same objects.
TEST_F(RuntimeEnds, WhileProgramsOfAnotherHaveItsObjects) {
  show_another();
  auto door = std::make_unique<LibbpfDoor>(*runtime_, test_host_btf);
  ObjectFile object(RING3_MODULE_DIR "/exchange.bpf.o");
  ASSERT_EQ(object.load(), 0) << door->take_text() << log_.take();
  const int all = object.program("all"), note = object.program("note");
  door.reset();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (const int program : {all, note, all})
    threads.emplace_back([&, program] {
      while (!stop) wrong += bpf().run_on_packet(program) != 0;
    });
  for (int turn = 0; turn < (kSanitized ? 3 : 8); ++turn) {
    LogLines log;
    auto other = Runtime::create({.name = "other", .btf = test_host_btf, .log = &log}).value();
    EXPECT_TRUE((other->kptr<counted_thing>(counted_kptr<counted_thing, LiveThing>()).ok())) << log.take();
    register_functions(*other, log);
    LibbpfDoor others(*other, test_host_btf);
    auto client = std::make_unique<BpfClient>(*other, *host_btf_);
    ObjectFile second(RING3_MODULE_DIR "/exchange.bpf.o");
    EXPECT_EQ(second.load(), 0) << others.take_text() << log.take();
    for (const char* name : {"all", "note", "reuse"}) EXPECT_EQ(client->run_on_packet(second.program(name)), 0);
    show_another();
    client.reset();
    other.reset();
    EXPECT_EQ(log.take().find("still alive"), std::string::npos);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  end_runtime();
}

std::atomic<int> slow_releases{0};

/// A type whose release sleeps: the runtime's worker calls it, after readers, while the maps it came from are long gone.
class SlowDestructors : public World {
 protected:
  SlowDestructors() {
    KptrOptions<counted_thing> options = counted_kptr<counted_thing, LiveThing>();
    options.release = [](counted_thing* thing) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      ++slow_releases;
      static_cast<LiveThing*>(thing)->release();
    };
    options.release_may_sleep = true;
    EXPECT_TRUE(runtime_->kptr<counted_thing>(options).ok()) << log_.take();
    register_functions(*runtime_, log_);
  }
};

TEST_F(SlowDestructors, RunWhileMapsProgramsAndTheRuntimeGo) {
  const std::int64_t objects_before = maps::AllocatedType::live_objects();
  slow_releases = 0;
  LibbpfDoor door(*runtime_, test_host_btf);
  for (int turn = 0; turn < 3; ++turn) {
    show_another();
    ObjectFile object(RING3_MODULE_DIR "/exchange.bpf.o");
    ASSERT_EQ(object.load(), 0) << door.take_text() << log_.take();
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0}, left{3};
    for (const char* name : {"all", "reuse", "note"})
      threads.emplace_back([&, program = object.program(name)] {
        for (int i = 0; i < 3; ++i) wrong += bpf().run_on_packet(program) != 0;
        --left;
      });
    const std::uint64_t zeros[3] = {};
    while (left != 0) {
      show_another();
      // An element that is overwritten and one that is deleted give back what they held: by the worker.
      (void)bpf().update(object.map("slots"), zeros);
      (void)bpf().erase(object.map("reused"));
      runtime_->storage_owner_gone(static_cast<counted_thing*>(LiveThing::found));
      std::this_thread::yield();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
  client_.reset();
  runtime_.reset();  // with releases still to be made
  EXPECT_GT(slow_releases, 0);
  show_none();
  wait_for_readers();
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
  EXPECT_EQ(weak::filled(), 0u);
  EXPECT_EQ(maps::AllocatedType::live_objects(), objects_before);
}

}  // namespace
}  // namespace ring3::test
