#include "isa/disassemble.h"

#include <gtest/gtest.h>

#include "isa/decode.h"

namespace ring3::isa {
namespace {

std::string text_of(unsigned code, unsigned dst = 0, unsigned src = 0, int off = 0, int imm = 0, int high = 0) {
  std::vector<RawInsn> program{{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(dst & 15),
                                static_cast<std::uint8_t>(src & 15), static_cast<std::int16_t>(off), imm}};
  if (code == 0x18) program.push_back({0, 0, 0, 0, high});
  auto insns = decode(program);
  return insns.ok() ? disassemble(insns.value()[0]) : "undecodable";
}

TEST(DisassembleTest, PrintsArithmeticAsTheKernelLog) {
  EXPECT_EQ(text_of(0xb7, 1), "(b7) r1 = 0");
  EXPECT_EQ(text_of(0xbf, 1, 10), "(bf) r1 = r10");
  EXPECT_EQ(text_of(0x07, 2, 0, 0, -4), "(07) r2 += -4");
  EXPECT_EQ(text_of(0xb4, 0, 0, 0, -1), "(b4) w0 = -1");
  EXPECT_EQ(text_of(0x0c, 1, 2), "(0c) w1 += w2");
  EXPECT_EQ(text_of(0xcf, 1, 2), "(cf) r1 s>>= r2");
  EXPECT_EQ(text_of(0x37, 1, 0, 1, 3), "(37) r1 s/= 3");
  EXPECT_EQ(text_of(0x9c, 1, 2, 1), "(9c) w1 s%= w2");
  EXPECT_EQ(text_of(0x84, 3), "(84) w3 = -w3");
  EXPECT_EQ(text_of(0xbf, 1, 2, 8), "(bf) r1 = (s8)r2");
  EXPECT_EQ(text_of(0xbc, 1, 2, 16), "(bc) w1 = (s16)w2");
  EXPECT_EQ(text_of(0xdc, 1, 0, 0, 16), "(dc) r1 = be16 r1");
  EXPECT_EQ(text_of(0xd4, 1, 0, 0, 64), "(d4) r1 = le64 r1");
  EXPECT_EQ(text_of(0xd7, 1, 0, 0, 16), "(d7) r1 = bswap16 r1");
  EXPECT_EQ(text_of(0xbf, 1, 2, 1, 1), "(bf) r1 = addr_space_cast(r2, 0, 1)");
}

TEST(DisassembleTest, PrintsMemoryAsTheKernelLog) {
  EXPECT_EQ(text_of(0x61, 1, 1), "(61) r1 = *(u32 *)(r1 +0)");
  EXPECT_EQ(text_of(0x99, 1, 2, -4), "undecodable");
  EXPECT_EQ(text_of(0x81, 1, 2, -4), "(81) r1 = *(s32 *)(r2 -4)");
  EXPECT_EQ(text_of(0x7b, 10, 1, -8), "(7b) *(u64 *)(r10 -8) = r1");
  EXPECT_EQ(text_of(0x62, 10, 0, -4, 7), "(62) *(u32 *)(r10 -4) = 7");
  EXPECT_EQ(text_of(0xdb, 10, 0, -8, 1), "(db) r0 = atomic64_fetch_add((u64 *)(r10 -8), r0)");
  EXPECT_EQ(text_of(0xc3, 1, 2), "(c3) lock *(u32 *)(r1 +0) += r2");
  EXPECT_EQ(text_of(0xdb, 1, 2, 0, 0xe1), "(db) r2 = atomic64_xchg((u64 *)(r1 +0), r2)");
  EXPECT_EQ(text_of(0xc3, 1, 2, 0, 0xf1), "(c3) r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)");
  EXPECT_EQ(text_of(0x18, 1, 0, 0, -1, -1), "(18) r1 = 0xffffffffffffffff");
  EXPECT_EQ(text_of(0x18, 1, 2, 0, 3, 16), "(18) r1 = map[fd:3][0]+16");
  EXPECT_EQ(text_of(0x18, 1, 4, 0, 5), "(18) r1 = subprog[+5]");
  EXPECT_EQ(text_of(0x28, 0, 0, 0, 12), "(28) r0 = *(u16 *)skb[12]");
  EXPECT_EQ(text_of(0x50, 0, 7, 0, 3), "(50) r0 = *(u8 *)skb[r7 + 3]");
}

TEST(DisassembleTest, PrintsFlowAsTheKernelLog) {
  EXPECT_EQ(text_of(0x15, 0, 0, 1), "(15) if r0 == 0x0 goto pc+1");
  EXPECT_EQ(text_of(0xa6, 3, 0, -2, -1), "(a6) if w3 < 0xffffffff goto pc-2");
  EXPECT_EQ(text_of(0x6d, 1, 2, 0), "(6d) if r1 s> r2 goto pc+0");
  EXPECT_EQ(text_of(0x45, 1, 0, 2, 1), "(45) if r1 & 0x1 goto pc+2");
  EXPECT_EQ(text_of(0x05, 0, 0, 3), "(05) goto pc+3");
  EXPECT_EQ(text_of(0x06, 0, 0, 0, -70000), "(06) gotol pc-70000");
  EXPECT_EQ(text_of(0xe5, 0, 0, 1), "(e5) may_goto pc+1");
  EXPECT_EQ(text_of(0x85, 0, 0, 0, 1), "(85) call bpf_map_lookup_elem#1");
  EXPECT_EQ(text_of(0x85, 0, 0, 0, 100000), "(85) call unknown#100000");
  EXPECT_EQ(text_of(0x85, 0, 1, 0, 7), "(85) call pc+7");
  EXPECT_EQ(text_of(0x85, 0, 2, 0, 123), "(85) call kernel-function#123");
  EXPECT_EQ(text_of(0x95), "(95) exit");
}

class Named final : public Names {
 public:
  bool call(const Insn& insn, std::string& out) const override {
    if (insn.op != Op::kCallKfunc) return false;
    out = "obj_get";
    return true;
  }
  bool immediate(const Insn& insn, std::string& out) const override {
    if (insn.pseudo() != Pseudo::kMapFd) return false;
    out = "map[id:3]";
    return true;
  }
};

TEST(DisassembleTest, TakesNamesFromTheCaller) {
  const std::vector<RawInsn> program{{0x18, 1, 1, 0, 5}, {0, 0, 0, 0, 0}, {0x85, 0, 2, 0, 9}, {0x95, 0, 0, 0, 0}};
  StringSink out;
  Named names;
  disassemble(decode(program).value(), out, &names);
  EXPECT_EQ(out.text(), "0: (18) r1 = map[id:3]\n2: (85) call obj_get#9\n3: (95) exit\n");
}

}  // namespace
}  // namespace ring3::isa
