// Arenas through verify(): casts, arithmetic, accesses, and what may not be mixed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::TestProgram;

/// Arena `pages`, arena `more` (only where two are asked for), and a one-element array `box`.
class Names final : public isa::Symbols {
 public:
  bool kfunc(std::string_view, std::int32_t&, std::int16_t&) const override { return false; }
  bool map(std::string_view name, std::int32_t& fd) const override {
    fd = name == "pages" ? 0 : name == "box" ? 1 : 2;
    return true;
  }
};

class ArenaTest : public ::testing::Test {
 protected:
  ArenaTest() {
    for (const char* name : {"pages", "box", "more"}) {
      model::MapFacts map;
      map.id = static_cast<std::uint32_t>(maps_.size()) + 1;
      map.name = name;
      map.type = name == std::string_view("box") ? uapi::BPF_MAP_TYPE_ARRAY : uapi::BPF_MAP_TYPE_ARENA;
      map.key_size = map.type == uapi::BPF_MAP_TYPE_ARRAY ? 4 : 0;
      map.value_size = map.type == uapi::BPF_MAP_TYPE_ARRAY ? 64 : 0;
      map.max_entries = 2;
      maps_.push_back(std::move(map));
    }
  }

  /// The log of verifying `body` with the first `maps` maps; "accepted" when it passes.
  std::string judge(const std::string& body, std::size_t maps = 2) {
    const Names names;
    TestProgram program(body + "r0 = 0\nexit\n", &names);
    program.input.maps = std::span(maps_).first(maps);
    program.input.rights = rights_;
    return program.judge({}, &verified_);
  }

  void accepts(const std::string& body) { EXPECT_EQ(judge(body), "accepted") << body; }
  void refuses(const std::string& body, const std::string& words, std::size_t maps = 2) {
    const std::string log = judge(body, maps);
    EXPECT_NE(log.find(words), std::string::npos) << "lacks: " << words << "\n" << log;
  }

  std::vector<model::MapFacts> maps_;
  model::Rights rights_ = model::Rights::all();
  VerifiedProgram verified_;
};

/// r6 = a pointer into the arena, from a number nobody knows.
const std::string kPointer = "r6 = *(u32 *)(r1 +0)\nr6 = addr_space_cast(r6, 0, 1)\n";
/// r7 = the value of `box`.
const std::string kBox = "r7 = map[name:box][0]+0\n";

TEST_F(ArenaTest, AnyNumberIsAPointer) {
  accepts(kPointer + "r0 = *(u64 *)(r6 +32000)\n*(u8 *)(r6 -32000) = 1\n*(u64 *)(r6 +0) = r0\n");
  accepts("r6 = 0xffffffffffffffff ll\nr6 = addr_space_cast(r6, 0, 1)\nr0 = *(u64 *)(r6 +0)\n");
  EXPECT_EQ(verified_.insns[3].access, model::AccessKind::kArena);
  accepts(kPointer + "r2 = 1\nlock *(u64 *)(r6 +0) += r2\nr2 = atomic64_fetch_add((u64 *)(r6 +0), r2)\n"
                     "r0 = 1\nr0 = atomic_cmpxchg((u32 *)(r6 +0), r0, r2)\n");
  refuses("r6 = 4096\nr0 = *(u64 *)(r6 +0)\n", "R6 invalid mem access 'scalar'");
  refuses("r6 = map[name:pages][0]+0\nr0 = *(u64 *)(r6 +0)\n", "R6 invalid mem access 'scalar'");
}

TEST_F(ArenaTest, WhatIsLoadedIsANumberOfItsSize) {
  accepts(kPointer + kBox + "r0 = *(u8 *)(r6 +0)\nr0 &= 31\nr7 += r0\nr0 = *(u64 *)(r7 +0)\n");
  refuses(kPointer + kBox + "r0 = *(u8 *)(r6 +0)\nr7 += r0\nr0 = *(u64 *)(r7 +0)\n", "invalid access to map value");
}

TEST_F(ArenaTest, ArithmeticIsFree) {
  accepts(kPointer + "r6 += 8\nr6 *= 3\nr6 <<= 4\nr6 ^= r6\nr0 = *(u64 *)(r6 +0)\n");
  EXPECT_TRUE(verified_.insns[2].arena_arith);
  accepts(kPointer + "r2 = 16\nr2 += r6\nr0 = *(u64 *)(r2 +0)\n");
  refuses(kPointer + "r2 = 16\nr2 -= r6\n", "R2 tried to subtract pointer from scalar");
  refuses(kPointer + "r2 = 16\nr2 *= r6\n", "R2 pointer arithmetic with *= operator prohibited");
}

TEST_F(ArenaTest, ACastBackIsANumber) {
  refuses(kPointer + "r6 = addr_space_cast(r6, 1, 0)\nr0 = *(u64 *)(r6 +0)\n", "R6 invalid mem access 'scalar'");
}

TEST_F(ArenaTest, OneInstructionDoesNotMixPointersAndNumbers) {
  refuses("r2 = *(u32 *)(r1 +0)\nr6 = r2\nif r2 == 5 goto add\nr6 = addr_space_cast(r6, 0, 1)\nadd:\nr6 += 8\n",
          "same insn cannot be used with different pointers");
  refuses("r2 = *(u32 *)(r1 +0)\n" + kBox + "if r2 == 5 goto load\nr7 = addr_space_cast(r2, 0, 1)\nload:\nr0 = *(u64 *)(r7 +0)\n",
          "same insn cannot be used with different pointers");
}

TEST_F(ArenaTest, WhatHasNoFormThere) {
  refuses(kPointer + "r0 = *(s32 *)(r6 +0)\n", "sign extending loads from arena are not supported yet");
  refuses(kPointer + "r2 = 1\nr2 = atomic64_fetch_or((u64 *)(r6 +0), r2)\n", "BPF_ATOMIC stores into R6 arena is not allowed");
}

TEST_F(ArenaTest, AProgramHasOneArenaAndTheRights) {
  refuses(kPointer, "Only one arena per program", 3);
  maps_[0].type = uapi::BPF_MAP_TYPE_ARRAY;
  refuses(kPointer, "addr_space_cast insn can only be used in a program that has an associated arena");
  maps_[0].type = uapi::BPF_MAP_TYPE_ARENA;
  rights_ = {.bpf = true, .net_admin = true};
  refuses("", "CAP_BPF and CAP_PERFMON are required to use arena");
}

}  // namespace
}  // namespace ring3::verifier
