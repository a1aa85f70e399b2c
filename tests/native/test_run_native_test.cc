// BPF_PROG_TEST_RUN here and in this machine's kernel: by program type, what is asked, what is answered: errno, result, sizes, bytes. Nothing
// is attached. Where bpf(2) is not allowed: skipped. The kernel may be newer than 6.12; where that shows, a row says so.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isa/assemble.h"
#include "ring3/runtime.h"
#include "test_host_btf.h"
#include "tests/support/kernel_load.h"

namespace ring3::native {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Asked {
  Bytes data, ctx;
  std::uint32_t data_size_out = 0, ctx_size_out = 0;
  std::uint32_t data_room = 0, ctx_room = 0;  // 0: no pointer
  std::uint32_t repeat = 0, flags = 0, cpu = 0, batch_size = 0;
  std::uint32_t data_size_in = UINT32_MAX;  // UINT32_MAX: all of it
};

struct Answered {
  long error = 0;
  std::uint32_t retval = 0, data_size_out = 0, ctx_size_out = 0;
  Bytes data, ctx;

  bool operator==(const Answered&) const = default;
  std::string text() const {
    std::string out = "error " + std::to_string(error) + " retval " + std::to_string(retval) + " data " + std::to_string(data_size_out) + " ctx " +
                      std::to_string(ctx_size_out) + " [";
    char two[4];
    for (std::size_t i = 0; i < std::min<std::size_t>(data.size(), 80); ++i) std::snprintf(two, sizeof two, "%02x", data[i]), out += two;
    out += "] [";
    for (const std::uint8_t b : ctx) std::snprintf(two, sizeof two, "%02x", b), out += two;
    return out + "]";
  }
};

Answered run(const Bpf& bpf, long program, const Asked& asked) {
  Answered answer;
  answer.data.assign(asked.data_room, 0xee);
  answer.ctx.assign(asked.ctx_room, 0xee);
  uapi::bpf_attr attr = zero_attr();
  auto& test = attr.test;
  test.prog_fd = static_cast<std::uint32_t>(program);
  test.data_in = asked.data.empty() ? 0 : address_of(asked.data.data());
  test.data_size_in = asked.data_size_in == UINT32_MAX ? static_cast<std::uint32_t>(asked.data.size()) : asked.data_size_in;
  test.ctx_in = asked.ctx.empty() ? 0 : address_of(asked.ctx.data());
  test.ctx_size_in = static_cast<std::uint32_t>(asked.ctx.size());
  test.data_out = asked.data_room != 0 ? address_of(answer.data.data()) : 0;
  test.data_size_out = asked.data_size_out;
  test.ctx_out = asked.ctx_room != 0 ? address_of(answer.ctx.data()) : 0;
  test.ctx_size_out = asked.ctx_size_out;
  test.repeat = asked.repeat;
  test.flags = asked.flags;
  test.cpu = asked.cpu;
  test.batch_size = asked.batch_size;
  answer.error = bpf(uapi::BPF_PROG_TEST_RUN, &attr, sizeof attr);
  answer.retval = test.retval;
  answer.data_size_out = test.data_size_out;
  answer.ctx_size_out = test.ctx_size_out;
  return answer;
}

struct Program {
  std::uint32_t type;
  std::string text;
  std::uint32_t attach_type = 0, flags = 0;
};

long load(const Bpf& bpf, const Program& program) {
  const Result<std::vector<isa::RawInsn>> insns = isa::assemble(program.text);
  if (!insns.ok()) return -EBADMSG;
  static char log[1 << 16];
  log[0] = '\0';
  uapi::bpf_attr attr = zero_attr();
  attr.prog_type = program.type;
  attr.expected_attach_type = program.attach_type;
  attr.prog_flags = program.flags;
  attr.insn_cnt = static_cast<std::uint32_t>(insns->size());
  attr.insns = address_of(insns->data());
  attr.license = address_of("GPL");
  attr.log_level = 1;
  attr.log_buf = address_of(log);
  attr.log_size = sizeof log;
  const long fd = bpf(uapi::BPF_PROG_LOAD, &attr, sizeof attr);
  EXPECT_GE(fd, 0) << program.text << "\n" << log;
  return fd;
}

Bytes counting(std::size_t bytes) {
  Bytes out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  if (bytes > 13) out[12] = 8, out[13] = 0;  // IPv4
  return out;
}

class NativeTestRun : public testing::Test {
 protected:
  void SetUp() override {
    theirs_ = kernel_bpf();
    uapi::bpf_attr attr = zero_attr();
    if (theirs_(uapi::BPF_MAP_CREATE, &attr, sizeof attr) == -EPERM) GTEST_SKIP() << "bpf(2) does nothing here";
    runtime_ = Runtime::create({.name = "native", .btf = test_host_btf}).value();
    ours_ = [this](int cmd, void* a, std::uint32_t size) { return runtime_->bpf(cmd, a, size); };
  }
  /// Both sides' answers, of the newest program.
  void program(const Program& program) {
    for (const long fd : {our_program_, their_program_})
      if (fd >= 0) ::close(static_cast<int>(fd));
    our_program_ = load(ours_, program);
    their_program_ = load(theirs_, program);
    text_ = program.text;
  }
  void same(const std::string& what, const Asked& asked) {
    const Answered ours = run(ours_, our_program_, asked), theirs = run(theirs_, their_program_, asked);
    if (!(ours == theirs)) ADD_FAILURE() << what << ", of\n" << text_ << "\nours:   " << ours.text() << "\nkernel: " << theirs.text();
  }
  Answered our_answer(const Asked& asked) { return run(ours_, our_program_, asked); }

  std::unique_ptr<Runtime> runtime_;
  Bpf ours_, theirs_;
  long our_program_ = -1, their_program_ = -1;
  std::string text_;
};

/// All that one may ask beside the data, on one program.
void ask_variations(const std::function<void(const std::string&, const Asked&)>& ask, const Asked& base) {
  const auto with = [&](const std::string& what, auto change) {
    Asked asked = base;
    change(asked);
    ask(what, asked);
  };
  with("as it is", [](Asked&) {});
  with("nothing", [](Asked& a) { a = {}; });
  with("data out", [](Asked& a) { a.data_room = a.data_size_out = 256; });
  with("data out without a size", [](Asked& a) { a.data_room = 9000; });
  with("data out too small", [](Asked& a) { a.data_room = 256, a.data_size_out = 10; });
  with("a size without data out", [](Asked& a) { a.data_size_out = 4; });
  with("data of 13", [](Asked& a) { a.data = counting(13); });
  with("data of 14", [](Asked& a) { a.data = counting(14); });
  with("data of 20", [](Asked& a) { a.data = counting(20); });
  with("a size without data", [](Asked& a) { a.data.clear(), a.data_size_in = 64; });
  with("data of 3520", [](Asked& a) { a.data = counting(3520); });
  with("repeat", [](Asked& a) { a.repeat = 5; });
  with("cpu", [](Asked& a) { a.cpu = 1; });
  with("cpu far away", [](Asked& a) { a.cpu = 1u << 20; });
  with("batch", [](Asked& a) { a.batch_size = 1; });
  for (const std::uint32_t flags : {1u, 2u, 4u, 8u, 3u, 0x80000000u}) with("flags " + std::to_string(flags), [&](Asked& a) { a.flags = flags; });
  with("on a CPU", [](Asked& a) { a.flags = uapi::BPF_F_TEST_RUN_ON_CPU, a.cpu = 0; });
  with("on a CPU far away", [](Asked& a) { a.flags = uapi::BPF_F_TEST_RUN_ON_CPU, a.cpu = 1u << 20; });
  with("ctx with an end unknown", [](Asked& a) { a.ctx.assign(400, 0), a.ctx[399] = 1; });
  with("ctx longer than a page", [](Asked& a) { a.ctx.assign(5000, 0); });
  with("ctx of 65536", [](Asked& a) { a.ctx.assign(65536, 0); });
  with("ctx out without a size", [](Asked& a) { a.ctx_room = 300; });
  with("a size without ctx out", [](Asked& a) { a.ctx_size_out = 24; });
}

// --- XDP ---------------------------------------------------------------------------------------------------------------------------------

constexpr std::uint32_t kLive = uapi::BPF_F_TEST_XDP_LIVE_FRAMES, kFrags = uapi::BPF_F_XDP_HAS_FRAGS;

Bytes xdp_md(std::uint32_t data, std::uint32_t data_end, std::uint32_t meta = 0, std::uint32_t ingress = 0, std::uint32_t queue = 0, std::uint32_t egress = 0) {
  const std::uint32_t words[] = {data, data_end, meta, ingress, queue, egress};
  Bytes out(sizeof words);
  std::memcpy(out.data(), words, sizeof words);
  return out;
}

Program xdp(std::string text, std::uint32_t flags = 0, std::uint32_t attach_type = 0) { return {uapi::BPF_PROG_TYPE_XDP, std::move(text), attach_type, flags}; }
const std::string kLength = "call bpf_xdp_get_buff_len\nexit";
const std::string kFirstBuffer = "r2 = *(u32 *)(r1 +0)\nr0 = *(u32 *)(r1 +4)\nr0 -= r2\nexit";
std::string moves(const std::string& helper, int by) { return "r2 = " + std::to_string(by) + "\ncall " + helper + "\nexit"; }

TEST_F(NativeTestRun, XdpTakesWhatLinuxTakes) {
  program(xdp("r0 = 2\nexit"));
  const auto ask = [&](const std::string& what, const Asked& asked) { same(what, asked); };
  ask_variations(ask, {.data = counting(64)});
  ask_variations(ask, {.data = counting(64), .flags = kLive});
  for (const std::uint32_t attach : {std::uint32_t{uapi::BPF_XDP_DEVMAP}, std::uint32_t{uapi::BPF_XDP_CPUMAP}, std::uint32_t{uapi::BPF_XDP}}) {
    program(xdp("r0 = 2\nexit", 0, attach));
    same("attach type " + std::to_string(attach), {.data = counting(64)});
  }
}

TEST_F(NativeTestRun, XdpFramesOfEverySize) {
  for (const std::uint32_t flags : {0u, kFrags})
    for (const std::string& text : {kLength, kFirstBuffer}) {
      program(xdp(text, flags));
      for (const std::size_t bytes : {13u, 14u, 64u, 3520u, 3521u, 4096u, 9000u, 3520u + 17u * 4096u, 3521u + 17u * 4096u, (1u << 20) + 1})
        same("data of " + std::to_string(bytes), {.data = counting(bytes), .data_room = static_cast<std::uint32_t>(bytes)});
      same("with metadata", {.data = counting(9000), .ctx = xdp_md(8, 9000), .ctx_size_out = 24, .data_room = 9000, .ctx_room = 24});
      same("with metadata, just one buffer", {.data = counting(3528), .ctx = xdp_md(8, 3528), .ctx_size_out = 24, .data_room = 9000, .ctx_room = 24});
    }
}

TEST_F(NativeTestRun, XdpContexts) {
  program(xdp(kFirstBuffer));
  const auto with = [&](const Bytes& ctx, std::size_t bytes = 64) {
    same("a context", {.data = counting(bytes), .ctx = ctx, .ctx_size_out = 24, .data_room = 512, .ctx_room = 24});
    same("a context, live", {.data = counting(bytes), .ctx = ctx, .flags = kLive});
  };
  for (const std::uint32_t data : {0u, 3u, 4u, 60u, 64u, 68u}) with(xdp_md(data, 64));
  with(xdp_md(252, 300), 300);
  with(xdp_md(256, 300), 300);
  with(xdp_md(0, 65));
  with(xdp_md(0, 64, 1));
  with(xdp_md(0, 64, 0, 1));
  with(xdp_md(0, 64, 0, 1, 1));
  with(xdp_md(0, 64, 0, 0, 1));
  with(xdp_md(0, 64, 0, 1u << 30));
  with(xdp_md(0, 64, 0, 0, 0, 1));
  Bytes longer = xdp_md(0, 64);
  longer.resize(40);
  with(longer);
  longer[39] = 1;
  with(longer);
  longer.resize(8);
  with(longer);
}

TEST_F(NativeTestRun, SocketBuffersAreOnePiece) {
  program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r0 = 0\nexit"});
  EXPECT_EQ(our_answer({.data = counting(3520)}).error, 0);
  EXPECT_EQ(our_answer({.data = counting(3521)}).error, -EINVAL) << "newer kernels make fragments";
}

/// Since 6.18 data_end may be less than the frame: the first buffer ends there. In 6.12 it is the frame's.
TEST_F(NativeTestRun, XdpContextsEndWithTheFrame) {
  program(xdp(kFirstBuffer));
  EXPECT_EQ(our_answer({.data = counting(64), .ctx = xdp_md(0, 63)}).error, -EINVAL);
  EXPECT_EQ(our_answer({.data = counting(64), .ctx_size_out = 24, .ctx_room = 24}).error, -EINVAL) << "an empty context has another end";
}

TEST_F(NativeTestRun, XdpEndsMove) {
  for (const int by : {-216, -217, -256, 0, 50, 51, INT32_MIN}) {
    program(xdp(moves("bpf_xdp_adjust_head", by)));
    same("head", {.data = counting(64), .data_room = 512});
    same("head, with metadata", {.data = counting(64), .ctx = xdp_md(8, 64), .ctx_size_out = 24, .data_room = 512, .ctx_room = 24});
    same("head, large", {.data = counting(9000), .data_room = 9500});
  }
  for (const int by : {-4, -216, -217, -220, -256, 4, -3, 0}) {
    program(xdp(moves("bpf_xdp_adjust_meta", by)));
    same("metadata", {.data = counting(64), .data_room = 512});
    same("metadata of a client", {.data = counting(364), .ctx = xdp_md(252, 364), .ctx_size_out = 24, .data_room = 1024, .ctx_room = 24});
  }
  for (const std::uint32_t flags : {0u, kFrags})
    for (const int by : {1, 2, 3456, 3457, -50, -51, 2712, 2713, 4095, 4096, -1, -100, -1384, -1385, -5479, -5480, -5481, -8986, -8987, INT32_MAX}) {
      program(xdp(moves("bpf_xdp_adjust_tail", by), flags));
      for (const std::size_t bytes : {64u, 3520u, 3521u, 7616u, 9000u})
        same("tail of " + std::to_string(bytes), {.data = counting(bytes), .data_room = 16000});
    }
}

TEST_F(NativeTestRun, XdpBytesAcrossBuffers) {
  const std::string buffer = "r3 = r10\nr3 += -64\nr6 = 0x61626364\n*(u64 *)(r3 +0) = r6\n*(u64 *)(r3 +8) = r6\n";
  const auto at = [](std::int64_t off, int bytes) { return "r2 = " + std::to_string(off) + "\nr4 = " + std::to_string(bytes) + "\n"; };
  for (const auto& [off, bytes] : std::vector<std::pair<std::int64_t, int>>{
           {0, 8}, {3516, 8}, {3519, 8}, {3520, 8}, {7612, 8}, {7616, 8}, {8992, 8}, {8993, 8}, {8999, 1}, {9000, 1}, {65535, 1}, {65536, 1}, {-1, 8}}) {
    const Asked large{.data = counting(9000), .data_room = 9000};
    program(xdp(buffer + at(off, bytes) + "call bpf_xdp_load_bytes\nif r0 != 0 goto out\nr0 = *(u64 *)(r10 -64)\nout:\nexit", kFrags));
    same("load", large);
    program(xdp(buffer + at(off, bytes) + "call bpf_xdp_store_bytes\nexit", kFrags));
    same("store", large);
  }
}

TEST_F(NativeTestRun, XdpRedirects) {
  for (const char* arguments : {"r1 = 1\nr2 = 0\n", "r1 = 1\nr2 = 1\n", "r1 = 9999\nr2 = 0\n"}) {
    program(xdp(std::string(arguments) + "call bpf_redirect\nexit"));
    same("redirect", {.data = counting(64)});
  }
}

/// As much as there is room for comes out, from the start of the frame. (Up to 6.18 at least, Linux takes what fragments hold off the first
/// buffer instead when there is too little room, and writes no sizes when that leaves nothing.)
TEST_F(NativeTestRun, XdpFramesAreCutAtTheirEnd) {
  program(xdp("r0 = 2\nexit", kFrags));
  const Bytes data = counting(9000);
  for (const std::uint32_t room : {9000u, 8999u, 6000u, 3520u, 100u}) {
    const Answered answer = our_answer({.data = data, .data_size_out = room, .data_room = 9000});
    EXPECT_EQ(answer.error, room == 9000 ? 0 : -ENOSPC);
    EXPECT_EQ(answer.data_size_out, 9000u);
    EXPECT_TRUE(std::equal(data.begin(), data.begin() + room, answer.data.begin()));
    EXPECT_TRUE(room == 9000 || answer.data[room] == 0xee);
  }
}

TEST_F(NativeTestRun, LiveFrames) {
  // No action that would give the machine's own network a frame.
  for (const char* action : {"0", "1", "77"}) {
    program(xdp("r0 = " + std::string(action) + "\nexit"));
    for (const std::size_t bytes : {13u, 14u, 64u, 3408u, 3409u, 3520u, 3521u})
      same("live, of " + std::to_string(bytes), {.data = counting(bytes), .flags = kLive});
    same("batch of 256", {.data = counting(64), .repeat = 7, .flags = kLive, .batch_size = 256});
    same("batch of 257", {.data = counting(64), .flags = kLive, .batch_size = 257});
    same("a thousand", {.data = counting(64), .repeat = 1000, .flags = kLive});
    same("data out", {.data = counting(64), .data_size_out = 64, .data_room = 64, .flags = kLive});
    same("data out, too small", {.data = counting(64), .data_size_out = 10, .data_room = 64, .flags = kLive});
    same("data out with a context", {.data = counting(64), .ctx = xdp_md(0, 64), .data_size_out = 64, .data_room = 64, .flags = kLive});
    same("context out", {.data = counting(64), .ctx = xdp_md(0, 64), .ctx_size_out = 24, .ctx_room = 24, .flags = kLive});
    same("ingress", {.data = counting(64), .ctx = xdp_md(4, 64, 0, 1), .flags = kLive});
  }
}

// --- the others --------------------------------------------------------------------------------------------------------------------------

TEST_F(NativeTestRun, PacketsOfEveryKind) {
  for (const std::uint32_t type : {std::uint32_t{uapi::BPF_PROG_TYPE_SOCKET_FILTER}, std::uint32_t{uapi::BPF_PROG_TYPE_SCHED_CLS}, std::uint32_t{uapi::BPF_PROG_TYPE_SCHED_ACT},
                                   std::uint32_t{uapi::BPF_PROG_TYPE_LWT_IN}, std::uint32_t{uapi::BPF_PROG_TYPE_LWT_OUT}, std::uint32_t{uapi::BPF_PROG_TYPE_LWT_XMIT},
                                   std::uint32_t{uapi::BPF_PROG_TYPE_CGROUP_SKB}}) {
    // What a control group's program answers is yes or no.
    program({type, type == uapi::BPF_PROG_TYPE_CGROUP_SKB ? "r0 = 1\nexit" : "r0 = *(u32 *)(r1 +0)\nexit"});
    SCOPED_TRACE("type " + std::to_string(type));
    ask_variations([&](const std::string& what, const Asked& asked) { same(what, asked); }, {.data = counting(64)});
  }
}

TEST_F(NativeTestRun, FieldsOfSocketBuffers) {
  program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r0 = 0\nexit"});
  for (std::size_t off = 0; off < 192; ++off)
    for (const std::uint8_t value : {std::uint8_t{1}, std::uint8_t{2}}) {
      Bytes ctx(192);
      if (off == 40 && value != 1) continue;  // a device of the machine's
      ctx[off] = value;
      same("byte " + std::to_string(off) + " = " + std::to_string(value), {.data = counting(64), .ctx = ctx, .ctx_size_out = 192, .ctx_room = 192});
    }
  for (const std::uint32_t wire : {0u, 63u, 64u, 65535u, 65536u, 65537u}) {
    Bytes ctx(192);
    std::memcpy(ctx.data() + 160, &wire, 4);
    same("wire_len " + std::to_string(wire), {.data = counting(64), .ctx = ctx, .ctx_size_out = 192, .ctx_room = 192});
  }
  for (const std::size_t bytes : {1u, 8u, 100u, 191u, 192u})
    same("ctx out", {.data = counting(64), .ctx = Bytes(bytes), .ctx_size_out = static_cast<std::uint32_t>(bytes), .ctx_room = 192});
  same("ctx out alone", {.data = counting(64), .ctx_size_out = 192, .ctx_room = 192});
}

TEST_F(NativeTestRun, ChecksumsOfSocketBuffers) {
  constexpr std::uint32_t kSummed = uapi::BPF_F_TEST_SKB_CHECKSUM_COMPLETE;
  const std::string words = "r6 = r1\nr7 = 0x1234567\n*(u64 *)(r10 -8) = r7\n";
  const auto store = [&](int off, int bytes, int flags) {
    return words + "r1 = r6\nr2 = " + std::to_string(off) + "\nr3 = r10\nr3 += -8\nr4 = " + std::to_string(bytes) + "\nr5 = " + std::to_string(flags) +
           "\ncall bpf_skb_store_bytes\nexit";
  };
  for (const std::uint32_t flags : {0u, kSummed}) {
    for (const auto& [off, bytes] : {std::pair(0, 4), {14, 4}, {15, 3}, {20, 8}, {21, 8}, {59, 5}, {12, 4}})
      for (const int store_flags : {0, 1}) {
        program({uapi::BPF_PROG_TYPE_SCHED_CLS, store(off, bytes, store_flags)});
        same("store at " + std::to_string(off), {.data = counting(64), .flags = flags});
        same("store at " + std::to_string(off) + " of an odd packet", {.data = counting(65), .flags = flags});
      }
    program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r2 = 0x10\ncall bpf_csum_update\nexit"});
    same("update", {.data = counting(64), .flags = flags});
    program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r2 = 0\ncall bpf_csum_update\nr0 = 0\nexit"});
    same("update by nothing", {.data = counting(64), .flags = flags});
    program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r2 = 0x81\nr3 = 5\ncall bpf_skb_vlan_push\nexit"});
    same("a tag", {.data = counting(64), .flags = flags});
    program({uapi::BPF_PROG_TYPE_SCHED_CLS, "r6 = r1\nr2 = 0x81\nr3 = 5\ncall bpf_skb_vlan_push\nr1 = r6\nr2 = 0x81\nr3 = 6\ncall bpf_skb_vlan_push\nexit"});
    same("two tags", {.data = counting(64), .data_room = 128, .flags = flags});
  }
}

TEST_F(NativeTestRun, ArgumentsAndLookups) {
  program({uapi::BPF_PROG_TYPE_RAW_TRACEPOINT, "r0 = *(u64 *)(r1 +8)\nexit"});
  const auto ask = [&](const std::string& what, const Asked& asked) { same(what, asked); };
  for (const std::size_t bytes : {8u, 16u, 96u, 104u}) ask_variations(ask, {.ctx = Bytes(bytes, 3)});
  program({uapi::BPF_PROG_TYPE_SYSCALL, "r0 = *(u64 *)(r1 +8)\n*(u64 *)(r1 +0) = r0\nexit", 0, uapi::BPF_F_SLEEPABLE});
  for (const std::size_t bytes : {8u, 16u, 96u}) ask_variations(ask, {.ctx = Bytes(bytes, 3)});
  program({uapi::BPF_PROG_TYPE_SK_LOOKUP, "r0 = 1\nexit", uapi::BPF_SK_LOOKUP});
  Bytes lookup(72);
  lookup[8] = 2;
  ask_variations(ask, {.ctx = lookup});
  ask_variations(ask, {.ctx = lookup, .ctx_size_out = 72, .ctx_room = 72});
  program({uapi::BPF_PROG_TYPE_FLOW_DISSECTOR, "r0 = 0\nexit"});
  ask_variations(ask, {.data = counting(64)});
  ask_variations(ask, {.data = counting(64), .ctx = Bytes(56), .data_size_out = 56, .data_room = 56});
}

TEST_F(NativeTestRun, TypesWithoutARun) {
  const struct {
    std::uint32_t type, attach_type;
  } rows[] = {{uapi::BPF_PROG_TYPE_KPROBE, 0},     {uapi::BPF_PROG_TYPE_TRACEPOINT, 0}, {uapi::BPF_PROG_TYPE_PERF_EVENT, 0}, {uapi::BPF_PROG_TYPE_SOCK_OPS, 0},
              {uapi::BPF_PROG_TYPE_SK_SKB, 0},     {uapi::BPF_PROG_TYPE_SK_MSG, 0},     {uapi::BPF_PROG_TYPE_LWT_SEG6LOCAL, 0}, {uapi::BPF_PROG_TYPE_SK_REUSEPORT, 0},
              {uapi::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0}};
  for (const auto& row : rows) {
    program({row.type, "r0 = 1\nexit", row.attach_type});
    same("type " + std::to_string(row.type), {.data = counting(64)});
    same("type " + std::to_string(row.type), {.ctx = Bytes(8)});
  }
}

}  // namespace
}  // namespace ring3::native
