#include "isa/reg_use.h"

#include <gtest/gtest.h>

#include "isa/decode.h"

namespace ring3::isa {
namespace {

RegUse use_of(RawInsn slot) { return reg_use(decode(std::span<const RawInsn>(&slot, 1)).value()[0]); }

TEST(RegUseTest, ArithmeticReadsWhatItNeeds) {
  RegUse mov = use_of({0xbf, 1, 2, 0, 0});
  EXPECT_EQ(mov.reads, 1 << 2);
  EXPECT_EQ(mov.reads_upper, 1 << 2);
  EXPECT_EQ(mov.writes, 1 << 1);
  EXPECT_EQ(mov.zero_upper, 0);
  RegUse add32 = use_of({0x0c, 1, 2, 0, 0});
  EXPECT_EQ(add32.reads, (1 << 1) | (1 << 2));
  EXPECT_EQ(add32.reads_upper, 0);
  EXPECT_EQ(add32.zero_upper, 1 << 1);
  EXPECT_EQ(use_of({0xbf, 1, 2, 32, 0}).reads_upper, 0);
  EXPECT_EQ(use_of({0xdc, 1, 0, 0, 16}).zero_upper, 1 << 1);
}

TEST(RegUseTest, MemoryBasesAreWholeAndStoredValuesAreNot) {
  RegUse store = use_of({0x63, 10, 3, -4, 0});
  EXPECT_EQ(store.reads, (1 << 10) | (1 << 3));
  EXPECT_EQ(store.reads_upper, 1 << 10);
  EXPECT_EQ(store.writes, 0);
  EXPECT_EQ(use_of({0x61, 4, 5, 0, 0}).zero_upper, 1 << 4);
  EXPECT_EQ(use_of({0x81, 4, 5, 0, 0}).zero_upper, 0);
}

TEST(RegUseTest, AtomicsWriteTheirSourceOrR0) {
  EXPECT_EQ(use_of({0xdb, 1, 2, 0, 0}).writes, 0);
  EXPECT_EQ(use_of({0xdb, 1, 2, 0, 1}).writes, 1 << 2);
  RegUse cmpxchg = use_of({0xc3, 1, 2, 0, 0xf1});
  EXPECT_EQ(cmpxchg.reads, (1 << 0) | (1 << 1) | (1 << 2));
  EXPECT_EQ(cmpxchg.reads_upper, 1 << 1);
  EXPECT_EQ(cmpxchg.writes, 1);
  EXPECT_EQ(cmpxchg.zero_upper, 1);
}

TEST(RegUseTest, CallsLoseTheCallerSavedRegisters) {
  EXPECT_EQ(use_of({0x85, 0, 0, 0, 1}).writes, 0x3f);
  EXPECT_EQ(use_of({0x85, 0, 0, 0, 1}).reads, 0x3e);
  EXPECT_EQ(use_of({0x95, 0, 0, 0, 0}).reads, 1);
  EXPECT_EQ(use_of({0x30, 0, 0, 0, 1}).reads, 1 << 6);
}

}  // namespace
}  // namespace ring3::isa
