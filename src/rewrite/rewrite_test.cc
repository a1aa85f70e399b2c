#include "rewrite/rewrite.h"

#include <gtest/gtest.h>

#include "model/ctx_layout.h"
#include "rewrite/packet_record.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

Insn mov(std::uint8_t dst, std::int64_t imm) { return {.op = Op::kMov, .bits = 64, .dst = dst, .imm = imm}; }
Insn add(std::uint8_t dst, std::int64_t imm) { return {.op = Op::kAdd, .bits = 64, .dst = dst, .imm = imm}; }
Insn jump(std::int32_t by) { return {.op = Op::kJa, .bits = 64, .jump = by}; }
Insn jeq(std::uint8_t dst, std::int64_t imm, std::int32_t by) {
  return {.op = Op::kJeq, .bits = 64, .dst = dst, .jump = by, .imm = imm};
}
Insn helper(std::uint32_t id) { return {.op = Op::kCallHelper, .bits = 64, .imm = id}; }
Insn kfunc() { return {.op = Op::kCallKfunc, .bits = 64, .imm = 777}; }
Insn call(std::int32_t by) { return {.op = Op::kCallSubprog, .bits = 64, .jump = by}; }
Insn func(std::uint8_t dst, std::int32_t by) {
  return {.op = Op::kLdImm64, .bits = 64, .dst = dst, .src = static_cast<std::uint8_t>(isa::Pseudo::kFunc), .imm = by};
}
Insn high() { return {.op = Op::kLdImm64Hi, .bits = 64}; }
Insn load(std::uint8_t dst, std::uint8_t src, std::int16_t off) {
  return {.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = dst, .src = src, .off = off};
}
Insn exit() { return {.op = Op::kExit, .bits = 64}; }

std::uint64_t five(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, exec::RunContext&) {
  return 5;
}
const HelperCall* find_test_helper(std::uint32_t id) {
  static const HelperCall kTime{uapi::BPF_FUNC_ktime_get_ns, "ktime_get_ns", five};
  static const HelperCall kRandom{uapi::BPF_FUNC_get_prandom_u32, "get_prandom_u32", five};
  return id == kTime.id ? &kTime : id == kRandom.id ? &kRandom : nullptr;
}

class Sink final : public verifier::LogSink {
 public:
  void write(std::string_view text) override { log.append(text); }
  std::string log;
};

class RewriteTest : public ::testing::Test {
 protected:
  /// A program the verifier walked whole, one subprogram.
  void program(std::vector<Insn> insns) {
    insns_ = std::move(insns);
    verified_.insns.assign(insns_.size(), {});
    for (auto& f : verified_.insns) f.reachable = true;
    verified_.subprogs = {{.start_idx = 0, .end_idx = static_cast<std::uint32_t>(insns_.size()), .stack_bytes = 16}};
  }
  void dead(std::initializer_list<std::uint32_t> idxs) {
    for (const std::uint32_t idx : idxs) verified_.insns[idx].reachable = false;
  }
  Result<XlatedProgram> run() {
    verifier::ProgramInput input;
    input.target = target_;
    input.rights = model::Rights::all();
    input.insns = insns_;
    return rewrite({.program = input, .verified = verified_, .facts = facts_, .maps = {}, .find_helper = find_test_helper},
                   sink_);
  }

  std::vector<Insn> insns_;
  verifier::VerifiedProgram verified_;
  model::Facts facts_;
  model::AttachTarget target_;
  Sink sink_;
};

TEST_F(RewriteTest, LiveProgramStaysAsItIs) {
  program({mov(0, 1), jeq(1, 0, 1), add(0, 1), exit()});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 4u);
  EXPECT_EQ(x.insns[1].jump, 1);
  EXPECT_EQ(x.original_idx, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  ASSERT_EQ(x.subprogs.size(), 1u);
  EXPECT_EQ(x.subprogs[0].end_idx, 4u);
  EXPECT_EQ(x.subprogs[0].stack_bytes, 16u);
}

TEST_F(RewriteTest, BranchWithDeadTargetGoes) {
  program({mov(0, 1), jeq(0, 2, 2), mov(0, 3), exit(), mov(0, 4), exit()});
  dead({4, 5});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 3u);
  EXPECT_EQ(x.insns[1].imm, 3);
  EXPECT_EQ(x.original_idx, (std::vector<std::uint32_t>{0, 2, 3}));
}

TEST_F(RewriteTest, BranchWithDeadFallThroughBecomesNothing) {
  program({mov(0, 1), jeq(0, 1, 2), mov(0, 3), exit(), mov(0, 4), exit()});
  dead({2, 3});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 3u);
  EXPECT_EQ(x.insns[1].imm, 4);
}

TEST_F(RewriteTest, BranchWithDeadFallThroughBecomesJumpOverLiveCode) {
  program({jeq(1, 0, 2), jeq(0, 1, 2), mov(0, 9), mov(0, 3), exit()});
  dead({2});  // 1 always jumps to 4; 0 goes to 1 or to 3
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 4u);
  EXPECT_EQ(x.insns[1].op, Op::kJa);
  EXPECT_EQ(x.insns[1].jump, 1);
  EXPECT_EQ(x.insns[0].jump, 1);
}

TEST_F(RewriteTest, EmptyJumpsGo) {
  program({jump(1), jump(0), jump(0), mov(0, 0), exit()});
  dead({1});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 2u);
  EXPECT_EQ(x.insns[0].op, Op::kMov);
}

TEST_F(RewriteTest, BackwardJumpKeepsItsTarget) {
  program({mov(0, 0), jump(0), add(0, 1), jeq(0, 8, 1), jump(-3), exit()});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 5u);
  EXPECT_EQ(x.insns[3].op, Op::kJa);
  EXPECT_EQ(x.insns[3].jump, -3);  // to the add
}

TEST_F(RewriteTest, FunctionThatEndsInACallThatNeverReturnsGetsAnEnd) {
  program({Insn{.op = Op::kCallSubprog, .bits = 64, .jump = 2}, mov(0, 0), exit(), mov(0, 1), exit()});
  verified_.subprogs = {{.start_idx = 0, .end_idx = 3}, {.start_idx = 3, .end_idx = 5}};
  dead({1, 2});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 4u);
  EXPECT_EQ(x.insns[1].op, Op::kExit);
  EXPECT_EQ(x.insns[0].jump, 1);
  EXPECT_EQ(x.subprogs[1].start_idx, 2u);
}

TEST_F(RewriteTest, MembersMayHaveCodeAroundTheirPrograms) {
  model::StructOpsType ops;
  ops.members = {{.name = "first", .prologue = {mov(6, 1)}, .epilogue = {add(0, 5), exit()}}};
  target_ = {.kind = model::AttachTarget::Kind::kStructOpsMember, .ops = &ops};
  program({jeq(1, 0, 2), mov(0, 1), exit(), mov(0, 2), jeq(0, 9, -5), exit()});
  const XlatedProgram x = run().value();
  // prologue, context kept | if, mov, context, add, exit | mov, if, jump to the epilogue
  ASSERT_EQ(x.insns.size(), 10u);
  EXPECT_EQ(x.insns[0].dst, 6);
  EXPECT_EQ(x.insns[1].op, Op::kStore);
  EXPECT_EQ(x.insns[1].off, -24) << "below what the program uses";
  EXPECT_EQ(x.insns[2].jump, 4);
  EXPECT_EQ(x.insns[4].off, -24);
  EXPECT_EQ(x.insns[8].jump, -7) << "a jump to the start leads behind the prologue";
  EXPECT_EQ(x.insns[9].op, Op::kJa);
  EXPECT_EQ(x.insns[9].jump, -6);
  ASSERT_EQ(x.subprogs.size(), 1u);
  EXPECT_EQ(x.subprogs[0].start_idx, 0u);
  EXPECT_EQ(x.subprogs[0].stack_bytes, 24u);
  verified_.subprogs[0].stack_bytes = 512;
  EXPECT_EQ(run().error(), Errno::kInval);
}

TEST_F(RewriteTest, DeadHighHalfOfLiveWideImmediateStays) {
  program({Insn{.op = Op::kLdImm64, .bits = 64, .dst = 0, .imm = 0x1122334455667788}, high(), exit()});
  dead({1});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.insns.size(), 3u);
  EXPECT_EQ(x.insns[0].imm, 0x1122334455667788);
}

TEST_F(RewriteTest, HelpersAreNumberedOnce) {
  program({helper(uapi::BPF_FUNC_get_prandom_u32), helper(uapi::BPF_FUNC_ktime_get_ns),
           helper(uapi::BPF_FUNC_get_prandom_u32), exit()});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.helpers.size(), 2u);
  EXPECT_STREQ(x.helpers[0].name, "get_prandom_u32");
  EXPECT_EQ(x.insns[0].imm, 0);
  EXPECT_EQ(x.insns[1].imm, 1);
  EXPECT_EQ(x.insns[2].imm, 0);
}

TEST_F(RewriteTest, UnknownHelperIsRefusedByNumber) {
  program({mov(0, 0), helper(9999), exit()});
  Result<XlatedProgram> x = run();
  ASSERT_FALSE(x.ok());
  EXPECT_EQ(x.error(), Errno::kInval);
  EXPECT_EQ(sink_.log, "insn 1: helper #9999 is not provided by this host\n");
}

TEST_F(RewriteTest, UnknownHelperInDeadCodeDoesNoHarm) {
  program({mov(0, 0), exit(), helper(9999), exit()});
  dead({2, 3});
  EXPECT_TRUE(run().ok());
}

TEST_F(RewriteTest, KfuncsOnlyDeadCodeCallsAreLeftOut) {
  int here = 0;
  facts_.kfuncs.resize(2);
  facts_.kfuncs[0].name = "unresolved";
  facts_.kfuncs[1].name = "cache_touch";
  facts_.kfuncs[1].address = &here;
  program({mov(0, 0), kfunc(), exit(), kfunc(), exit()});
  verified_.kfuncs = {{.index = 0}, {.index = 1}};
  verified_.insns[1].kfunc = 1;
  verified_.insns[3].kfunc = 0;
  dead({3, 4});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.kfuncs.size(), 1u);
  EXPECT_EQ(x.kfuncs[0].address, &here);
  EXPECT_EQ(x.insns[1].imm, 0);
}

TEST_F(RewriteTest, KfuncWithoutAddressIsRefusedByName) {
  facts_.kfuncs.resize(1);
  facts_.kfuncs[0].name = "ghost";
  program({kfunc(), exit()});
  verified_.kfuncs = {{.index = 0}};
  verified_.insns[0].kfunc = 0;
  Result<XlatedProgram> x = run();
  ASSERT_FALSE(x.ok());
  EXPECT_EQ(sink_.log, "insn 0: kfunc ghost has no address\n");
}

TEST_F(RewriteTest, SubprogramsAndReferencesAreRenumbered) {
  // main: 0..5; dead function: 5..7; callback: 7..9; callee: 9..11
  program({func(2, 6), high(), call(6), mov(0, 0), exit(), mov(0, 1), exit(), mov(0, 2), exit(), mov(0, 3), exit()});
  verified_.subprogs = {{.start_idx = 0, .end_idx = 5}, {.start_idx = 5, .end_idx = 7},
                        {.start_idx = 7, .end_idx = 9}, {.start_idx = 9, .end_idx = 11}};
  dead({5, 6});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.subprogs.size(), 3u);
  EXPECT_EQ(x.insns[0].imm, 1);
  EXPECT_EQ(x.subprogs[1].start_idx, 5u);
  EXPECT_EQ(x.insns[2].imm, 2);
  EXPECT_EQ(3 + x.insns[2].jump, 7);
}

TEST_F(RewriteTest, AReferenceToAFunctionThatWentIsANumber) {
  // main: 0..4; callback that nothing calls: 4..6
  program({func(2, 3), high(), mov(0, 0), exit(), mov(0, 1), exit()});
  verified_.subprogs = {{.start_idx = 0, .end_idx = 4}, {.start_idx = 4, .end_idx = 6}};
  dead({4, 5});
  const XlatedProgram x = run().value();
  ASSERT_EQ(x.subprogs.size(), 1u);
  EXPECT_EQ(x.insns[0].pseudo(), isa::Pseudo::kImm);
  EXPECT_EQ(x.insns[0].imm, 0);
}

TEST_F(RewriteTest, UntrustedLoadsAreListed) {
  program({mov(0, 0), load(1, 1, 0), load(2, 1, 8), load(3, 2, 0), exit()});
  verified_.insns[1].access = model::AccessKind::kCtx;
  verified_.insns[2].access = model::AccessKind::kHostStruct;
  verified_.insns[3].access = model::AccessKind::kUntrusted;
  dead({0});
  const XlatedProgram x = run().value();
  EXPECT_EQ(x.faulting, (std::vector<std::uint32_t>{2}));
}

std::uint16_t ctx_row(std::string_view ctx, std::string_view field) {
  const auto rows = model::ctx_fields();
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i].ctx == ctx && rows[i].name == field) return static_cast<std::uint16_t>(i);
  return model::kNoCtxRow;
}

TEST_F(RewriteTest, PacketPointersAreLoadedWhole) {
  Insn data = load(2, 1, offsetof(uapi::xdp_md, data)), end = load(3, 1, offsetof(uapi::xdp_md, data_end)),
       number = load(0, 1, offsetof(uapi::xdp_md, rx_queue_index));
  for (Insn* insn : {&data, &end, &number}) insn->size = 4;
  program({data, end, number, exit()});
  const char* names[] = {"data", "data_end", "rx_queue_index"};
  for (std::size_t i = 0; i < 3; ++i) {
    verified_.insns[i].access = model::AccessKind::kCtx;
    verified_.insns[i].ctx_row = ctx_row("xdp_md", names[i]);
    ASSERT_NE(verified_.insns[i].ctx_row, model::kNoCtxRow) << names[i];
  }
  const XlatedProgram out = run().value();
  EXPECT_EQ(out.insns[0].size, 8);
  EXPECT_EQ(out.insns[0].off, offsetof(PacketRecord, data));
  EXPECT_EQ(out.insns[1].size, 8);
  EXPECT_EQ(out.insns[1].off, offsetof(PacketRecord, data_end));
  EXPECT_EQ(out.insns[2].size, 4) << "numbers are read in place";
  EXPECT_EQ(out.insns[2].off, offsetof(uapi::xdp_md, rx_queue_index));
}

TEST_F(RewriteTest, SocketsAreNullAndTheirFieldsZero) {
  Insn socket = load(1, 1, offsetof(uapi::__sk_buff, sk)), field = load(0, 1, 4);
  field.size = 4;
  program({socket, field, exit()});
  verified_.insns[0].access = model::AccessKind::kCtx;
  verified_.insns[0].ctx_row = ctx_row("__sk_buff", "sk");
  verified_.insns[1].access = model::AccessKind::kSocket;
  const XlatedProgram out = run().value();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(out.insns[i].op, Op::kMov);
    EXPECT_FALSE(out.insns[i].src_is_reg);
    EXPECT_EQ(out.insns[i].imm, 0);
    EXPECT_EQ(out.insns[i].dst, i == 0 ? 1 : 0);
  }
}

TEST_F(RewriteTest, ASocketThatIsPromisedIsRefused) {
  program({load(1, 1, 0), exit()});
  verified_.insns[0].access = model::AccessKind::kCtx;
  verified_.insns[0].ctx_row = ctx_row("bpf_sockopt", "sk");
  EXPECT_EQ(run().error(), Errno::kNotSupp);
}

TEST_F(RewriteTest, FunctionThatRunsOffItsEndIsRefused) {
  program({mov(0, 0), exit(), mov(0, 1)});
  dead({1, 2});
  Result<XlatedProgram> x = run();
  ASSERT_FALSE(x.ok());
  EXPECT_EQ(x.error(), Errno::kInval);
}

}  // namespace
}  // namespace ring3::rewrite
