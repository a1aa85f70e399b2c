// Every allocation that a running program causes fails once: the program is refused something and goes on, or the run is refused;
// nothing is lost; and the same program has all it wants afterwards.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/fault_point.h"
#include "maps/allocated_type.h"
#include "object/rcu.h"
#include "object/weak_table.h"
#include "test_host_btf.h"
#include "tests/integration/allocation_faults.h"
#include "tests/integration/kptr_world.h"
#include "tests/integration/libbpf_door.h"

namespace ring3::test {
namespace {

class RunFailures : public KptrWorld {
 protected:
  RunFailures() {
    using namespace kfunc;
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_find>({.flags = kAcquire | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_put>({.flags = kRelease}).ok())) << log_.take();
    LiveThing::found = new LiveThing;
  }
  ~RunFailures() override {
    if (LiveThing* const last = LiveThing::found.exchange(nullptr)) last->release();
  }

  struct Alive {
    int things;
    std::int64_t objects;
    std::size_t weak;
    bool operator==(const Alive&) const = default;
  };
  Alive alive() {
    rcu::drain();
    return {LiveThing::alive, maps::AllocatedType::live_objects(), weak::filled()};
  }

  long run(const char* name) {
    if (std::string_view(name) != "task_storage") return bpf().run_on_packet(object_.program(name));
    uapi::bpf_attr attr = BpfClient::zero();  // a raw tracepoint: no packet
    attr.test.prog_fd = static_cast<std::uint32_t>(object_.program(name));
    const long done = bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr);
    return done < 0 ? done : static_cast<std::int32_t>(attr.test.retval);
  }

  template <typename Fault>
  void fail_each(const char* name) {
    const int clear = object_.program("clear_all");
    EXPECT_EQ(run(name), 0) << name << ", undisturbed";
    EXPECT_EQ(bpf().run_on_packet(clear), 0);
    const Alive before = alive();
    for (std::int64_t n = 0; n < 1000 && !HasFailure(); ++n) {
      long result;
      bool fired;
      {
        Fault fault(n);
        result = run(name);
        fired = fault.fired();
      }
      EXPECT_TRUE(result == 0 || (fired && (result == 1 || result == -ENOMEM))) << name << " " << n << " gave " << result;
      EXPECT_EQ(bpf().run_on_packet(clear), 0);
      EXPECT_TRUE(alive() == before) << name << ": what failure " << n << " left: " << LiveThing::alive << " things";
      if (fired) continue;
      EXPECT_EQ(result, 0) << name;
      return;
    }
    if (!HasFailure()) ADD_FAILURE() << name << " never runs through";
  }
  void fail_each_way(const char* name) {
    ASSERT_EQ(object_.load(), 0) << door_.take_text() << log_.take();
    fail_each<AllocationFault>(name);
    fail_each<FaultInjection>(name);
  }

  LibbpfDoor door_{*runtime_, test_host_btf};
  ObjectFile object_{RING3_MODULE_DIR "/allocations.bpf.o"};
};

TEST_F(RunFailures, OwnedPointers) { fail_each_way("owned"); }
TEST_F(RunFailures, WeakPointers) { fail_each_way("weak"); }
TEST_F(RunFailures, ObjectsListsAndTrees) { fail_each_way("objects"); }
TEST_F(RunFailures, PerCpuObjects) { fail_each_way("percpu"); }
TEST_F(RunFailures, ObjectStorage) { fail_each_way("object_storage"); }
TEST_F(RunFailures, TaskStorage) { fail_each_way("task_storage"); }
TEST_F(RunFailures, Iterators) { fail_each_way("iterators"); }
TEST_F(RunFailures, TimersAndWorkItems) { fail_each_way("deferred_calls"); }
TEST_F(RunFailures, Dynptrs) { fail_each_way("dynptrs"); }

}  // namespace
}  // namespace ring3::test
