// Global functions through verify(): what their callers must keep, by the prototype in BTF.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using btf::Builder;
using btf::Kind;
using btf::TypeId;
using testing::parsed;
using testing::TestProgram;

/// main calls the one global function with what `main` leaves in its arguments.
struct Case {
  std::uint32_t prog_type = uapi::BPF_PROG_TYPE_KPROBE;
  std::string main, callee = "r0 = 0\nexit\n";
  std::function<TypeId(Builder&)> param;  // type of the callee's only parameter
  std::vector<std::string> tags = {};     // of that parameter
  bool with_ctx = false;                  // the packet's context stands before it
};

class GlobalsTest : public ::testing::Test {
 protected:
  GlobalsTest() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8);
    b.add_struct("task_struct", 16, {{"pid", u64, 0}, {"tgid", u64, 64}});
    b.add_typedef("bpf_user_pt_regs_t", b.add_struct("pt_regs", 8, {{"ip", u64, 0}}));
    host_.facts.host_btf = parsed(b);
  }
  std::string judge(const Case& c) {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8);
    const TypeId param = c.param(b);
    const TypeId proto = c.with_ctx ? b.add_proto(u64, {{"ctx", to_struct(b, "__sk_buff", 192)}, {"a", param}}) : b.add_proto(u64, {{"a", param}});
    const TypeId callee = b.add_func("callee", proto, btf::Linkage::kGlobal);
    for (const std::string& tag : c.tags) b.add_decl_tag(tag, callee, 0);
    const TypeId main = b.add_func("main", b.add_proto(u64, {{"ctx", b.add_ptr(0)}}), btf::Linkage::kGlobal);
    const std::string head = c.main + "call callee\nr0 = 0\nexit\n";
    TestProgram program(head, &host_, "callee:\n" + c.callee);
    const std::vector<FuncInfo> info{{0, main}, {static_cast<std::uint32_t>(program.main_slots), callee}};
    program.input.prog_type = c.prog_type;
    program.input.btf = parsed(b);
    program.input.func_info = info;
    return program.judge(host_.facts);
  }
  void refused(const Case& c, std::string_view words) {
    const std::string said = judge(c);
    EXPECT_NE(said.find(words), std::string::npos) << said;
    EXPECT_NE(said.find("Caller passes invalid args into func#1 ('callee')"), std::string::npos) << said;
  }
  static TypeId to_struct(Builder& b, const char* name, std::uint32_t bytes) {
    return b.add_ptr(b.add_struct(name, bytes, {{"x", 1, 0}}));
  }
  testing::HostNames host_;
};

TEST_F(GlobalsTest, KprobesTakeTheirContextByTypedefOrByTheHostsStruct) {
  const std::string reads = "r0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n";
  EXPECT_EQ(judge({.callee = reads, .param = [](Builder& b) { return b.add_ptr(b.add_typedef("bpf_user_pt_regs_t", 1)); }}), "accepted");
  EXPECT_EQ(judge({.callee = reads, .param = [](Builder& b) { return to_struct(b, "pt_regs", 8); }}), "accepted");
  refused({.main = "r1 = r10\n", .param = [](Builder& b) { return b.add_ptr(b.add_typedef("bpf_user_pt_regs_t", 1)); }}, "expects pointer to ctx");
}

TEST_F(GlobalsTest, AContextIsMemoryOnlyToRead) {
  const auto memory = [](Builder& b) { return to_struct(b, "mine", 8); };
  // The callee may write.
  refused({.prog_type = uapi::BPF_PROG_TYPE_TRACEPOINT, .param = memory}, "invalid bpf_context access off=7 size=1");
  refused({.prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS, .param = memory}, "R1 type=ctx expected=");
}

/// r2 = eight bytes of the packet, r1 = the context.
const std::string kPacket = "r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr4 = r2\nr4 += 8\nif r4 > r3 goto +1\n";

TEST_F(GlobalsTest, WhatChangesThePacketGetsNoMemoryOfIt) {
  const auto memory = [](Builder& b) { return to_struct(b, "mine", 8); };
  const std::string looks = "r0 = 0\nif r2 == 0 goto +1\nr0 = *(u64 *)(r2 + 0)\nexit\n";
  const std::string pulls = "r6 = r2\nr2 = 64\ncall bpf_skb_pull_data\nif r6 == 0 goto +1\nr0 = *(u64 *)(r6 + 0)\nexit\n";
  const Case packet{.prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS, .main = kPacket, .callee = looks, .param = memory, .with_ctx = true};
  EXPECT_EQ(judge(packet), "accepted");
  Case changed = packet;
  changed.callee = pulls;
  refused(changed, "R2 points into the packet, which the function may change");
  changed.main = "*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -8\n";
  EXPECT_EQ(judge(changed), "accepted");
}

TEST_F(GlobalsTest, TrustedStructsAreTheHostsUnderAnyFlavour) {
  const auto task = [](Builder& b) { return to_struct(b, "task_struct___local", 8); };
  const auto trusted = std::vector<std::string>{"arg:trusted"};
  EXPECT_EQ(judge({.main = "call bpf_get_current_task_btf\nr1 = r0\n", .callee = "r0 = *(u64 *)(r1 + 8)\nexit\n", .param = task, .tags = trusted}),
            "accepted");
  refused({.main = "r1 = 0\n", .param = task, .tags = trusted}, "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_");
  refused({.main = "r1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\n", .param = task, .tags = trusted}, "R1 type=fp expected=ptr_");
}

TEST_F(GlobalsTest, ANullThatTheCalleeTestsIsReliedUpon) {
  // Two ways to one call: a null, and then some other number.
  const std::string pad = "r2 = 0\nr3 = 0\nr4 = 0\nr5 = 0\nr2 = 1\nr3 = 1\nr4 = 1\nr5 = 1\n";
  const std::string ways = "r7 = r0\nr1 = 0\nif r7 > 9 goto other\nif r7 > 8 goto call\n" + pad + "goto call\nother:\nr1 = 5\ncall:\n";
  const std::string uses = "if r1 == 0 goto +1\nr0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n";
  const Case memory{.main = "call bpf_get_prandom_u32\n" + ways, .callee = uses, .param = [](Builder& b) { return to_struct(b, "mine", 8); }};
  refused(memory, "R1 type=scalar");
  Case host = memory;
  host.param = [](Builder& b) { return to_struct(b, "task_struct___local", 8); };
  host.tags = {"arg:trusted", "arg:nullable"};
  refused(host, "R1 type=scalar");
  Case null = memory;
  null.main = "r1 = 0\n";
  EXPECT_EQ(judge(null), "accepted");
}

}  // namespace
}  // namespace ring3::verifier
