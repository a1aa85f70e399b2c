#include "verifier/explore/states_equal.h"

#include <gtest/gtest.h>

#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

class StatesEqualTest : public testing::Test {
 protected:
  StatesEqualTest() { prog_.allow_uninit_stack = true; }

  PathState state() {
    PathState s;
    s.frames.push_back(pool_.make());
    set_pointer(s.frame().regs[isa::kFrameReg], RegKind::kStack);
    return s;
  }
  bool covers(const PathState& old, const PathState& cur, Compare how = Compare::kCovered) {
    return states_equal(prog_, old, cur, how);
  }
  static RegState range(std::uint64_t lo, std::uint64_t hi, bool precise) {
    RegState r;
    Scalar64 s = Scalar64::unknown();
    s.full.tighten_unsigned(lo, hi);
    s.sync();
    set_scalar(r, s);
    r.precise = precise;
    return r;
  }
  static StackSlot spilled(const RegState& value) {
    StackSlot slot;
    slot.spilled = value;
    slot.bytes.fill(SlotByte::kSpill);
    return slot;
  }
  static StackSlot bytes(SlotByte b) {
    StackSlot slot;
    slot.bytes.fill(b);
    return slot;
  }

  FramePool pool_;
  ProgramInput in_;
  model::Facts facts_;
  Limits limits_;
  Program prog_{.in = in_, .facts = facts_, .limits = limits_};
};

TEST_F(StatesEqualTest, AnImpreciseNumberCoversEveryNumber) {
  PathState old = state(), cur = state();
  old.reg(1) = range(0, 3, false);
  cur.reg(1) = range(0, 100, false);
  EXPECT_TRUE(covers(old, cur));
  EXPECT_FALSE(covers(old, cur, Compare::kWithin)) << "the walk from old may not have ended";
  EXPECT_FALSE(covers(old, cur, Compare::kExact));
}

TEST_F(StatesEqualTest, APreciseNumberCoversWhatLiesInside) {
  PathState old = state(), cur = state();
  old.reg(1) = range(0, 100, true);
  cur.reg(1) = range(3, 7, false);
  EXPECT_TRUE(covers(old, cur));
  EXPECT_FALSE(covers(cur, old, Compare::kWithin));
  cur.reg(1) = range(3, 101, false);
  EXPECT_FALSE(covers(old, cur));
}

TEST_F(StatesEqualTest, WhatWasNeverReadMatchesAnything) {
  PathState old = state(), cur = state();
  cur.reg(1) = range(1, 2, true);
  EXPECT_TRUE(covers(old, cur));
  EXPECT_FALSE(covers(cur, old)) << "but not the other way round";
}

TEST_F(StatesEqualTest, PointersMatchByKindObjectAndOffset) {
  PathState old = state(), cur = state();
  set_pointer(old.reg(1), RegKind::kStack);
  set_pointer(cur.reg(1), RegKind::kStack);
  EXPECT_TRUE(covers(old, cur));
  cur.reg(1).off = -8;
  EXPECT_FALSE(covers(old, cur));
  set_pointer(cur.reg(1), RegKind::kCtx);
  EXPECT_FALSE(covers(old, cur));
  cur.reg(1) = range(0, 0, false);
  EXPECT_FALSE(covers(old, cur));
}

TEST_F(StatesEqualTest, EqualNumbersMustStayEqual) {
  PathState old = state(), cur = state();
  old.reg(1) = old.reg(2) = range(0, 9, true);
  cur.reg(1) = cur.reg(2) = range(0, 9, true);
  old.reg(1).id = old.reg(2).id = 5;
  cur.reg(1).id = 7;
  cur.reg(2).id = 8;
  EXPECT_FALSE(covers(old, cur)) << "old learned about r2 from r1; cur may not";
  cur.reg(2).id = 7;
  EXPECT_TRUE(covers(old, cur)) << "ids are renamed";
}

TEST_F(StatesEqualTest, ProvedPacketRangeMayGrow) {
  PathState old = state(), cur = state();
  set_pointer(old.reg(2), RegKind::kPacket);
  set_pointer(cur.reg(2), RegKind::kPacket);
  old.reg(2).range = 8;
  cur.reg(2).range = 14;
  EXPECT_TRUE(covers(old, cur));
  EXPECT_FALSE(covers(cur, old));
}

TEST_F(StatesEqualTest, StackBytes) {
  PathState old = state(), cur = state();
  old.frame().stack = {bytes(SlotByte::kMisc)};
  cur.frame().stack = {bytes(SlotByte::kZero)};
  EXPECT_TRUE(covers(old, cur));
  EXPECT_FALSE(covers(cur, old)) << "a zero that was relied on";
  cur.frame().stack = {spilled(range(1, 2, false))};
  EXPECT_TRUE(covers(old, cur));
  old.frame().stack = {spilled(range(1, 2, true))};
  cur.frame().stack = {bytes(SlotByte::kMisc)};
  EXPECT_FALSE(covers(old, cur));
}

TEST_F(StatesEqualTest, ASpilledPointerIsNoData) {
  PathState old = state(), cur = state();
  RegState fp;
  set_pointer(fp, RegKind::kStack);
  old.frame().stack = {bytes(SlotByte::kMisc)};
  cur.frame().stack = {spilled(fp)};
  EXPECT_FALSE(covers(old, cur));
  EXPECT_FALSE(covers(cur, old));
  prog_.allow_ptr_leaks = true;
  EXPECT_FALSE(covers(old, cur)) << "a part of a number may be read, a part of an address not";
  EXPECT_FALSE(covers(cur, old));
}

// What the verifier's fuzzing found: whether such a program was refused depended on the order of the walk.
TEST_F(StatesEqualTest, AnUnwrittenSlotMayHaveBeenReadAsANumber) {
  PathState old = state(), cur = state();
  RegState fp;
  set_pointer(fp, RegKind::kStack);
  StackSlot dynptr = bytes(SlotByte::kDynptr);
  for (const bool written : {true, false}) {
    old.frame().stack = written ? SlotStack{bytes(SlotByte::kInvalid)} : SlotStack{};
    for (const bool all_rights : {true, false}) {
      prog_.allow_uninit_stack = prog_.allow_ptr_leaks = all_rights;
      cur.frame().stack = {spilled(fp)};
      EXPECT_FALSE(covers(old, cur)) << "a part of it may be read or written over, of an address not";
      cur.frame().stack = {dynptr};
      EXPECT_FALSE(covers(old, cur));
      cur.frame().stack = {spilled(range(1, 2, false))};
      EXPECT_TRUE(covers(old, cur));
      cur.frame().stack = {bytes(SlotByte::kMisc)};
      EXPECT_TRUE(covers(old, cur));
    }
  }
}

TEST_F(StatesEqualTest, SlotsThatNothingLooksAtTellNoStatesApart) {
  PathState old = state(), cur = state();
  RegState fp;
  set_pointer(fp, RegKind::kStack);
  old.frame().stack = {spilled(range(1, 2, true))};
  cur.frame().stack = {spilled(fp)};
  EXPECT_FALSE(covers(old, cur));
  prog_.stack_live = {0};
  EXPECT_TRUE(covers(old, cur));
  old.frame().stack = {bytes(SlotByte::kIter)};
  EXPECT_FALSE(covers(old, cur)) << "an iterator has to be ended";
  EXPECT_TRUE(covers(cur, old)) << "its reference is compared elsewhere";
}

TEST_F(StatesEqualTest, OfASettledStateOnlyWhatWasReadCounts) {
  PathState old = state(), cur = state();
  old.reg(1) = range(0, 3, true);
  set_pointer(cur.reg(1), RegKind::kCtx);
  old.frame().stack = {bytes(SlotByte::kMisc), bytes(SlotByte::kZero)};
  cur.frame().stack = {spilled(cur.reg(1)), bytes(SlotByte::kMisc)};
  ValueSet read;
  const auto matches = [&] { return states_equal(prog_, old, cur, Compare::kCovered, &read); };
  EXPECT_TRUE(matches());
  read.add_regs(0, 1u << 1);
  EXPECT_FALSE(matches());
  read = {};
  read.add_slots(0, 1);
  EXPECT_FALSE(matches());
  read = {};
  read.add_slots(0, 2);
  EXPECT_FALSE(matches());
  read = {};
  cur.frame().stack[0] = bytes(SlotByte::kDynptr);
  EXPECT_FALSE(matches()) << "it may be written over, which some objects refuse";
}

TEST_F(StatesEqualTest, IteratorsMatchByStateNotByDepth) {
  PathState old = state(), cur = state();
  StackSlot it = bytes(SlotByte::kIter);
  it.object.first = true;
  it.object.ref_obj_id = 3;
  old.frame().stack = {it};
  it.object.depth = 9;
  it.object.ref_obj_id = 4;
  cur.frame().stack = {it};
  EXPECT_TRUE(covers(old, cur));
  cur.frame().stack[0].object.state = SlotObject::State::kDrained;
  EXPECT_FALSE(covers(old, cur));
  cur.frame().stack = {bytes(SlotByte::kMisc)};
  EXPECT_FALSE(covers(old, cur));
}

TEST_F(StatesEqualTest, SectionsLocksAndReferences) {
  PathState old = state(), cur = state();
  cur.rcu_depth = 1;
  EXPECT_FALSE(covers(old, cur));
  cur.rcu_depth = 0;
  cur.preempt_depth = 1;
  EXPECT_FALSE(covers(old, cur));
  cur.preempt_depth = 0;
  cur.lock = {.held = true, .in_map = true, .object = 0, .id = 2};
  EXPECT_FALSE(covers(old, cur));
  cur.lock = {};
  cur.refs.push_back({.id = 1});
  EXPECT_FALSE(covers(old, cur)) << "a leak must not be pruned away";
}

}  // namespace
}  // namespace ring3::verifier
