// Every allocation of every step of a client's life fails once: the step answers with an errno, nothing it made is
// left, and the same step succeeds afterwards (behaviour.md F.1.3).
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "base/fault_point.h"
#include "base/owned_fd.h"
#include "control/client.h"
#include "control/module_client.h"
#include "object/rcu.h"
#include "ring3/hook.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/allocation_faults.h"
#include "tests/integration/kptr_world.h"
#include "tests/integration/link_world.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class AllocationFailures : public LinkWorld {
 protected:
  void unlink(const char* path) {
    syscall::PinIdentity who;
    who.uid = ::geteuid();
    who.gid = ::getegid();
    EXPECT_TRUE(runtime_->impl().kernel().pins().unlink(path, who).ok());
  }
  std::size_t live() {
    (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
    rcu::drain();
    return runtime_->impl().objects().live_count();
  }

  /// One thing a client does. `prepare` runs before each try, without failures; what it returns goes to the others.
  struct Step {
    const char* what;
    std::function<long()> prepare = [] { return 0L; };
    std::function<long(long prepared)> run;
    std::function<void(long prepared, long result)> undo = [](long, long) {};
    std::function<void(long prepared)> clean_up = [](long) {};
  };

  /// Runs `step` with its first, second, … failure until it runs through, and checks that success.
  template <typename Fault>
  void fail_each(const Step& step) {
    constexpr std::int64_t kMany = 100'000;
    for (std::int64_t n = 0; n < kMany && !HasFailure(); ++n) {
      const long prepared = step.prepare();
      const std::size_t before = live();
      long result;
      bool fired;
      {
        Fault fault(n);
        result = step.run(prepared);
        fired = fault.fired();
      }
      // With a failure it may still succeed: an optional allocation, or one that is made up for.
      if (result >= 0)
        step.undo(prepared, result);
      else
        EXPECT_TRUE(fired && (result == -ENOMEM || result == -EMFILE)) << step.what << " " << n << " gave " << result
                                                                       << "\n" << bpf().log() << log_.take();
      EXPECT_EQ(live(), before) << step.what << ": what failure " << n << " left";
      step.clean_up(prepared);
      if (!fired) return;
    }
    if (!HasFailure()) ADD_FAILURE() << step.what << " never runs through";
  }

  void fail_each_way(const Step& step) {
    fail_each<AllocationFault>(step);
    fail_each<FaultInjection>(step);
  }

  std::function<void(long, long)> close_result() {
    return [this](long, long fd) { bpf().close(fd); };
  }
};

/// A descriptor that the harness closes itself.
long raw_link(Runtime& runtime, long map) {
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.map_fd = static_cast<std::uint32_t>(map);
  attr.link_create.attach_type = uapi::BPF_STRUCT_OPS;
  return runtime.bpf(uapi::BPF_LINK_CREATE, &attr, sizeof(attr));
}

long send(Runtime& runtime, int cmd, uapi::bpf_attr attr) { return runtime.bpf(cmd, &attr, sizeof(attr)); }

TEST_F(AllocationFailures, CreateAnOpsMap) {
  const uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", uapi::BPF_F_LINK);
  fail_each_way({.what = "map create",
                 .run = [&](long) { return send(*runtime_, uapi::BPF_MAP_CREATE, attr); },
                 .undo = close_result()});
}

TEST_F(AllocationFailures, LoadAProgram) {
  const PreparedLoad load = bpf().prepare({.text = kAddText});
  fail_each_way({.what = "program load",
                 .run = [&](long) { return send(*runtime_, uapi::BPF_PROG_LOAD, load.attr); },
                 .undo = close_result()});
}

TEST_F(AllocationFailures, ReplaceAndTraceAFunction) {
  const long main = target(), other = target();
  const long program = replacement(main, number_, "r0 = r1\nr0 *= 1000\nexit\n");
  const auto send_link = [&](long of, std::uint32_t attach_type, long onto, std::uint32_t function) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(of);
    attr.link_create.target_fd = static_cast<std::uint32_t>(onto);
    attr.link_create.attach_type = attach_type;
    attr.link_create.tracing.target_btf_id = function;
    return send(*runtime_, uapi::BPF_LINK_CREATE, attr);
  };
  fail_each_way({.what = "replacement",
                 .run = [&](long) { return send_link(program, 0, other, number_); },
                 .undo = [&](long, long link) {
                   EXPECT_EQ(run(other), kPlain - 7 + 7000);
                   bpf().close(link);
                   EXPECT_EQ(run(other), kPlain);
                 }});
  fail_each_way({.what = "tracer",
                 .prepare = [&] { return tracer(main, two_, true, counts(0)); },
                 .run = [&](long tracing) { return send_link(tracing, uapi::BPF_TRACE_FEXIT, 0, 0); },
                 .undo = [&](long, long link) {
                   EXPECT_EQ(run(main), kPlain);
                   bpf().close(link);
                 },
                 .clean_up = [&](long tracing) { bpf().close(tracing); }});
}

/// A link goes without memory as well: the function is itself again at once.
TEST_F(AllocationFailures, LinksOfFunctionsLeaveWithoutMemory) {
  const long main = target();
  const long program = replacement(main, number_, "r0 = r1\nr0 *= 1000\nexit\n");
  long link = attach(program);
  for (std::int64_t n = 0; n < 50; ++n) {
    ASSERT_GT(link, 0);
    bpf().keep(link);
    EXPECT_EQ(run(main), kPlain - 7 + 7000);
    {
      AllocationFault fault(n);
      ::close(static_cast<int>(link));
      (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
    }
    EXPECT_EQ(run(main), kPlain) << n;
    link = attach(program, 0, main, number_);
  }
}

TEST_F(AllocationFailures, MapsThatHoldReferences) {
  ASSERT_TRUE(runtime_->kptr<counted_thing>(counted_kptr<counted_thing, LiveThing>()).ok());
  ValueTypes types;
  const auto node = types.b.add_struct("node", 32, {{"node", types.list_node, 0}, {"who", types.kptr(types.counted), 192}});
  const auto value = types.b.add_struct("value", 40, {{"lock", types.lock, 0},
                                                      {"head", types.list_head, 64},
                                                      {"owned", types.kptr(types.counted), 192},
                                                      {"weak", types.kptr(types.counted, "kptr_weak"), 256}});
  types.b.add_decl_tag("contains:node:node", value, 1);
  (void)node;
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 40, 4, {bpf().load_btf(types.b.finish()), types.u32, value});
  fail_each_way({.what = "map with references",
                 .run = [&](long) { return send(*runtime_, uapi::BPF_MAP_CREATE, attr); },
                 .undo = close_result()});
  const long map = bpf().create(attr);
  ASSERT_GE(map, 0) << log_.take();
  const std::uint64_t zeros[5] = {};
  ASSERT_EQ(bpf().update(map, zeros), 0);
  fail_each_way({.what = "who holds what", .run = [&](long) {
                   const auto uses = runtime_->kptr_uses();
                   return uses.ok() ? 0L : to_syscall(uses.error());
                 }});
  bpf().close(map);
}

/// A link goes when its last descriptor does, whether or not there is memory for a list without it.
TEST_F(AllocationFailures, LinksOfHooksGoWithoutMemory) {
  constexpr std::uint32_t kDevice = 7;
  Hook hook = Hook::add(*runtime_, {.device = kDevice, .name = "in"}).value();
  const OwnedFd file(::memfd_create("node", MFD_CLOEXEC)), below(::memfd_create("below", MFD_CLOEXEC));
  HookNode node = HookNode::add(*runtime_, {.file = file.get()}).value(), child = HookNode::add(*runtime_, {.file = below.get()}, &node).value();
  const long two = bpf().load({.text = "r0 = 2\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS}),
             no = bpf().load({.text = "r0 = 0\nexit", .member = uapi::BPF_CGROUP_INET_INGRESS, .prog_type = uapi::BPF_PROG_TYPE_CGROUP_SKB}),
             other = bpf().load({.text = "r0 = -1\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  uapi::bpf_attr attach = BpfClient::zero();
  attach.target_ifindex = kDevice;
  attach.attach_bpf_fd = static_cast<std::uint32_t>(other);
  attach.attach_type = uapi::BPF_TCX_INGRESS;
  ASSERT_EQ(bpf().bpf(uapi::BPF_PROG_ATTACH, attach), 0);
  const std::array<std::byte, 64> packet{};
  for (std::int64_t n = 0, fired = 1; fired != 0; ++n) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(two);
    attr.link_create.target_ifindex = kDevice;
    attr.link_create.attach_type = uapi::BPF_TCX_INGRESS;
    const long at_hook = send(*runtime_, uapi::BPF_LINK_CREATE, attr);
    attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(no);
    attr.link_create.target_fd = static_cast<std::uint32_t>(file.get());
    attr.link_create.attach_type = uapi::BPF_CGROUP_INET_INGRESS;
    const long at_node = send(*runtime_, uapi::BPF_LINK_CREATE, attr);
    ASSERT_GT(at_hook, 0);
    ASSERT_GT(at_node, 0);
    ASSERT_EQ(hook.run(packet).value(), 2u);
    ASSERT_FALSE(child.run(NodeHook::kIngress, packet).value().allowed);
    {
      AllocationFault fault(n);
      ::close(static_cast<int>(at_hook));
      ::close(static_cast<int>(at_node));
      (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
      fired = fault.fired() ? 1 : 0;
    }
    EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u);
    EXPECT_EQ(hook.run(packet).value(), kHookNext) << n;
    EXPECT_EQ(hook.size(), 1u);
    EXPECT_TRUE(child.run(NodeHook::kIngress, packet).value().allowed) << n;
  }
}

TEST_F(AllocationFailures, FillAMap) {
  const CalcValue value = both();
  fail_each_way({.what = "map update",
                 .prepare = [this] { return bpf().ops_map("calc_ops", uapi::BPF_F_LINK); },
                 .run = [&](long map) { return bpf().update(map, &value); },
                 .clean_up =
                     [&](long map) {
                       CalcValue seen;
                       EXPECT_EQ(bpf().lookup(map, &seen), 0);
                       if (seen.state == 0) {
                         EXPECT_EQ(bpf().update(map, &value), 0) << "not for ever";
                       }
                       const long link = bpf().link(map);
                       EXPECT_EQ(call_add(1, 2), 3);
                       bpf().close(link);
                       bpf().close(map);
                     }});
}

TEST_F(AllocationFailures, RegisterAClassicMap) {
  const CalcValue value = both();
  fail_each_way({.what = "classic update",
                 .prepare = [this] { return bpf().ops_map("calc_ops", 0); },
                 .run = [&](long map) { return bpf().update(map, &value); },
                 .undo = [this](long map, long) { EXPECT_EQ(bpf().erase(map), 0); },
                 .clean_up =
                     [this](long map) {
                       EXPECT_EQ(calc_.registered, calc_.unregistered);
                       bpf().close(map);
                     }});
}

TEST_F(AllocationFailures, Link) {
  const long map = ready_map();
  fail_each_way({.what = "link create",
                 .run = [&](long) { return raw_link(*runtime_, map); },
                 .undo = close_result(),
                 .clean_up = [this](long) { EXPECT_EQ(calc_.registered, calc_.unregistered); }});
}

TEST_F(AllocationFailures, LinkUpdate) {
  const long maps[2] = {ready_map(), ready_map()};
  const long link = bpf().link(maps[0]);
  int next = 0;
  fail_each_way({.what = "link update",
                 .run = [&](long) { return bpf().link_update(link, maps[next ^= 1]); },
                 .clean_up = [this](long) { EXPECT_EQ(call_add(1, 2), 3); }});
}

TEST_F(AllocationFailures, PinAndGet) {
  const long link = bpf().link(ready_map());
  const char* const path = "/sys/fs/bpf/calc";
  fail_each_way({.what = "pin",
                 .run = [&](long) { return bpf().pin(link, path); },
                 .undo = [&](long, long) { unlink(path); }});
  ASSERT_EQ(bpf().pin(link, path), 0);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.pathname = reinterpret_cast<std::uintptr_t>(path);
  fail_each_way({.what = "get",
                 .run = [&](long) { return send(*runtime_, uapi::BPF_OBJ_GET, attr); },
                 .undo = close_result()});
}

TEST_F(AllocationFailures, Introspection) {
  const CalcValue value = both();
  const long map = ready_map(value);
  const long link = bpf().link(map);
  CalcValue seen;
  fail_each_way({.what = "lookup", .run = [&](long) { return bpf().lookup(map, &seen); }});
  EXPECT_EQ(seen.state, 3u);
  const auto info = [this](const char* what, long fd, auto record) {
    fail_each_way({.what = what, .run = [this, fd, &record](long) {
                     record = {};
                     return bpf().info(fd, &record, sizeof(record));
                   }});
  };
  info("map info", map, uapi::bpf_map_info{});
  info("program info", static_cast<long>(value.add), uapi::bpf_prog_info{});
  info("link info", link, uapi::bpf_link_info{});
}

TEST_F(AllocationFailures, ARuntimeItself) {
  for (std::int64_t n = 0; n < 100'000; ++n) {
    AllocationFault fault(n);
    auto second = Runtime::create({.name = "second", .btf = test_host_btf_blob()});
    if (!fault.fired()) {
      ASSERT_TRUE(second.ok());
      return;
    }
    if (!second.ok()) {
      EXPECT_EQ(second.error(), Errno::kNoMem) << n;
    }
  }
  FAIL() << "never runs through";
}

TEST_F(AllocationFailures, Registrations) {
  for (std::int64_t n = 0; n < 100'000; ++n) {
    auto second = Runtime::create({.name = "second", .btf = test_host_btf_blob()}).value();
    AllocationFault fault(n);
    auto point = second->struct_ops<policy_ops>();
    const bool point_fired = fault.fired();
    if (!point.ok()) {
      EXPECT_EQ(point.error(), Errno::kNoMem) << n;
    }
    Result<void> func = second->kfunc<&host_swap>();
    if (!func.ok()) {
      EXPECT_EQ(func.error(), Errno::kNoMem) << n;
    }
    Result<void> kptr = second->kptr<&thing_put>();
    if (!kptr.ok()) {
      EXPECT_EQ(kptr.error(), Errno::kNoMem) << n;
    }
    if (point_fired && !point.ok()) {
      EXPECT_TRUE(second->struct_ops<policy_ops>().ok()) << n << ": not for ever";
    }
    if (!fault.fired()) return;
  }
  FAIL() << "never runs through";
}

/// Makes an allocation of the thread fail that serves the next connection.
class FaultyAdmission final : public ControlPolicy {
 public:
  std::atomic<std::int64_t> nth{-1};
  Result<Capabilities> admit(const Peer&) override {
    if (const std::int64_t n = nth.exchange(-1); n >= 0) new (room_) AllocationFault(n);  // until the thread ends
    return Capabilities::all();
  }

 private:
  alignas(AllocationFault) std::byte room_[sizeof(AllocationFault)];
};

class ConnectionFailures : public World {
 protected:
  ConnectionFailures() {
    char folder[] = "/tmp/ring3-test-XXXXXX";
    folder_ = ::mkdtemp(folder);
    EXPECT_TRUE(runtime_->listen({.path = folder_ + "/host.sock", .policy = &policy_}).ok()) << log_.take();
  }
  ~ConnectionFailures() override {
    client_ = nullptr;
    runtime_ = nullptr;
    EXPECT_EQ(::rmdir(folder_.c_str()), 0);
  }

  FaultyAdmission policy_;
  std::string folder_;
};

TEST_F(ConnectionFailures, NothingStaysOfAConnection) {
  constexpr int kEnough = 20;  // in a row ran through: the failure came after the last request, or never
  int ran_through = 0, failed = 0;
  for (std::int64_t n = 0; n < 2000 && ran_through < kEnough; ++n) {
    {
      std::string why;
      policy_.nth.store(n);
      const auto client = control::Client::connect(folder_ + "/host.sock", why);
      bool all = client.ok() && (*client)->begin().ok();
      uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 4);
      const long map = all ? (*client)->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr) : -1;
      all = map >= 0 && control::commit(**client, {.name = "guest", .lifetime = module::Lifetime::kSession}).ok();
      for (int i = 0; i < 3; ++i) all = all && control::modules(**client).ok();
      if (map >= 0) ::close(static_cast<int>(map));
      ran_through = all ? ran_through + 1 : 0;
      failed += all ? 0 : 1;
    }
    bool gone = false;
    for (int i = 0; i < 20'000 && !gone; ++i) {  // the host notices in its own time
      gone = runtime_->impl().modules().list().empty();
      if (!gone) ::poll(nullptr, 0, 1);
    }
    ASSERT_TRUE(gone) << "after failure " << n;
  }
  EXPECT_EQ(ran_through, kEnough);
  EXPECT_GT(failed, 5);
}

}  // namespace
}  // namespace ring3::test
