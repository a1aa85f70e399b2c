// BPF_PROG_TEST_RUN of what is no plain packet program: socket lookups, flow dissectors, netfilter, struct_ops members; and what
// every other type answers. The errnos are those of a kernel that was asked the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "ring3/hook.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kAtLocalOut = 3, kAtPreRouting = 0;

class TestRunKinds : public World {
 protected:
  long load(std::string_view text, std::uint32_t type, std::uint32_t attach_type = 0) {
    return bpf().load({.text = text, .member = attach_type, .flags = type == uapi::BPF_PROG_TYPE_SYSCALL ? std::uint32_t{uapi::BPF_F_SLEEPABLE} : 0u,
                       .prog_type = type});
  }
  static uapi::bpf_attr attr_of(long program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    return attr;
  }
  template <typename T>
  static void set_ctx(uapi::bpf_attr& attr, const T& ctx) {
    attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(&ctx);
    attr.test.ctx_size_in = sizeof(T);
  }
  template <typename T>
  static void set_data(uapi::bpf_attr& attr, const T& data, std::size_t bytes = sizeof(T)) {
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(&data);
    attr.test.data_size_in = static_cast<std::uint32_t>(bytes);
  }
  long run(uapi::bpf_attr& attr) { return bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr); }
  template <typename Change>
  long with(uapi::bpf_attr attr, Change change) {
    change(attr.test);
    return run(attr);
  }
};

struct Lookup {
  std::uint64_t cookie;
  std::uint32_t family, protocol, remote_ip4, remote_ip6[4];
  std::uint16_t remote_port, unused;
  std::uint32_t local_ip4, local_ip6[4], local_port, ingress_ifindex;
};
static_assert(sizeof(Lookup) == 72);

TEST_F(TestRunKinds, SocketLookupsSeeTheAddressesOfTheirFamily) {
  // local_port + remote_ip4 + the first word of remote_ip6
  const long program = load(
      "r0 = *(u32 *)(r1 +60)\nr2 = *(u32 *)(r1 +16)\nr0 += r2\nr2 = *(u32 *)(r1 +20)\nr0 += r2\nr3 = *(u64 *)(r1 +0)\n"
      "if r3 == 0 goto out\nr0 = 0\nout:\nexit",
      uapi::BPF_PROG_TYPE_SK_LOOKUP, uapi::BPF_SK_LOOKUP);
  ASSERT_LT(program, 0) << "a lookup answers 0 or 1";
  const long yes = load("r0 = *(u32 *)(r1 +60)\nr2 = *(u32 *)(r1 +16)\nr0 += r2\nr2 = *(u32 *)(r1 +20)\nr0 += r2\n"
                        "if r0 == 87 goto yes\nr0 = 0\nexit\nyes:\nr0 = 1\nexit",
                        uapi::BPF_PROG_TYPE_SK_LOOKUP, uapi::BPF_SK_LOOKUP);
  ASSERT_GT(yes, 0) << bpf().log();
  Lookup ctx{}, out{};
  ctx.family = 2;
  ctx.protocol = 6;
  ctx.local_port = 80;
  ctx.remote_ip4 = 7;
  ctx.remote_ip6[0] = 1000;  // not of this family
  uapi::bpf_attr attr = attr_of(yes);
  set_ctx(attr, ctx);
  attr.test.ctx_out = reinterpret_cast<std::uintptr_t>(&out);
  attr.test.ctx_size_out = sizeof out;
  attr.test.repeat = 3;
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 1u);
  EXPECT_EQ(attr.test.ctx_size_out, sizeof out);
  EXPECT_EQ(out.local_port, 80u);
  EXPECT_EQ(out.cookie, 0u);
}

TEST_F(TestRunKinds, SocketLookupsRefuseWhatLinuxRefuses) {
  const long program = load("r0 = 1\nexit", uapi::BPF_PROG_TYPE_SK_LOOKUP, uapi::BPF_SK_LOOKUP);
  ASSERT_GT(program, 0) << bpf().log();
  const auto answer = [&](auto change) {
    Lookup ctx{};
    ctx.family = 2;
    change(ctx);
    uapi::bpf_attr attr = attr_of(program);
    set_ctx(attr, ctx);
    return run(attr);
  };
  EXPECT_EQ(answer([](Lookup&) {}), 0);
  EXPECT_EQ(answer([](Lookup& c) { c.family = 10; }), 0);
  EXPECT_EQ(answer([](Lookup& c) { c.family = 1; }), -EAFNOSUPPORT);
  EXPECT_EQ(answer([](Lookup& c) { c.local_port = 65536; }), -ERANGE);
  EXPECT_EQ(answer([](Lookup& c) { c.ingress_ifindex = 1; }), -EINVAL);
  EXPECT_EQ(answer([](Lookup& c) { c.cookie = 1; }), -EINVAL);
  uapi::bpf_attr attr = attr_of(program);
  EXPECT_EQ(run(attr), -EINVAL) << "without a context";
  Lookup out{};
  attr.test.ctx_out = reinterpret_cast<std::uintptr_t>(&out);
  attr.test.ctx_size_out = sizeof out;
  EXPECT_EQ(run(attr), -EAFNOSUPPORT) << "an empty context";
  Lookup ctx{};
  ctx.family = 2;
  attr = attr_of(program);
  set_ctx(attr, ctx);
  EXPECT_EQ(with(attr, [&](auto& t) { t.ctx_size_in = 16; }), 0);
  EXPECT_EQ(with(attr, [&](auto& t) { t.data_size_out = 4; }), -EINVAL);
  EXPECT_EQ(with(attr, [&](auto& t) { t.cpu = 1; }), -EINVAL);
  struct {
    Lookup known;
    std::uint64_t more;
  } longer{ctx, 0};
  set_ctx(attr, longer);
  EXPECT_EQ(run(attr), 0);
  longer.more = 1;
  EXPECT_EQ(run(attr), -E2BIG);
  attr.test.ctx_size_in = sizeof ctx;
  attr.test.ctx_out = reinterpret_cast<std::uintptr_t>(&out);
  attr.test.ctx_size_out = 8;
  EXPECT_EQ(run(attr), -ENOSPC);
}

TEST_F(TestRunKinds, ALookupMayChooseNoSocket) {
  const long program = load("r2 = 0\nr3 = 0\ncall bpf_sk_assign\nif r0 == 0 goto yes\nr0 = 0\nexit\nyes:\nr0 = 1\nexit",
                            uapi::BPF_PROG_TYPE_SK_LOOKUP, uapi::BPF_SK_LOOKUP);
  ASSERT_GT(program, 0) << bpf().log();
  Lookup ctx{};
  ctx.family = 2;
  uapi::bpf_attr attr = attr_of(program);
  set_ctx(attr, ctx);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 1u);
}

struct FlowKeys {
  std::uint16_t nhoff, thoff, addr_proto;
  std::uint8_t is_frag, is_first_frag, is_encap, ip_proto;
  std::uint16_t n_proto, sport, dport;
  std::uint32_t addresses[8], flags, flow_label;
};
static_assert(sizeof(FlowKeys) == 56);

std::array<std::uint8_t, 64> frame(std::uint8_t high = 8, std::uint8_t low = 0) {
  std::array<std::uint8_t, 64> f{};
  f[12] = high;
  f[13] = low;
  f[14] = 0x45;
  f[23] = 17;
  return f;
}

TEST_F(TestRunKinds, FlowDissectorsFillInTheKeys) {
  // thoff = nhoff + 20; ip_proto from the packet; flags handed back in the flow label
  const long program = load(
      "r2 = *(u32 *)(r1 +76)\nr3 = *(u32 *)(r1 +80)\nr6 = *(u64 *)(r1 +144)\nr4 = r2\nr4 += 34\nr0 = 1\nif r4 > r3 goto out\n"
      "r5 = *(u16 *)(r6 +0)\nr5 += 20\n*(u16 *)(r6 +2) = r5\nr5 = *(u8 *)(r2 +23)\n*(u8 *)(r6 +9) = r5\n"
      "r5 = *(u32 *)(r6 +48)\n*(u32 *)(r6 +52) = r5\nr0 = 0\nout:\nexit",
      uapi::BPF_PROG_TYPE_FLOW_DISSECTOR);
  ASSERT_GT(program, 0) << bpf().log();
  const auto data = frame();
  FlowKeys keys{}, given{};
  given.flags = 5;
  uapi::bpf_attr attr = attr_of(program);
  set_data(attr, data);
  set_ctx(attr, given);
  attr.test.data_out = reinterpret_cast<std::uintptr_t>(&keys);
  attr.test.data_size_out = sizeof keys;
  attr.test.repeat = 4;  // each from the start
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 0u);
  EXPECT_EQ(attr.test.data_size_out, 56u);
  EXPECT_EQ(keys.nhoff, 14);
  EXPECT_EQ(keys.thoff, 34);
  EXPECT_EQ(keys.n_proto, 8);
  EXPECT_EQ(keys.ip_proto, 17);
  EXPECT_EQ(keys.flow_label, 5u);
}

TEST_F(TestRunKinds, FlowDissectorsCannotPointOutside) {
  const long program = load("r6 = *(u64 *)(r1 +144)\nr5 = 9000\n*(u16 *)(r6 +0) = r5\nr5 = 1\n*(u16 *)(r6 +2) = r5\nr0 = 0\nexit",
                            uapi::BPF_PROG_TYPE_FLOW_DISSECTOR);
  ASSERT_GT(program, 0) << bpf().log();
  const auto data = frame();
  FlowKeys keys{};
  uapi::bpf_attr attr = attr_of(program);
  set_data(attr, data);
  attr.test.data_out = reinterpret_cast<std::uintptr_t>(&keys);
  attr.test.data_size_out = sizeof keys;
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(keys.nhoff, 64);
  EXPECT_EQ(keys.thoff, 64);
  EXPECT_EQ(with(attr, [](auto& t) { t.data_size_out = 8; }), -ENOSPC);
  EXPECT_EQ(with(attr, [](auto& t) { t.data_size_in = 13; }), -EINVAL);
  EXPECT_EQ(with(attr, [](auto& t) { t.flags = 1; }), -EINVAL);
  const std::vector<std::uint8_t> page(4097);
  attr.test.data_out = attr.test.data_size_out = 0;
  EXPECT_EQ(with(attr, [&](auto& t) { t.data_in = reinterpret_cast<std::uintptr_t>(page.data()), t.data_size_in = 4096; }), 0);
  EXPECT_EQ(with(attr, [&](auto& t) { t.data_in = reinterpret_cast<std::uintptr_t>(page.data()), t.data_size_in = 4097; }), -EINVAL);
  for (const std::size_t off : {0u, 2u, 36u, 52u}) {
    std::array<std::uint8_t, 56> bad{};
    bad[off] = 1;
    set_ctx(attr, bad);
    EXPECT_EQ(run(attr), -EINVAL) << off;
  }
}

struct HookState {
  std::uint8_t hook, pf;
  std::uint8_t unused[46];
};

TEST_F(TestRunKinds, NetfilterSeesThePacketAtItsHook) {
  const auto at = [&](const char* type, const char* member) {
    return std::to_string(host_btf_->find_member(host_btf_->find(type, btf::Kind::kStruct), member).value().bit_off / 8);
  };
  // hook * 1000 + len, where the answer is 1 when that is `expected`
  const auto program_for = [&](std::uint32_t expected) {
    return load("r2 = *(u64 *)(r1 +0)\nr3 = *(u64 *)(r1 +8)\nr0 = *(u8 *)(r2 +" + at("nf_hook_state", "hook") + ")\nr0 *= 1000\nr4 = *(u32 *)(r3 +" +
                    at("sk_buff", "len") + ")\nr0 += r4\nif r0 == " + std::to_string(expected) + " goto yes\nr0 = 0\nexit\nyes:\nr0 = 1\nexit",
                uapi::BPF_PROG_TYPE_NETFILTER, uapi::BPF_NETFILTER);
  };
  const auto data = frame();
  const auto verdict = [&](long program, std::uint8_t hook) {
    EXPECT_GT(program, 0) << bpf().log();
    HookState state{hook, 2, {}};
    uapi::bpf_attr attr = attr_of(program);
    set_data(attr, data);
    set_ctx(attr, state);
    EXPECT_EQ(run(attr), 0);
    return attr.test.retval;
  };
  EXPECT_EQ(verdict(program_for(50), kAtPreRouting), 1u) << "without the link layer";
  EXPECT_EQ(verdict(program_for(3064), kAtLocalOut), 1u) << "made here: there is none";
}

TEST_F(TestRunKinds, NetfilterRefusesWhatDoesNotFitItsHook) {
  const long program = load("r0 = 1\nexit", uapi::BPF_PROG_TYPE_NETFILTER, uapi::BPF_NETFILTER);
  ASSERT_GT(program, 0) << bpf().log();
  const auto answer = [&](const std::array<std::uint8_t, 64>& data, std::uint8_t hook, std::uint8_t pf, std::size_t bytes = 64) {
    HookState state{hook, pf, {}};
    uapi::bpf_attr attr = attr_of(program);
    set_data(attr, data, bytes);
    set_ctx(attr, state);
    return run(attr);
  };
  const auto ip = frame(), ip6 = frame(0x86, 0xdd), arp = frame(8, 6);
  EXPECT_EQ(answer(ip, kAtPreRouting, 2), 0);
  EXPECT_EQ(answer(ip6, kAtPreRouting, 2), -EINVAL);
  EXPECT_EQ(answer(ip6, kAtPreRouting, 10), 0);
  EXPECT_EQ(answer(ip6, kAtPreRouting, 10, 53), -EINVAL);
  EXPECT_EQ(answer(arp, kAtPreRouting, 2), -EPROTO);
  EXPECT_EQ(answer(arp, kAtLocalOut, 10), 0);
  EXPECT_EQ(answer(ip, kAtPreRouting, 7), -EINVAL);
  EXPECT_EQ(answer(ip, kAtPreRouting, 2, 33), -EINVAL);
  EXPECT_EQ(answer(ip, kAtLocalOut, 2, 20), 0);
  EXPECT_EQ(answer(ip, kAtLocalOut, 2, 19), -EINVAL);
  uapi::bpf_attr attr = attr_of(program);
  set_data(attr, ip6);
  EXPECT_EQ(run(attr), 0) << "without a context: made here";
  HookState state{0, 2, {}};
  state.unused[6] = 1;
  set_ctx(attr, state);
  EXPECT_EQ(run(attr), -EINVAL);
}

TEST_F(TestRunKinds, NetfilterReadsItsPacketThroughADynptr) {
  if (host_btf_->find("bpf_dynptr_from_skb", btf::Kind::kFunc) == 0) GTEST_SKIP() << "the host's BTF has no such function";
  const long program = load("r1 = *(u64 *)(r1 +8)\nr2 = 0\nr3 = r10\nr3 += -16\ncall bpf_dynptr_from_skb\nif r0 != 0 goto no\n"
                            "r1 = r10\nr1 += -24\nr2 = 1\nr3 = r10\nr3 += -16\nr4 = 9\nr5 = 0\ncall bpf_dynptr_read\nif r0 != 0 goto no\n"
                            "r0 = *(u8 *)(r10 -24)\nif r0 != 17 goto no\nr0 = 1\nexit\nno:\nr0 = 0\nexit",
                            uapi::BPF_PROG_TYPE_NETFILTER, uapi::BPF_NETFILTER);
  ASSERT_GT(program, 0) << bpf().log();
  const auto data = frame();
  HookState state{kAtPreRouting, 2, {}};
  uapi::bpf_attr attr = attr_of(program);
  set_data(attr, data);
  set_ctx(attr, state);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 1u) << "the protocol of the IP header";
}

TEST_F(TestRunKinds, XdpFlags) {
  const long program = load("r0 = 2\nexit", uapi::BPF_PROG_TYPE_XDP);
  ASSERT_GT(program, 0) << bpf().log();
  const auto data = frame();
  uapi::bpf_attr attr = attr_of(program);
  set_data(attr, data);
  EXPECT_EQ(with(attr, [](auto& t) { t.batch_size = 1; }), -EINVAL);
  EXPECT_EQ(with(attr, [](auto& t) { t.flags = 4; }), -EINVAL);
  log_.take();
  EXPECT_EQ(with(attr, [](auto& t) { t.flags = uapi::BPF_F_TEST_XDP_LIVE_FRAMES, t.batch_size = 257; }), -E2BIG);
  EXPECT_NE(log_.take().find("a batch has at most 256 frames"), std::string::npos);
  struct {
    std::uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue, egress_ifindex;
  } md{0, 64, 0, 1, 0, 0};
  set_ctx(attr, md);
  EXPECT_EQ(run(attr), 0);
  md.ingress_ifindex = 9;
  EXPECT_EQ(run(attr), -ENODEV);
  [[maybe_unused]] const Hook hook = Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = 9, .name = "nine"}).value();
  EXPECT_EQ(run(attr), 0) << "a device of the host's";
}

TEST_F(TestRunKinds, ChecksumsTellWhoForgetsThem) {
  const auto data = frame();
  const auto answer = [&](std::string_view text) {
    const long program = load(text, uapi::BPF_PROG_TYPE_SCHED_CLS);
    EXPECT_GT(program, 0) << bpf().log();
    uapi::bpf_attr attr = attr_of(program);
    set_data(attr, data);
    return with(attr, [](auto& t) { t.flags = uapi::BPF_F_TEST_SKB_CHECKSUM_COMPLETE; });
  };
  EXPECT_EQ(answer("r0 = 0\nexit"), 0);
  log_.take();
  EXPECT_EQ(answer("r2 = 1\ncall bpf_csum_update\nexit"), -EBADMSG);
  EXPECT_NE(log_.take().find("did not say so to its checksum"), std::string::npos);
  const std::string store = "*(u64 *)(r10 -8) = 77\nr2 = 21\nr3 = r10\nr3 += -8\nr4 = 7\n";
  EXPECT_EQ(answer(store + "r5 = 0\ncall bpf_skb_store_bytes\nexit"), -EBADMSG);
  EXPECT_EQ(answer(store + "r5 = 1\ncall bpf_skb_store_bytes\nexit"), 0);
}

/// Writes down what comes.
class Notes final : public FrameTaker {
 public:
  bool take(const LiveFrame& frame) noexcept override {
    ways.push_back((frame.way == LiveFrame::Way::kStack ? "stack " : "device ") + std::to_string(frame.device) + " of " + std::to_string(frame.bytes.size()) +
                   " behind " + std::to_string(frame.metadata.size()));
    return takes;
  }
  std::vector<std::string> ways;
  bool takes = true;
};

class LiveFrames : public TestRunKinds {
 protected:
  LiveFrames() {
    client_.reset();
    policy_ = {};
    runtime_ = Runtime::create({.name = "live", .btf = test_host_btf_blob(), .log = &log_, .frames = &notes_}).value();
    client_ = std::make_unique<BpfClient>(*runtime_, *host_btf_);
    nine_ = Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = 9, .name = "nine"}).ok();
    ten_ = Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = 10, .name = "ten"}).ok();
  }
  /// What becomes of a frame of such a program's.
  std::vector<std::string> ways(std::string_view text, std::uint32_t repeat = 1, long map = -1, std::uint32_t ingress = 0) {
    notes_.ways.clear();
    const long program = bpf().load({.text = text, .member = 0, .prog_type = uapi::BPF_PROG_TYPE_XDP, .map_fds = {static_cast<std::int32_t>(map)}});
    EXPECT_GT(program, 0) << bpf().log();
    uapi::bpf_attr attr = attr_of(program);
    set_data(attr, data_);
    attr.test.flags = uapi::BPF_F_TEST_XDP_LIVE_FRAMES;
    attr.test.repeat = repeat;
    const std::array<std::uint32_t, 6> md{0, 64, 0, ingress, 0, 0};
    if (ingress != 0) set_ctx(attr, md);
    EXPECT_EQ(run(attr), 0);
    EXPECT_EQ(attr.test.retval, 0u);
    bpf().close(program);
    return notes_.ways;
  }
  using Ways = std::vector<std::string>;

  Notes notes_;
  bool nine_, ten_;
  const std::array<std::uint8_t, 64> data_ = frame();
};

TEST_F(LiveFrames, GoWhereTheProgramSays) {
  ASSERT_TRUE(nine_ && ten_);
  EXPECT_EQ(ways("r0 = 2\nexit", 3), (Ways{"stack 1 of 64 behind 0", "stack 1 of 64 behind 0", "stack 1 of 64 behind 0"}));
  EXPECT_EQ(ways("r2 = -8\ncall bpf_xdp_adjust_meta\nr0 = 3\nexit"), Ways{"device 1 of 64 behind 8"});
  EXPECT_EQ(ways("r1 = 9\nr2 = 0\ncall bpf_redirect\nexit"), Ways{"device 9 of 64 behind 0"});
  EXPECT_EQ(ways("r1 = 11\nr2 = 0\ncall bpf_redirect\nexit"), Ways{}) << "no device of the host's";
  EXPECT_EQ(ways("r0 = 4\nexit"), Ways{}) << "a redirect to nowhere";
  for (const char* dropped : {"0", "1", "77"}) EXPECT_EQ(ways("r0 = " + std::string(dropped) + "\nexit"), Ways{});
  log_.take();
  EXPECT_EQ(ways("r0 = 1\nexit", 100), Ways{});
  EXPECT_NE(log_.take().find("100 dropped by the program"), std::string::npos);
  notes_.takes = false;
  ways("r0 = 2\nexit", 5);
  EXPECT_NE(log_.take().find("5 taken by nobody"), std::string::npos);
}

TEST_F(LiveFrames, EachStartsAsTheClientGaveIt) {
  // Passes while the first byte is as given, and changes it.
  EXPECT_EQ(ways("r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 14\nr0 = 1\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 +0)\n"
                 "if r5 != 0 goto out\nr5 = 1\n*(u8 *)(r2 +0) = r5\nr0 = 2\nout:\nexit", 4).size(), 4u);
}

TEST_F(LiveFrames, AreRedirectedThroughMaps) {
  for (const std::uint32_t type : {uapi::BPF_MAP_TYPE_DEVMAP, uapi::BPF_MAP_TYPE_DEVMAP_HASH}) {
    uapi::bpf_attr made = BpfClient::zero();
    made.map_type = type;
    made.key_size = made.value_size = 4;
    made.max_entries = 8;
    const long map = bpf().create(made);
    ASSERT_GT(map, 0);
    for (const auto& [key, device] : {std::pair(std::uint32_t{1}, std::uint32_t{9}), {2u, 10u}})
      ASSERT_EQ(bpf().update(map, &device, key), 0) << key;
    const auto through = [&](int key, int flags, std::uint32_t ingress = 0) {
      return ways("r1 = map[name:m0]\nr2 = " + std::to_string(key) + "\nr3 = " + std::to_string(flags) + "\ncall bpf_redirect_map\nexit", 1, map, ingress);
    };
    EXPECT_EQ(through(1, 0), Ways{"device 9 of 64 behind 0"});
    EXPECT_EQ(through(3, 2), Ways{"stack 1 of 64 behind 0"}) << "nothing there: the action given";
    EXPECT_EQ(through(3, 1), Ways{});
    Ways all = through(0, 8);  // BPF_F_BROADCAST
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (Ways{"device 10 of 64 behind 0", "device 9 of 64 behind 0"}));
    EXPECT_EQ(through(0, 8 | 16, 9), Ways{"device 10 of 64 behind 0"}) << "not by the one it came in by";
    EXPECT_EQ(through(1, 64), Ways{}) << "an unknown flag";
    bpf().close(map);
  }
}

/// What a run of each type answers: with a packet, and with nothing.
TEST_F(TestRunKinds, EveryTypeAnswersAsLinux) {
  const struct {
    const char* name;
    std::uint32_t type, attach_type;
    long with_packet, with_nothing;
  } rows[] = {
      {"socket_filter", uapi::BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, -EINVAL},
      {"kprobe", uapi::BPF_PROG_TYPE_KPROBE, 0, kENotSupp, kENotSupp},
      {"sched_cls", uapi::BPF_PROG_TYPE_SCHED_CLS, 0, 0, -EINVAL},
      {"sched_act", uapi::BPF_PROG_TYPE_SCHED_ACT, 0, 0, -EINVAL},
      {"tracepoint", uapi::BPF_PROG_TYPE_TRACEPOINT, 0, kENotSupp, kENotSupp},
      {"xdp", uapi::BPF_PROG_TYPE_XDP, 0, 0, -EINVAL},
      {"perf_event", uapi::BPF_PROG_TYPE_PERF_EVENT, 0, kENotSupp, kENotSupp},
      {"cgroup_skb", uapi::BPF_PROG_TYPE_CGROUP_SKB, 0, 0, -EINVAL},
      {"cgroup_sock", uapi::BPF_PROG_TYPE_CGROUP_SOCK, uapi::BPF_CGROUP_INET_SOCK_CREATE, kENotSupp, kENotSupp},
      {"lwt_in", uapi::BPF_PROG_TYPE_LWT_IN, 0, 0, -EINVAL},
      {"lwt_out", uapi::BPF_PROG_TYPE_LWT_OUT, 0, 0, -EINVAL},
      {"lwt_xmit", uapi::BPF_PROG_TYPE_LWT_XMIT, 0, 0, -EINVAL},
      {"sock_ops", uapi::BPF_PROG_TYPE_SOCK_OPS, 0, kENotSupp, kENotSupp},
      {"sk_skb", uapi::BPF_PROG_TYPE_SK_SKB, 0, kENotSupp, kENotSupp},
      {"cgroup_device", uapi::BPF_PROG_TYPE_CGROUP_DEVICE, 0, kENotSupp, kENotSupp},
      {"sk_msg", uapi::BPF_PROG_TYPE_SK_MSG, 0, kENotSupp, kENotSupp},
      {"raw_tracepoint", uapi::BPF_PROG_TYPE_RAW_TRACEPOINT, 0, -EINVAL, 0},
      {"cgroup_sock_addr", uapi::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, uapi::BPF_CGROUP_INET4_BIND, kENotSupp, kENotSupp},
      {"lwt_seg6local", uapi::BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, kENotSupp, kENotSupp},
      {"lirc_mode2", uapi::BPF_PROG_TYPE_LIRC_MODE2, 0, kENotSupp, kENotSupp},
      {"sk_reuseport", uapi::BPF_PROG_TYPE_SK_REUSEPORT, 0, kENotSupp, kENotSupp},
      {"flow_dissector", uapi::BPF_PROG_TYPE_FLOW_DISSECTOR, 0, 0, -EINVAL},
      {"cgroup_sysctl", uapi::BPF_PROG_TYPE_CGROUP_SYSCTL, 0, kENotSupp, kENotSupp},
      {"raw_tracepoint_writable", uapi::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, kENotSupp, kENotSupp},
      {"cgroup_sockopt", uapi::BPF_PROG_TYPE_CGROUP_SOCKOPT, uapi::BPF_CGROUP_GETSOCKOPT, kENotSupp, kENotSupp},
      {"sk_lookup", uapi::BPF_PROG_TYPE_SK_LOOKUP, uapi::BPF_SK_LOOKUP, -EINVAL, -EINVAL},
      {"syscall", uapi::BPF_PROG_TYPE_SYSCALL, 0, -EINVAL, 0},
      {"netfilter", uapi::BPF_PROG_TYPE_NETFILTER, uapi::BPF_NETFILTER, 0, -EINVAL},
  };
  const auto data = frame();
  for (const auto& row : rows) {
    // 1 and 0 are answers of every type between them.
    long program = load("r0 = 0\nexit", row.type, row.attach_type);
    if (program < 0) program = load("r0 = 1\nexit", row.type, row.attach_type);
    ASSERT_GT(program, 0) << row.name << "\n" << bpf().log();
    uapi::bpf_attr attr = attr_of(program);
    EXPECT_EQ(run(attr), row.with_nothing) << row.name;
    set_data(attr, data);
    EXPECT_EQ(run(attr), row.with_packet) << row.name;
    bpf().close(program);
  }
}

TEST_F(TestRunKinds, IteratorsAndTypedTracepointsHaveNothingToRun) {
  const long program = bpf().load({.text = "r0 = 0\nexit", .member = uapi::BPF_TRACE_ITER, .prog_type = uapi::BPF_PROG_TYPE_TRACING,
                                   .attach_btf_id = host_btf_->find("bpf_iter_bpf_map", btf::Kind::kFunc)});
  ASSERT_GT(program, 0) << bpf().log();
  uapi::bpf_attr attr = attr_of(program);
  EXPECT_EQ(run(attr), -EFAULT);
  attr.test.cpu = 1;
  EXPECT_EQ(run(attr), -EINVAL);
}

enum TrialMember : std::uint32_t { kChange, kMaybe, kNothing, kWalk, kMake, kFrame, kRest, kEither };

struct TrialState {
  std::int32_t value;
  std::uint32_t parts[3];
};

class TestRunMembers : public TestRunKinds {
 protected:
  TestRunMembers() {
    StructOpsDef def;
    def.name = "trial_ops";
    def.host = &trial_;
    def.test_run = true;
    def.writable = {{"trial_state", 0, sizeof(TrialState)}};
    EXPECT_TRUE(runtime_->struct_ops(def).ok());
  }
  long member(std::string_view text, std::uint32_t index) { return bpf().load({.text = text, .member = index, .type = "trial_ops"}); }

  OtherHost trial_;
};

/// As Linux's own bpf_dummy_ops behaves.
TEST_F(TestRunMembers, A_38_AMemberRunsOnTheClientsState) {
  const long program = member(
      "r2 = *(u64 *)(r1 +0)\nr3 = *(u64 *)(r1 +8)\nr4 = *(u64 *)(r1 +16)\nr0 = *(u32 *)(r2 +0)\nr0 += r3\nr0 += r4\n*(u32 *)(r2 +0) = r0\nexit", kChange);
  ASSERT_GT(program, 0) << bpf().log();
  TrialState state{40, {1, 2, 3}};
  std::uint64_t args[] = {reinterpret_cast<std::uintptr_t>(&state), 3, 0xff};  // the last one: -1, as it is declared
  uapi::bpf_attr attr = attr_of(program);
  set_ctx(attr, args);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 42u);
  EXPECT_EQ(state.value, 42);
  EXPECT_EQ(state.parts[2], 3u);

  EXPECT_EQ(with(attr, [](auto& t) { t.ctx_size_in = 16; }), -EINVAL);
  EXPECT_EQ(with(attr, [](auto& t) { t.ctx_in = t.ctx_size_in = 0; }), -EINVAL);
  EXPECT_EQ(with(attr, [](auto& t) { t.flags = 1; }), -EINVAL);
  EXPECT_EQ(with(attr, [](auto& t) { t.ctx_in = 8; }), -EFAULT);
  args[0] = 0;
  EXPECT_EQ(run(attr), -EINVAL) << "null for what is never null";
  args[0] = 8;
  EXPECT_EQ(run(attr), -EFAULT);
}

TEST_F(TestRunMembers, A_38_NullableArgumentsMayBeNull) {
  const long program = member("r2 = *(u64 *)(r1 +0)\nr0 = 7\nif r2 == 0 goto out\nr0 = *(u32 *)(r2 +0)\nout:\nexit", kMaybe);
  ASSERT_GT(program, 0) << bpf().log();
  std::uint64_t args[] = {0};
  uapi::bpf_attr attr = attr_of(program);
  set_ctx(attr, args);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 7u);
  TrialState state{9, {}};
  args[0] = reinterpret_cast<std::uintptr_t>(&state);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 9u);
  // By the host, on its own memory.
  const auto by_host = runtime_->test_run(bpf().prog_info(program).id, {.ctx = args, .ctx_bytes = sizeof args});
  ASSERT_TRUE(by_host.ok());
  EXPECT_EQ(by_host->retval, 9u);
}

TEST_F(TestRunMembers, A_38_WhatNoClientCanMakeUp) {
  std::uint64_t words[2] = {};
  const auto answer = [&](long program, std::uint64_t first) {
    EXPECT_GT(program, 0) << bpf().log();
    std::uint64_t args[] = {first};
    uapi::bpf_attr attr = attr_of(program);
    set_ctx(attr, args);
    return run(attr);
  };
  log_.take();
  EXPECT_EQ(answer(member("r0 = 0\nexit", kWalk), reinterpret_cast<std::uintptr_t>(words)), -EOPNOTSUPP) << "a pointer inside";
  EXPECT_EQ(answer(member("r0 = 0\nexit", kRest), reinterpret_cast<std::uintptr_t>(words)), -EOPNOTSUPP) << "an end nobody knows";
  EXPECT_NE(log_.take().find("no client can make up"), std::string::npos);
  EXPECT_EQ(answer(member("r0 = 0\nexit", kMake), 1), -EOPNOTSUPP) << "a reference comes out";
  const long either = member("r1 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r1 +0)\nexit", kEither);
  EXPECT_EQ(answer(either, 8), -EFAULT) << "a union is the client's too, never an address of the host's";
  EXPECT_EQ(answer(either, reinterpret_cast<std::uintptr_t>(words)), 0);
  const long nothing = member("r0 = 5\nexit", kNothing);
  uapi::bpf_attr attr = attr_of(nothing);
  ASSERT_EQ(run(attr), 0);
  EXPECT_EQ(attr.test.retval, 0u) << "void";
}

}  // namespace
}  // namespace ring3::test
