#include "isa/assemble.h"

#include <gtest/gtest.h>

#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/row_samples.h"

namespace ring3::isa {
namespace {

std::vector<RawInsn> assembled(std::string_view text, const Symbols* symbols = nullptr) {
  AssembleError error;
  auto out = assemble(text, &error, symbols);
  EXPECT_TRUE(out.ok()) << error.line << ": " << error.message << "\n" << text;
  return out.ok() ? out.value() : std::vector<RawInsn>{};
}

std::string complaint_of(std::string_view text) {
  AssembleError error;
  EXPECT_FALSE(assemble(text, &error).ok()) << text;
  return std::to_string(error.line) + ": " + error.message;
}

std::string without_code(const std::string& text) { return text.substr(5); }

TEST(AssembleTest, IsTheInverseOfTheDisassemblerOnEveryRow) {
  for (const Sample& sample : row_samples()) {
    const std::string text = disassemble(decode(sample.slots).value()[0]);
    // An upper half that the text of a function reference does not show.
    if (kRows[sample.row].text == std::string_view("{D} = subprog[{p}]") && sample.slots[1].imm != 0) continue;
    EXPECT_EQ(assembled(text), sample.slots) << text;
    EXPECT_EQ(assembled("12: " + text + " ; note"), sample.slots) << text;
    EXPECT_EQ(assembled(without_code(text)), sample.slots) << text;
  }
}

TEST(AssembleTest, AssemblyTextSaysEverything) {
  std::vector<RawInsn> all;
  for (const Sample& sample : row_samples()) {
    all.insert(all.end(), sample.slots.begin(), sample.slots.end());
    if (all.size() < 2000) continue;
    EXPECT_EQ(assembled(assembly_text(all)), all);
    all.clear();
  }
  const std::vector<RawInsn> odd{{0xff, 1, 2, 3, 4}, {0x18, 1, 9, 0, 0}, {0x95, 0, 0, 7, 0}, {0x18, 0, 0, 0, 0}};
  EXPECT_EQ(assembled(assembly_text(odd)), odd);
  EXPECT_EQ(assembly_text(odd).substr(0, 16), ".raw ff 1 2 3 4\n");
}

TEST(AssembleTest, ResolvesLabelsAcrossWideImmediates) {
  const auto program = assembled(R"(
    start:
      r1 = 0x123456789 ll     # two slots
      if r1 == 0 goto out
      if w1 > 7 goto start
      goto out
    out: r0 = 1
      call sub
      exit
    sub:
      exit
  )");
  const std::vector<RawInsn> expected{{0x18, 1, 0, 0, 0x23456789}, {0, 0, 0, 0, 1}, {0x15, 1, 0, 2, 0},
                                      {0x26, 1, 0, -4, 7}, {0x05, 0, 0, 0, 0}, {0xb7, 0, 0, 0, 1},
                                      {0x85, 0, 1, 0, 1}, {0x95, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}};
  EXPECT_EQ(program, expected);
}

TEST(AssembleTest, ReadsLooseSpacing) {
  EXPECT_EQ(assembled("r1=*(u32*)(r2+4)"), assembled("r1 = *(u32 *)(r2 +4)"));
  EXPECT_EQ(assembled("lock*(u64*)(r1-8)+=r2"), assembled("lock *(u64 *)(r1 -8) += r2"));
  EXPECT_EQ(assembled("r1 += 0xffffffff"), assembled("r1 += -1"));
  EXPECT_EQ(assembled("(b7) r1 = 0x10"), assembled("r1 = 16"));
}

TEST(AssembleTest, KnowsHelpersByNameAndNumber) {
  EXPECT_EQ(assembled("call bpf_ktime_get_ns"), assembled("call 5"));
  EXPECT_EQ(assembled("call ktime_get_ns#5"), assembled("call unknown#5"));
  EXPECT_EQ(complaint_of("call bpf_ktime_get_ns#6"), "1: helper name and number disagree: call bpf_ktime_get_ns#6");
}

class FakeSymbols final : public Symbols {
 public:
  bool kfunc(std::string_view name, std::int32_t& id, std::int16_t& off) const override {
    id = 77;
    off = 2;
    return name == "obj_get";
  }
  bool map(std::string_view name, std::int32_t& fd) const override {
    fd = 9;
    return name == "counts";
  }
};

TEST(AssembleTest, AsksForOtherNames) {
  FakeSymbols symbols;
  EXPECT_EQ(assembled("call obj_get#5", &symbols), (std::vector<RawInsn>{{0x85, 0, 2, 2, 77}}));
  EXPECT_EQ(assembled("r1 = map[name:counts]", &symbols), (std::vector<RawInsn>{{0x18, 1, 1, 0, 9}, {0, 0, 0, 0, 0}}));
  EXPECT_EQ(assembled("r1 = map[name:counts][0]+8", &symbols),
            (std::vector<RawInsn>{{0x18, 1, 2, 0, 9}, {0, 0, 0, 0, 8}}));
}

TEST(AssembleTest, SaysWhatItCannotRead) {
  EXPECT_EQ(complaint_of("r0 = 0\nr0 =+ 1 2"), "2: no such instruction: r0 =+ 1 2");
  EXPECT_EQ(complaint_of("r11 = 0"), "1: no such instruction: r11 = 0");
  EXPECT_EQ(complaint_of("goto nowhere"), "1: no such instruction: goto nowhere");
  EXPECT_EQ(complaint_of("r1 += 0x100000000"), "1: immediate does not fit in 32 bits: r1 += 0x100000000");
  EXPECT_EQ(complaint_of("r1 = *(u8 *)(r2 +40000)"), "1: offset does not fit in 16 bits: r1 = *(u8 *)(r2 +40000)");
  EXPECT_EQ(complaint_of("a: exit\na: exit"), "2: label a stands twice");
  EXPECT_EQ(complaint_of("(zz) exit"), "1: an opcode byte is two hexadecimal digits in parentheses");
  EXPECT_EQ(complaint_of("(05) exit"), "1: no such instruction: exit");
  EXPECT_EQ(complaint_of(".raw 07 16 0 0 0"), "1: .raw takes code (hex), dst, src, off, imm: .raw 07 16 0 0 0");
  EXPECT_EQ(complaint_of("r1 = map[name:none]"), "1: no map none: r1 = map[name:none]");
  EXPECT_EQ(complaint_of(" ; nothing"), "1: no instructions");
}

}  // namespace
}  // namespace ring3::isa
