// XDP programs at devices of the host, set and shown by rtnetlink under `ring3 run --devices`: stock xdp-loader, bpftool and libraries that
// only ask what devices there are. Tests of tools that are not installed are skipped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "ring3/hook.h"
#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kLoopback = 1;  // a device that every machine has, and this host too
constexpr std::uint32_t kPass = 2;
enum Mark : std::uint32_t { kEarly = 1, kLate };

class Devices : public RunWorld {
 protected:
  Devices() : hook_(Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kLoopback, .name = "wire"}).value()) {}
  void SetUp() override {
    RunWorld::SetUp();
    if (IsSkipped()) return;
    turn_ = OwnedFd(::open(kXdpLoader, O_RDONLY | O_CLOEXEC));
    if (!turn_) GTEST_SKIP() << kXdpLoader << " (package xdp-tools) is not installed";
    // For root there is one xdp-loader on a machine at a time: it does not wait for the lock that it keeps in /run.
    ASSERT_EQ(::flock(turn_.get(), LOCK_EX), 0);
  }

  Outcome with_devices(std::vector<std::string> command) { return on_host(std::move(command), {"--devices"}); }
  Outcome xdp_loader(std::vector<std::string> words) {
    words.insert(words.begin(), kXdpLoader);
    return with_devices(std::move(words));
  }
  Outcome load(const char* program) { return xdp_loader({"load", "lo", RING3_MODULE_DIR "/components.bpf.o", "-p", "/sys/fs/bpf", "-n", program}); }
  Outcome bpftool(std::vector<std::string> words) {
    words.insert(words.begin(), RING3_BPFTOOL);
    return with_devices(std::move(words));
  }
  std::uint32_t run() { return hook_.run(std::array<std::byte, 64>{}).value(); }
  /// What a packet meets, in order.
  std::vector<std::uint32_t> marks() {
    const long map = bpf().get("/sys/fs/bpf/marks");
    EXPECT_GT(map, 0);
    std::uint32_t count = 0;
    EXPECT_EQ(bpf().update(map, &count), 0);
    EXPECT_EQ(run(), kPass);
    EXPECT_EQ(bpf().lookup(map, &count, 0), 0);
    std::vector<std::uint32_t> out(count);
    for (std::uint32_t i = 0; i < count; ++i) EXPECT_EQ(bpf().lookup(map, &out[i], i + 1), 0);
    bpf().close(map);
    return out;
  }

  static constexpr const char* kXdpLoader = "/usr/sbin/xdp-loader";
  OwnedFd turn_;
  Hook hook_;
};

#define EXPECT_DONE(call)            \
  do {                               \
    const Outcome done = (call);     \
    EXPECT_EQ(done.code, 0) << done; \
  } while (false)

TEST_F(Devices, D_29_StockXdpLoaderComposesPrograms) {
  const std::size_t before = live();
  EXPECT_EQ(run(), kHookNext);
  EXPECT_DONE(load("late"));
  EXPECT_EQ(marks(), (std::vector<std::uint32_t>{kLate}));
  EXPECT_DONE(load("early"));
  EXPECT_EQ(marks(), (std::vector<std::uint32_t>{kEarly, kLate})) << "by priority, in a dispatcher of libxdp's";
  const Outcome status = xdp_loader({"status", "lo"});
  EXPECT_EQ(status.code, 0) << status;
  for (const char* word : {"xdp_dispatcher", "native", "early", "late", "XDP_DROP,XDP_PASS"}) EXPECT_TRUE(status.says(word)) << word << status;
  EXPECT_LT(status.out.find("early"), status.out.find("late"));
  EXPECT_DONE(xdp_loader({"unload", "lo", "--all"}));
  EXPECT_EQ(run(), kHookNext);
  EXPECT_FALSE(xdp_loader({"status", "lo"}).says("xdp_dispatcher"));
  EXPECT_DONE(with_devices({"rm", "/sys/fs/bpf/marks"}));
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(Devices, StockXdpLoaderIsToldWhatIsWrong) {
  EXPECT_NE(load("missing").code, 0);
  EXPECT_NE(xdp_loader({"unload", "lo", "--all"}).code, 0) << "nothing stands there";
  EXPECT_EQ(run(), kHookNext);
  // A link's place is its own.
  const long program = this->bpf().load({.text = "r0 = 1\nexit", .prog_type = uapi::BPF_PROG_TYPE_XDP});
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attr.link_create.target_ifindex = kLoopback;
  attr.link_create.attach_type = uapi::BPF_XDP;
  const long link = bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  ASSERT_GT(link, 0);
  const Outcome refused = load("early");
  EXPECT_NE(refused.code, 0);
  EXPECT_EQ(run(), 1u) << "as before: " << refused;
}

TEST_F(Devices, StockBpftoolSetsAndShowsThem) {
  EXPECT_DONE(bpftool({"prog", "loadall", RING3_MODULE_DIR "/components.bpf.o", "/sys/fs/bpf/c"}));
  EXPECT_EQ(bpftool({"net", "show"}).out.find("lo(1)"), std::string::npos);
  EXPECT_DONE(bpftool({"net", "attach", "xdp", "pinned", "/sys/fs/bpf/c/early", "dev", "lo"}));
  EXPECT_EQ(marks(), (std::vector<std::uint32_t>{kEarly}));
  // One socket asks for the devices, then for what else is attached to each: the machine answers that.
  const Outcome shown = bpftool({"net", "show"});
  EXPECT_EQ(shown.code, 0) << shown;
  EXPECT_TRUE(shown.says("lo(1) driver id ")) << shown;
  const Outcome taken = bpftool({"net", "attach", "xdp", "pinned", "/sys/fs/bpf/c/late", "dev", "lo"});
  EXPECT_NE(taken.code, 0);
  EXPECT_TRUE(taken.says("the device has an XDP program already")) << taken;
  EXPECT_TRUE(taken.says("Device or resource busy")) << taken;
  EXPECT_DONE(bpftool({"net", "attach", "xdp", "pinned", "/sys/fs/bpf/c/late", "dev", "lo", "overwrite"}));
  EXPECT_EQ(marks(), (std::vector<std::uint32_t>{kLate}));
  EXPECT_DONE(bpftool({"net", "detach", "xdp", "dev", "lo"}));
  EXPECT_EQ(run(), kHookNext);
}

/// Asks for the devices, then for their addresses, on one socket; says what the socket is after each.
constexpr const char* kOneSocket = R"(
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.bind((0, 0))
def dump(kind, serial):
    s.send(struct.pack("=IHHIIBxHiII", 32, kind, 0x301, serial, 0, 0, 0, 0, 0, 0))
    seen = 0
    while True:
        data = s.recv(1 << 20)
        while data:
            length, what, _, number, _ = struct.unpack_from("=IHHII", data)
            assert number == serial
            if what == 3: return seen
            seen += 1
            data = data[(length + 3) // 4 * 4:]
def is_kernels(): return socket.socket(fileno=__import__("os").dup(s.fileno())).family == socket.AF_NETLINK
print("devices", dump(18, 1) > 0, is_kernels())
print("addresses", dump(22, 2) >= 0, is_kernels())
print("devices", dump(18, 3) > 0, is_kernels())
)";

TEST_F(Devices, ASocketIsAnsweredByWhoeverKnows) {
  EXPECT_EQ(with_devices({"python3", "-c", kOneSocket}).out, "devices True True\naddresses True True\ndevices True True\n") << "nothing stands there";
  EXPECT_DONE(load("early"));
  const Outcome both = with_devices({"python3", "-c", kOneSocket});
  EXPECT_EQ(both.out, "devices True False\naddresses True True\ndevices True False\n") << both;
}

TEST_F(Devices, OfOthersAreTheMachines) {
  EXPECT_DONE(load("early"));
  // The C library asks by an address, and so does iproute2: the machine's kernel answers as ever.
  const std::string names = "import socket; print([name for _, name in socket.if_nameindex()])";
  EXPECT_TRUE(with_devices({"python3", "-c", names}).says("'lo'"));
  // Sends on all other sockets are as they were.
  const std::string talk = "import socket; a, b = socket.socketpair(); a.send(b'x' * 100); print(len(b.recv(200)))";
  EXPECT_EQ(with_devices({"python3", "-c", talk}).out, "100\n");
  // Without the option netlink is the machine's: it has no such program, and this one is none to it.
  EXPECT_FALSE(on_host({RING3_BPFTOOL, "net", "show"}).says("driver id"));
  // A runtime of the command's own has no devices.
  EXPECT_FALSE(alone({RING3_BPFTOOL, "net", "show"}, {"--devices"}).says("driver id"));
}

}  // namespace
}  // namespace ring3::test
