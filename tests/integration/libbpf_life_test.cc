// Owned things whose maps, objects and clients end while programs have them.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <functional>
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

class OwnedLife : public KptrWorld {
 protected:
  OwnedLife() : objects_before_(maps::AllocatedType::live_objects()) {
    using namespace kfunc;
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_find>({.flags = kAcquire | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_put>({.flags = kRelease}).ok())) << log_.take();
  }
  long run(int program) { return bpf().run_on_packet(program); }
  /// `each(thread, turn)` on all threads at once, while `meanwhile(turn)` runs on this one until they are done.
  void on_threads(int threads, int turns, const std::function<void(int, int)>& each, const std::function<void(int)>& meanwhile) {
    std::atomic<int> left{threads};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        for (int i = 0; i < turns; ++i) each(t, i);
        --left;
      });
    for (int turn = 0; left != 0; ++turn) {
      meanwhile(turn);
      std::this_thread::yield();
    }
    for (std::thread& thread : running) thread.join();
  }
  /// A new object of the host is found from now on; the one before goes when nobody has it.
  static void show_another() {
    LiveThing* const old = LiveThing::found.exchange(new LiveThing);
    if (old != nullptr) old->release();
  }
  static void show_none() {
    if (LiveThing* const old = LiveThing::found.exchange(nullptr)) old->release();
  }
  /// Everything that a closed object's maps kept.
  void settle() {
    (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
    for (int i = 0; i < 2; ++i) rcu::drain();
  }

  static constexpr int kTurnsOfARun = 1000;
  LibbpfDoor door_{*runtime_, test_host_btf};
  const std::int64_t objects_before_;
};

TEST_F(OwnedLife, C_21_EightThreadsOfProgramsExchangeOneSlot) {
  {
    ObjectFile object(RING3_MODULE_DIR "/exchange.bpf.o");
    ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
    show_another();
    const int owned = object.program("owned");
    std::atomic<int> failed{0};
    std::atomic<long> missed{0};
    on_threads(8, 1'000'000 / 8 / kTurnsOfARun,
               [&](int, int) {
                 const long result = run(owned);
                 if (result < 0) ++failed;
                 else missed += result;
               },
               [](int turn) { if (turn % 8 == 0) show_another(); });
    EXPECT_EQ(failed, 0);
    EXPECT_LT(missed, 1'000'000 / 100) << "only what goes just as it is found";
    show_none();
  }
  settle();
  EXPECT_EQ(LiveThing::alive, 0) << "every reference that was taken was given back";
}

TEST_F(OwnedLife, ElementsAndOwnersEndWhileProgramsExchange) {
  {
    ObjectFile object(RING3_MODULE_DIR "/exchange.bpf.o");
    ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
    const int programs[] = {object.program("all"), object.program("reuse"), object.program("note")};
    const int slots = object.map("slots"), reused = object.map("reused");
    std::atomic<int> wrong{0};
    on_threads(6, 20, [&](int t, int) { wrong += run(programs[t % 3]) != 0; },
               [&](int turn) {
                 const std::uint64_t zeros[3] = {};
                 show_another();
                 LiveThing* const owner = LiveThing::found;
                 if (turn % 2 == 0) (void)bpf().update(slots, zeros);
                 if (turn % 3 == 0) (void)bpf().erase(reused);
                 // What the storage of an object keeps goes before the object: here while others still find it.
                 runtime_->storage_owner_gone(static_cast<counted_thing*>(owner));
               });
    EXPECT_EQ(wrong, 0);
    show_none();
  }
  settle();
  EXPECT_EQ(LiveThing::alive, 0);
  EXPECT_EQ(weak::filled(), 0u);
  EXPECT_EQ(maps::AllocatedType::live_objects(), objects_before_);
}

TEST_F(OwnedLife, MapsAndProgramsAreClosedWhileTheyRun) {
  for (int turn = 0; turn < 5; ++turn) {
    show_another();
    auto object = std::make_unique<ObjectFile>(RING3_MODULE_DIR "/exchange.bpf.o");
    ASSERT_EQ(object->load(), 0) << door_.take_text() << log_.take();
    const int program = object->program("all");
    std::atomic<int> begun{0};
    // Each thread goes on until the descriptor is closed under it.
    on_threads(3, 1, [&](int, int) { while (run(program) == 0) ++begun; },
               [&](int) { if (begun > 3) object.reset(); });
    show_none();
    settle();
    EXPECT_EQ(LiveThing::alive, 0);
    EXPECT_EQ(maps::AllocatedType::live_objects(), objects_before_);
  }
}

/// behaviour.md C-28. A timer that was cancelled this way is no timer any more, as in Linux.
TEST_F(OwnedLife, C_28_TheLastUserOfAMapEndsItsTimers) {
  ObjectFile object(RING3_MODULE_DIR "/timers.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  exec::Timers& timers = runtime_->impl().machine().timers;
  EXPECT_EQ(run(object.program("arm")), 0);
  EXPECT_EQ(timers.armed(), 1u);
  EXPECT_EQ(run(object.program("arm")), EBUSY);
  bpf().close(object.map("alarms"));
  (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);  // a command, so that the close is noticed
  EXPECT_EQ(timers.armed(), 0u) << "programs hold the map, but no user does";
  EXPECT_EQ(run(object.program("start_again")), EINVAL);
  EXPECT_EQ(run(object.program("set_again")), EINVAL);
  EXPECT_EQ(run(object.program("make_another")), EPERM);
  EXPECT_EQ(run(object.program("arm")), EPERM);
}

}  // namespace
}  // namespace ring3::test
