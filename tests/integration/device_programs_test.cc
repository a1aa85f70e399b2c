// XDP programs that stand at a device by themselves, as clients' netlink puts them there (behaviour.md D.4.5): over the control socket.
#include <gtest/gtest.h>
#include <linux/if_link.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "ring3/hook.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kDevice = 7, kChained = 8;
constexpr std::uint32_t kDrop = 1, kPass = 2;

class DevicePrograms : public ControlWorld {
 protected:
  DevicePrograms()
      : hook_(Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kDevice, .name = "wire"}).value()),
        chain_(Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kChained, .name = "chain", .chain = true}).value()),
        host_(connect()) {}

  int load(const std::string& text, std::uint32_t attach_type = 0, std::uint32_t type = uapi::BPF_PROG_TYPE_XDP) {
    return static_cast<int>(bpf().load({.text = text, .member = attach_type, .prog_type = type}));
  }
  int answers(std::uint32_t action) { return load("r0 = " + std::to_string(action) + "\nexit"); }
  Errno set(int program, std::uint32_t flags = 0, int expected = -1, std::uint32_t device = kDevice) {
    const Result<void> done = host_->set_device_program({device, program, flags, expected});
    return done.ok() ? Errno{} : done.error();
  }
  std::uint32_t id(int program) { return bpf().prog_info(program).id; }
  /// What the host shows at its only place of that kind.
  std::uint32_t shown() {
    const std::vector<syscall::DeviceProgram> all = host_->device_programs().value();
    EXPECT_EQ(all.size(), 1u) << "places that chain have none alone";
    EXPECT_EQ(all.at(0).device, kDevice);
    return all.at(0).program;
  }
  std::uint32_t run() { return hook_.run(std::array<std::byte, 64>{}).value(); }
  long link(int program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = kDevice;
    attr.link_create.attach_type = uapi::BPF_XDP;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }

  Hook hook_, chain_;
  const std::unique_ptr<control::Client> host_;
};

constexpr Errno kDone{};

TEST_F(DevicePrograms, StayUntilSomebodySetsAnotherOrNone) {
  const std::size_t before = live();
  EXPECT_EQ(shown(), 0u);
  const int drops = answers(kDrop), passes = answers(kPass);
  const std::uint32_t drops_id = id(drops), passes_id = id(passes);
  EXPECT_EQ(set(drops), kDone);
  bpf().close(drops);
  EXPECT_EQ(shown(), drops_id);
  EXPECT_EQ(run(), kDrop);
  EXPECT_EQ(set(passes), kDone) << "whatever stands there";
  EXPECT_EQ(set(passes), kDone) << "it stands there already";
  bpf().close(passes);
  EXPECT_EQ(shown(), passes_id);
  EXPECT_EQ(run(), kPass);
  EXPECT_EQ(set(-1), kDone);
  EXPECT_EQ(set(-1), kDone) << "nothing stands there";
  EXPECT_EQ(shown(), 0u);
  EXPECT_EQ(run(), kHookNext);
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(DevicePrograms, OnlyWhereNothingStands) {
  const int drops = answers(kDrop), passes = answers(kPass);
  EXPECT_EQ(set(drops, XDP_FLAGS_UPDATE_IF_NOEXIST), kDone);
  EXPECT_EQ(set(passes, XDP_FLAGS_UPDATE_IF_NOEXIST), Errno::kBusy);
  EXPECT_NE(host_->text().find("has an XDP program already"), std::string::npos) << host_->text();
  EXPECT_EQ(shown(), id(drops));
  EXPECT_EQ(set(-1, XDP_FLAGS_UPDATE_IF_NOEXIST), kDone) << "as bpftool says it";
  EXPECT_EQ(shown(), 0u);
}

TEST_F(DevicePrograms, OnlyInThePlaceOfTheExpectedOne) {
  const int drops = answers(kDrop), passes = answers(kPass);
  EXPECT_EQ(set(drops, XDP_FLAGS_REPLACE, passes), Errno::kExist) << "nothing stands there";
  EXPECT_EQ(set(drops, XDP_FLAGS_REPLACE), kDone) << "as expected";
  EXPECT_EQ(set(passes, XDP_FLAGS_REPLACE), Errno::kExist);
  EXPECT_NE(host_->text().find("not the expected one"), std::string::npos) << host_->text();
  EXPECT_EQ(set(passes, XDP_FLAGS_REPLACE, drops), kDone);
  EXPECT_EQ(set(-1, XDP_FLAGS_REPLACE, drops), Errno::kExist);
  EXPECT_EQ(shown(), id(passes));
  EXPECT_EQ(set(-1, XDP_FLAGS_REPLACE, passes), kDone);
  EXPECT_EQ(shown(), 0u);
}

TEST_F(DevicePrograms, ALinksPlaceIsItsOwn) {
  const int drops = answers(kDrop), passes = answers(kPass);
  const long held = link(drops);
  ASSERT_GT(held, 0);
  EXPECT_EQ(shown(), id(drops)) << "it is shown all the same";
  EXPECT_EQ(set(passes), Errno::kBusy);
  EXPECT_EQ(set(-1), Errno::kBusy);
  EXPECT_NE(host_->text().find("a link holds"), std::string::npos) << host_->text();
  bpf().close(held);
  EXPECT_EQ(set(passes), kDone);
  EXPECT_EQ(link(drops), -EBUSY);
}

TEST_F(DevicePrograms, BadRequestsChangeNothing) {
  const int drops = answers(kDrop);
  EXPECT_EQ(set(drops, 1u << 5), Errno::kInval);
  EXPECT_EQ(set(drops, XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE), Errno::kInval);
  EXPECT_EQ(set(drops, 0, -1, 9), Errno::kNoDev);
  EXPECT_NE(host_->text().find("no XDP at device 9"), std::string::npos) << host_->text();
  EXPECT_EQ(set(drops, 0, -1, kChained), Errno::kOpNotSupp);
  EXPECT_EQ(set(9999), Errno::kBadF);
  EXPECT_EQ(set(load("r0 = 0\nexit", 0, uapi::BPF_PROG_TYPE_SOCKET_FILTER)), Errno::kInval);
  EXPECT_EQ(set(load("r0 = 2\nexit", uapi::BPF_XDP_DEVMAP)), Errno::kInval);
  EXPECT_EQ(set(load("r0 = 2\nexit", uapi::BPF_XDP_CPUMAP)), Errno::kInval);
  EXPECT_EQ(set(drops, XDP_FLAGS_REPLACE, 9999), Errno::kBadF);
  EXPECT_EQ(shown(), 0u);
}

TEST_F(DevicePrograms, OfALoadStandNowhereBeforeTheCommit) {
  ASSERT_TRUE(host_->begin().ok());
  const PreparedLoad load = bpf().prepare({.text = "r0 = 1\nexit", .prog_type = uapi::BPF_PROG_TYPE_XDP});
  uapi::bpf_attr attr = load.attr;
  const long program = host_->bpf(uapi::BPF_PROG_LOAD, &attr, sizeof attr);
  ASSERT_GE(program, 0) << host_->text();
  EXPECT_EQ(set(static_cast<int>(program)), Errno::kOpNotSupp);
  ::close(static_cast<int>(program));
  EXPECT_TRUE(host_->abort().ok());
  EXPECT_EQ(shown(), 0u);
}

TEST_F(DevicePrograms, GoWithTheirPlace) {
  const std::size_t before = live();
  const int drops = answers(kDrop);
  EXPECT_EQ(set(drops), kDone);
  bpf().close(drops);
  EXPECT_TRUE(hook_.remove().ok());
  EXPECT_TRUE(host_->device_programs().value().empty());
  EXPECT_TRUE(settles_at(before)) << leaks();
}

/// Lets everybody in who has no right over the network.
class WithoutNetwork final : public ControlPolicy {
 public:
  Result<Capabilities> admit(const Peer&) override { return Capabilities{.bpf = true, .perfmon = true}; }
};

TEST(DeviceProgramRights, AreThoseOverTheNetwork) {
  WithoutNetwork policy;
  LogLines log;
  const std::unique_ptr<Runtime> runtime = Runtime::create({.name = "rights", .btf = test_host_btf_blob(), .log = &log}).value();
  const std::string path = "/tmp/ring3-rights-" + std::to_string(::getpid()) + ".sock";
  EXPECT_TRUE(Hook::add(*runtime, {.kind = HookKind::kXdp, .device = kDevice, .name = "wire"}).ok());
  ASSERT_TRUE(runtime->listen({.path = path, .policy = &policy}).ok());
  std::string why;
  const auto host = control::Client::connect(path, why);
  ASSERT_TRUE(host.ok()) << why;
  EXPECT_EQ((*host)->set_device_program({.device = kDevice}).error(), Errno::kPerm);
  EXPECT_NE((*host)->text().find("CAP_NET_ADMIN"), std::string::npos) << (*host)->text();
  EXPECT_EQ((*host)->device_programs()->size(), 1u) << "who only asks needs none";
}

TEST_F(DevicePrograms, ManySetAndOneOfTheirsStands) {
  std::vector<int> programs;
  for (std::uint32_t i = 0; i < 4; ++i) programs.push_back(answers(i % 2 == 0 ? kDrop : kPass));
  std::atomic<int> strange{0};
  std::vector<std::thread> threads;
  for (const int program : programs)
    threads.emplace_back([&, program] {
      const auto mine = connect();
      for (int round = 0; round < 100; ++round) strange += !mine->set_device_program({kDevice, program}).ok();
    });
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t answer = run();
    strange += answer != kDrop && answer != kPass && answer != kHookNext;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(strange, 0);
  bool known = false;
  for (const int program : programs) known |= shown() == id(program);
  EXPECT_TRUE(known);
}

}  // namespace
}  // namespace ring3::test
