// What a host function's flags and the endings of its arguments' names demand of a call: each once fulfilled and once not.
// (Objects of programs, __alloc and __refcounted_kptr: objects_test.cc. Dynptrs but for their slices: tests/cases/verifier/dynptrs.case.)
#include <gtest/gtest.h>

#include <string>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using btf::Builder;
using btf::TypeId;
using testing::TestProgram;
using testing::parsed;

class World final : public testing::HostNames {
 public:
  World() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4), i32 = b.add_int("int", 4, 1);
    const TypeId character = b.add_int("char", 1, 1), nothing = b.add_ptr(0);
    const TypeId obj = b.add_ptr(b.add_struct("host_obj", 16, {{"a", u32, 0}, {"next", b.next_id() + 1, 64}}));
    const TypeId pair = b.add_ptr(b.add_struct("pair", 16, {{"a", u64, 0}, {"b", u64, 64}}));
    const TypeId seq = b.add_ptr(b.add_struct("bpf_iter_seq", 8, {{"opaque", u64, 0}}));
    const TypeId walk = b.add_ptr(b.add_struct("bpf_iter_walk", 8, {{"opaque", u64, 0}}));
    const TypeId all = b.add_ptr(b.add_struct("bpf_iter_all", 8, {{"opaque", u64, 0}}));
    const TypeId tail = b.add_array(u32, u32, 0);
    const TypeId flex = b.add_ptr(b.add_struct("flex", 8, {{"n", u64, 0}, {"tail", tail, 64}}));
    const TypeId number = b.add_ptr(u64), text = b.add_ptr(character), small = b.add_ptr(i32);
    struct Function {
      std::string name;
      std::uint32_t flags;
    };
    std::vector<Function> functions;
    const auto add = [&](std::string_view name, std::uint32_t flags, TypeId ret, std::initializer_list<Builder::NewParam> params) {
      b.add_func(name, b.add_proto(ret, params), btf::Linkage::kStatic);
      functions.push_back({std::string(name), flags});
    };
    using namespace model;
    add("obj_get", kKfuncAcquire | kKfuncRetNull, obj, {});
    add("obj_make", kKfuncAcquire, obj, {});
    add("obj_put", kKfuncRelease, 0, {{"obj", obj}});
    add("obj_find", kKfuncRetNull, obj, {});
    add("obj_any", 0, u32, {{"obj", obj}});
    add("obj_trusted", kKfuncTrustedArgs, u32, {{"obj", obj}});
    add("obj_rcu", kKfuncRcu, u32, {{"obj", obj}});
    add("obj_maybe", kKfuncTrustedArgs, u32, {{"obj__nullable", obj}});
    add("naps", kKfuncSleepable, 0, {});
    add("breaks", kKfuncDestructive, 0, {});
    add("bpf_iter_seq_new", kKfuncIterNew, i32, {{"it", seq}, {"n", u32}});
    add("bpf_iter_seq_next", kKfuncIterNext | kKfuncRetNull, small, {{"it", seq}});
    add("bpf_iter_seq_destroy", kKfuncIterDestroy, 0, {{"it", seq}});
    add("bpf_iter_walk_new", kKfuncIterNew | kKfuncRcuProtected, i32, {{"it", walk}});
    add("bpf_iter_walk_next", kKfuncIterNext | kKfuncRetNull, small, {{"it", walk}});
    add("bpf_iter_walk_destroy", kKfuncIterDestroy, 0, {{"it", walk}});
    add("bpf_rcu_read_lock", 0, 0, {});
    add("bpf_rcu_read_unlock", 0, 0, {});
    add("bpf_iter_all_new", kKfuncIterNew, i32, {{"it", all}});
    add("bpf_iter_all_next", kKfuncIterNext | kKfuncRetNull, obj, {{"it", all}});
    add("bpf_iter_all_destroy", kKfuncIterDestroy, 0, {{"it", all}});
    add("obj_peek", kKfuncRcuProtected | kKfuncRetNull, obj, {});
    add("obj_put_with", kKfuncRelease, 0, {{"obj", obj}, {"mem", nothing}, {"mem__sz", u32}});
    add("flex_get", kKfuncAcquire | kKfuncRetNull, flex, {});
    add("flex_put", kKfuncRelease, 0, {{"flex", flex}});
    const TypeId flexes = b.add_ptr(b.add_struct("bpf_iter_flexes", 8, {{"opaque", u64, 0}}));
    add("bpf_iter_flexes_new", kKfuncIterNew, i32, {{"it", flexes}});
    add("bpf_iter_flexes_next", kKfuncIterNext | kKfuncRetNull, flex, {{"it", flexes}});
    add("bpf_iter_flexes_destroy", kKfuncIterDestroy, 0, {{"it", flexes}});
    add("seq_value", 0, u32, {{"n", u32}, {"it__iter", seq}});
    add("seq_of_numbers", 0, u32, {{"it__iter", number}});
    add("sum", 0, u32, {{"mem", nothing}, {"mem__sz", u32}});
    add("sum_const", 0, u32, {{"mem", nothing}, {"mem__szk", u32}});
    add("sum_null", 0, u32, {{"mem__nullable", nothing}, {"mem__sz", u32}});
    add("sum_opt", 0, u32, {{"mem__opt", nothing}, {"mem__sz", u32}});
    add("chosen", 0, u32, {{"n__k", u64}});
    add("passes", 0, u32, {{"meta__ign", nothing}, {"n", u32}});
    add("named", 0, u32, {{"s__str", text}});
    add("of_map", 0, u32, {{"p__map", nothing}});
    add("fills", 0, u32, {{"out__uninit", number}});
    add("fills_two", 0, u32, {{"out__uninit", number}, {"more__uninit", number}});
    add("fills_both", 0, u32, {{"out__uninit", nothing}, {"out__sz", u32}, {"more__uninit", number}});
    add("reads", 0, u32, {{"in", pair}});
    add("window_rw", kKfuncRetNull, number, {{"obj", obj}, {"rdwr_buf_size", u64}});
    add("window_two", kKfuncRetNull, number, {{"rdonly_buf_size", u64}, {"rdwr_buf_size", u64}});
    const TypeId map = b.add_ptr(b.add_struct("bpf_map", 8, {{"n", u64, 0}}));
    add("map_len", kKfuncTrustedArgs, u32, {{"map", map}});
    add("map_find", kKfuncRetNull, map, {});
    const TypeId maps_iter = b.add_ptr(b.add_struct("bpf_iter_maps", 8, {{"opaque", u64, 0}}));
    add("bpf_iter_maps_new", kKfuncIterNew, i32, {{"it", maps_iter}});
    add("bpf_iter_maps_next", kKfuncIterNext | kKfuncRetNull, map, {{"it", maps_iter}});
    add("bpf_iter_maps_destroy", kKfuncIterDestroy, 0, {{"it", maps_iter}});
    add("bpf_map_sum_elem_count", kKfuncTrustedArgs, u64, {{"map", map}});
    add("window", kKfuncRetNull, number, {{"obj", obj}, {"rdonly_buf_size", u64}});
    const TypeId skb = b.add_ptr(b.add_struct("__sk_buff", 192, {{"len", u32, 0}}));
    const TypeId dynptr = b.add_ptr(b.add_struct("bpf_dynptr", 16, {{"opaque", u64, 0}}));
    add("bpf_dynptr_from_skb", kKfuncTrustedArgs, i32, {{"skb", skb}, {"flags", u64}, {"ptr__uninit", dynptr}});
    add("bpf_dynptr_slice", kKfuncRetNull, nothing, {{"p", dynptr}, {"offset", u32}, {"buffer__opt", nothing}, {"buffer__szk", u32}});
    add("bpf_dynptr_slice_rdwr", kKfuncRetNull, nothing, {{"p", dynptr}, {"offset", u32}, {"buffer__opt", nothing}, {"buffer__szk", u32}});
    facts.host_btf = parsed(b);
    for (const Function& f : functions)
      facts.kfuncs.push_back({.name = f.name, .btf = facts.host_btf, .func = facts.host_btf->find(f.name, btf::Kind::kFunc),
                              .flags = f.flags, .with_run = f.name == "bpf_map_sum_elem_count"});
    MapFacts words;
    words.id = 1;
    words.type = uapi::BPF_MAP_TYPE_ARRAY;
    words.key_size = 4;
    words.value_size = 8;
    words.max_entries = 1;
    words.name = "words";
    words.flags = uapi::BPF_F_RDONLY_PROG;
    words.frozen = true;
    words.constant_value = kWords;
    maps.push_back(words);
    MapFacts ring;
    ring.id = 2;
    ring.type = uapi::BPF_MAP_TYPE_RINGBUF;
    ring.max_entries = 4096;
    ring.name = "ring";
    maps.push_back(ring);
  }
  bool map(std::string_view name, std::int32_t& fd) const override {
    fd = name == "words" ? 0 : 1;
    return true;
  }

  std::vector<model::MapFacts> maps;

 private:
  static constexpr std::byte kWords[8] = {std::byte{'h'}, std::byte{'i'}, std::byte{0},   std::byte{0},
                                          std::byte{'e'}, std::byte{'n'}, std::byte{'d'}, std::byte{'s'}};
};

class KfuncTest : public ::testing::Test {
 protected:
  /// The log of verifying `body`; "accepted" when it passes. `out` returns 0.
  std::string judge(const std::string& body) {
    TestProgram program(body + "out:\nr0 = 0\nexit\n", &world_, behind_);
    if (sleepable_) program.input.prog_type = uapi::BPF_PROG_TYPE_SYSCALL, program.input.flags = uapi::BPF_F_SLEEPABLE;
    program.input.maps = world_.maps;
    program.input.rights = rights_;
    program.input.gpl_compatible = gpl_;
    return program.judge(world_.facts, &verified_);
  }
  void accepts(const std::string& body) { EXPECT_EQ(judge(body), "accepted") << body; }
  void refuses(const std::string& body, const std::string& words) {
    const std::string log = judge(body);
    EXPECT_NE(log.find(words), std::string::npos) << "lacks: " << words << "\n" << log;
  }

  World world_;
  VerifiedProgram verified_;
  bool sleepable_ = false;
  bool gpl_ = true;
  std::string behind_;  // functions that follow
  model::Rights rights_ = model::Rights::all();
};

/// r7 = an object, owned.
const std::string kGet = "call obj_get\nif r0 == 0 goto out\nr7 = r0\n";
const std::string kPut = "r1 = r7\ncall obj_put\n";
/// r1 = what an owned object points to: valid memory of a known type, vouched for by nobody.
const std::string kWalk = "r1 = *(u64 *)(r7 +8)\n";
const std::string kSeq = "r1 = r10\nr1 += -8\n";

TEST_F(KfuncTest, AcquireMakesAReferenceThatReleaseEnds) {
  accepts(kGet + kPut);
  accepts("call obj_make\nr7 = r0\n" + kPut);
  refuses(kGet, "Unreleased reference id=");
  refuses("call obj_get\n", "Unreleased reference id=");
  refuses(kGet + kPut + kPut, "arg#0 pointer type STRUCT host_obj must point to scalar, or struct with scalar");
  refuses("r1 = 0\ncall obj_put\n", "Possibly NULL pointer passed to trusted arg0");
  refuses(kGet + kWalk + "call obj_put\n", "R1 must be referenced or trusted");
  refuses(kGet + "r7 += 8\n" + kPut, "R1 must have zero offset when passed to release func");
}

TEST_F(KfuncTest, RetNullIsTestedBeforeItIsUsed) {
  accepts("call obj_find\nif r0 == 0 goto out\nr0 = *(u32 *)(r0 +0)\n");
  refuses("call obj_find\nr0 = *(u32 *)(r0 +0)\n", "R0 invalid mem access 'ptr_or_null_'");
  accepts("call obj_make\nr7 = r0\nr0 = *(u32 *)(r7 +0)\n" + kPut);
}

TEST_F(KfuncTest, TrustedArgsTakeWhatIsOwned) {
  accepts(kGet + "r1 = r7\ncall obj_trusted\n" + kPut);
  refuses(kGet + kWalk + "call obj_trusted\n" + kPut, "R1 must be referenced or trusted");
  refuses("call obj_get\nr7 = r0\nr1 = r7\ncall obj_trusted\n", "Possibly NULL pointer passed to trusted arg0");
  accepts(kGet + kWalk + "call obj_any\n" + kPut);
}

TEST_F(KfuncTest, RcuTakesWhatIsOwnedOrSeenInASection) {
  accepts(kGet + "r1 = r7\ncall obj_rcu\n" + kPut);
  refuses(kGet + kWalk + "call obj_rcu\n" + kPut, "R1 must be a rcu pointer");
}

TEST_F(KfuncTest, SleepableIsForProgramsThatMaySleep) {
  refuses("call naps\n", "program must be sleepable to call sleepable kfunc naps");
  sleepable_ = true;
  accepts("call naps\n");
  refuses("call bpf_rcu_read_lock\ncall naps\ncall bpf_rcu_read_unlock\n", "kernel func naps is sleepable within rcu_read_lock region");
}

TEST_F(KfuncTest, DestructiveNeedsTheRightToBreakThings) {
  accepts("call breaks\n");
  rights_.sys_admin = false;
  refuses("call breaks\n", "destructive kfunc calls require CAP_SYS_BOOT capability");
}

TEST_F(KfuncTest, TheLicenseIsCompatible) {
  gpl_ = false;
  refuses(kGet + kPut, "cannot call kernel function from non-GPL compatible program");
}

TEST_F(KfuncTest, IteratorsAreMadeAdvancedAndDestroyed) {
  const std::string make = kSeq + "r2 = 3\ncall bpf_iter_seq_new\n", end = kSeq + "call bpf_iter_seq_destroy\n";
  const std::string loop = "again:\n" + kSeq + "call bpf_iter_seq_next\nif r0 == 0 goto done\nr1 = *(u32 *)(r0 +0)\ngoto again\ndone:\n";
  accepts(make + loop + end);
  accepts(make + end);
  refuses(make + loop, "Unreleased reference id=");
  refuses(loop + end, "expected an initialized iter_seq as arg #0");
  refuses(make + make + end, "expected uninitialized iter_seq as arg #0");
  refuses(make + end + end, "expected an initialized iter_seq as arg #0");
  refuses(make + kSeq + "call bpf_iter_seq_next\nr1 = *(u32 *)(r0 +0)\n" + end, "R0 invalid mem access 'scalar'");
  refuses("r1 = 0\nr2 = 3\ncall bpf_iter_seq_new\n", "arg#0 expected pointer to an iterator on stack");
}

TEST_F(KfuncTest, RcuProtectedIteratorsLiveInOneSection) {
  const std::string lock = "call bpf_rcu_read_lock\n", unlock = "call bpf_rcu_read_unlock\n";
  const std::string make = kSeq + "call bpf_iter_walk_new\n", next = kSeq + "call bpf_iter_walk_next\n";
  const std::string end = kSeq + "call bpf_iter_walk_destroy\n";
  accepts(make + next + end);  // a program that never sleeps is one section
  sleepable_ = true;
  accepts(lock + make + next + end + unlock);
  refuses(make + next + end, "expected an RCU CS when using bpf_iter_walk_next");
  refuses(lock + make + unlock + lock + next + end + unlock, "expected an RCU CS when using bpf_iter_walk_next");
}

TEST_F(KfuncTest, RcuProtectedResultsAreOfASection) {
  const std::string lock = "call bpf_rcu_read_lock\n", unlock = "call bpf_rcu_read_unlock\n";
  const std::string peek = "call obj_peek\nif r0 == 0 goto none\nr1 = r0\n", use = "call obj_rcu\n", none = "none:\n";
  accepts(peek + use + none);  // a program that never sleeps is one section
  sleepable_ = true;
  accepts(lock + peek + use + none + unlock);
  refuses(lock + peek + "r7 = r1\n" + unlock + "r1 = r7\n" + use + "goto out\n" + none + unlock, "R1 must be a rcu pointer");
  refuses(peek + use + none, "kernel func obj_peek requires RCU critical section protection");
}

TEST_F(KfuncTest, WhatAnIteratorYieldsEndsWithIt) {
  const std::string make = kSeq + "call bpf_iter_all_new\n", next = kSeq + "call bpf_iter_all_next\n", end = kSeq + "call bpf_iter_all_destroy\n";
  accepts(make + next + "if r0 == 0 goto none\nr1 = r0\ncall obj_trusted\nnone:\n" + end);
  refuses(make + next + "r7 = r0\n" + end + "if r7 == 0 goto out\nr1 = r7\ncall obj_trusted\n", "R1 must be referenced or trusted");
  refuses(make + next + "if r0 == 0 goto none\nr7 = r0\n" + end + "r1 = r7\ncall obj_trusted\ngoto out\nnone:\n" + end,
          "R1 must be referenced or trusted");
}

TEST_F(KfuncTest, ReleaseEndsTheObjectAndNothingElse) {
  const std::string none = "*(u64 *)(r10 -8) = 0\n";
  accepts(none + kGet + "r1 = r7\nr2 = r10\nr2 += -8\nr3 = 8\ncall obj_put_with\n");
  // Memory of a reservation, beside an object that is trusted and not owned.
  const std::string make = kSeq + "call bpf_iter_all_new\n", end = kSeq + "call bpf_iter_all_destroy\n";
  const std::string reserve = "r1 = map[name:ring]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\nr8 = r0\n";
  const std::string submit = "r1 = r8\nr2 = 0\ncall bpf_ringbuf_submit\n";
  const std::string next = kSeq + "call bpf_iter_all_next\nif r0 == 0 goto none\n";
  const std::string put = "r1 = r0\nr2 = r8\nr3 = 8\ncall obj_put_with\n";
  accepts(reserve + kGet.substr(0, kGet.find("if")) + "if r0 == 0 goto none\n" + put + "none:\n" + submit);
  refuses(reserve + make + next + put + end + "goto out\nnone:\n" + end + submit, "release kernel function obj_put_with expects refcounted PTR_TO_BTF_ID");
}

TEST_F(KfuncTest, WhatLiesBehindAnArrayWithoutALengthMayFault) {
  const std::string get = "call flex_get\nif r0 == 0 goto out\nr7 = r0\n", put = "r1 = r7\ncall flex_put\n";
  accepts(get + "r0 = *(u64 *)(r7 +0)\n" + put);
  EXPECT_EQ(verified_.insns[3].access, model::AccessKind::kHostStruct);
  accepts(get + "r0 = *(u32 *)(r7 +400)\n" + put);
  EXPECT_EQ(verified_.insns[3].access, model::AccessKind::kUntrusted);
  refuses(get + "r0 = *(u64 *)(r7 +400)\n" + put, "access beyond struct flex at off 400 size 8");
  // Given to a callee: only what is trusted may be.
  const std::string it = "r1 = r10\nr1 += -8\n", end = it + "call bpf_iter_flexes_destroy\n";
  const std::string next = it + "call bpf_iter_flexes_new\n" + it + "call bpf_iter_flexes_next\nif r0 == 0 goto none\nr1 = map[name:ring]\nr2 = r0\n";
  const std::string give = "r3 = 8\nr4 = 0\ncall bpf_ringbuf_output\nnone:\n" + end;
  accepts(next + give);
  refuses(next + "r2 += 400\n" + give, "access beyond struct flex at off 400 size 8");
}

TEST_F(KfuncTest, OneArgumentSizesTheResult) {
  refuses("r1 = 8\nr2 = 8\ncall window_two\n", "2 or more rdonly/rdwr_buf_size parameters for kfunc");
}

TEST_F(KfuncTest, MemoryOfAReservationIsAKeyAndOnlyOneArgumentIsOwned) {
  const std::string reserve = "r1 = map[name:ring]\nr2 = 64\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\nr8 = r0\n*(u64 *)(r8 +0) = 0\n";
  const std::string submit = "r1 = r8\nr2 = 0\ncall bpf_ringbuf_submit\n", map = "r1 = map[name:words]\nr2 = r8\n";
  accepts(reserve + map + "call bpf_map_lookup_elem\n" + submit);
  refuses(reserve + map + "r3 = r8\nr4 = 0\ncall bpf_map_update_elem\n" + submit, "more than one arg with ref_obj_id R3");
}

TEST_F(KfuncTest, MapsAreTheHostsStructsOfThem) {
  accepts("r1 = map[name:words]\ncall map_len\n");
  EXPECT_EQ(verified_.not_runnable, "a socket or a map given as one of the host's structs");
  refuses("r1 = map[name:words]\ncall obj_trusted\n", "kernel function obj_trusted args#0 expected pointer to STRUCT host_obj but R1 has a pointer to STRUCT bpf_map");
}

TEST_F(KfuncTest, ElementsAreCountedOfTrustedMaps) {
  const std::string count = "call bpf_map_sum_elem_count\n", find = "call map_find\nif r0 == 0 goto out\nr1 = r0\n";
  accepts("r1 = map[name:words]\n" + count);
  EXPECT_EQ(verified_.not_runnable, "");
  EXPECT_FALSE(verified_.insns[2].shown_map);
  refuses(find + count, "R1 must be referenced or trusted");
  refuses("call map_find\nr1 = r0\n" + count, "Possibly NULL pointer passed to trusted arg0");
  refuses("r1 = 0\n" + count, "Possibly NULL pointer passed to trusted arg0");
  refuses("r1 = r10\n" + count, "arg#0 is fp expected ptr_ or socket");
  refuses(kGet + "r1 = r7\n" + count, "kernel function bpf_map_sum_elem_count args#0 expected pointer to STRUCT bpf_map but R1 has a pointer to STRUCT host_obj");
  // A host's own struct of a map: judged as on Linux, but what it stands for nobody knows.
  accepts(kSeq + "call bpf_iter_maps_new\n" + kSeq + "call bpf_iter_maps_next\nif r0 == 0 goto none\nr1 = r0\n" + count + "none:\n" + kSeq +
          "call bpf_iter_maps_destroy\n");
  EXPECT_EQ(verified_.not_runnable, "a map given as one of the host's structs");
}

TEST_F(KfuncTest, IterTakesAnIteratorThatLives) {
  const std::string make = kSeq + "r2 = 3\ncall bpf_iter_seq_new\n", end = kSeq + "call bpf_iter_seq_destroy\n";
  const std::string use = "r1 = 1\nr2 = r10\nr2 += -8\ncall seq_value\n";
  accepts(make + use + end);
  refuses(use, "expected an initialized iter_seq as arg #1");
  refuses(make + end + use, "expected an initialized iter_seq as arg #1");
  refuses("r1 = 1\nr2 = map[name:words][0]+0\ncall seq_value\n", "arg#1 expected pointer to an iterator on stack");
}

TEST_F(KfuncTest, IterOfWhatIsNoIteratorIsTheHostsMistake) {
  refuses("*(u64 *)(r10 -8) = 0\n" + kSeq + "call seq_of_numbers\n", "expected valid iter pointer as arg #0");
}

TEST_F(KfuncTest, SzIsTheSizeOfTheMemoryBefore) {
  const std::string mem = "*(u64 *)(r10 -8) = 0\n" + kSeq;
  accepts(mem + "r2 = 8\ncall sum\n");
  accepts("call bpf_get_prandom_u32\nr6 = r0\nr6 &= 7\n" + mem + "r2 = r6\ncall sum\n");
  refuses(mem + "r2 = 9\ncall sum\n", "arg#0 arg#1 memory, len pair leads to invalid memory access");
  refuses("call bpf_get_prandom_u32\nr6 = r0\nr6 &= 15\n" + mem + "r2 = r6\ncall sum\n",
          "arg#0 arg#1 memory, len pair leads to invalid memory access");
  refuses("r1 = 0\nr2 = 0\ncall sum\n", "Possibly NULL pointer passed to trusted arg0");
}

TEST_F(KfuncTest, SzkIsAKnownSize) {
  const std::string mem = "*(u64 *)(r10 -8) = 0\n" + kSeq;
  accepts(mem + "r2 = 8\ncall sum_const\n");
  refuses("call bpf_get_prandom_u32\nr6 = r0\nr6 &= 7\n" + mem + "r2 = r6\ncall sum_const\n", "R2 must be a known constant");
}

TEST_F(KfuncTest, OptMemoryMayBeMissing) {
  accepts("r1 = 0\nr2 = 8\ncall sum_opt\n");
  accepts("*(u64 *)(r10 -8) = 0\n" + kSeq + "r2 = 8\ncall sum_opt\n");
  refuses("*(u64 *)(r10 -8) = 0\n" + kSeq + "r2 = 9\ncall sum_opt\n", "memory, len pair leads to invalid memory access");
}

TEST_F(KfuncTest, NullableMemoryHasNoSize) {
  accepts("r1 = 0\nr2 = 0\ncall sum_null\n");
  accepts("*(u64 *)(r10 -8) = 0\n" + kSeq + "r2 = 8\ncall sum_null\n");
  refuses("r1 = 0\nr2 = 8\ncall sum_null\n", "arg#0 arg#1 memory, len pair leads to invalid memory access");
}

TEST_F(KfuncTest, KIsAKnownConstant) {
  accepts("r1 = 7\ncall chosen\n");
  refuses("call bpf_get_prandom_u32\nr1 = r0\ncall chosen\n", "R1 must be a known constant");
  refuses("r1 = r10\ncall chosen\n", "R1 is not a scalar");
}

TEST_F(KfuncTest, IgnIsNotLookedAt) {
  accepts("r1 = 5\nr2 = 1\ncall passes\n");
  accepts("r1 = r10\nr2 = 1\ncall passes\n");
  refuses("r1 = 5\nr2 = r10\ncall passes\n", "R2 is not a scalar");
}

TEST_F(KfuncTest, NullableTakesNullAndNothingUntested) {
  accepts("r1 = 0\ncall obj_maybe\n");
  accepts(kGet + "r1 = r7\ncall obj_maybe\n" + kPut);
  refuses(kGet + kWalk + "call obj_maybe\n" + kPut, "R1 must be referenced or trusted");
}

TEST_F(KfuncTest, StrIsAStringThatNeverChanges) {
  accepts("r1 = map[name:words][0]+0\ncall named\n");
  refuses("r1 = map[name:words][0]+4\ncall named\n", "string is not zero-terminated");
  refuses("*(u64 *)(r10 -8) = 0\n" + kSeq + "call named\n", "arg#0 doesn't point to a const string");
  world_.maps[0].constant_value = {};
  refuses("r1 = map[name:words][0]+0\ncall named\n", "R1 does not point to a readonly map");
}

TEST_F(KfuncTest, MapIsAMap) {
  accepts("r1 = map[name:words]\ncall of_map\n");
  refuses("r1 = 0\ncall of_map\n", "Possibly NULL pointer passed to trusted arg0");
  refuses("r1 = map[name:words][0]+0\ncall of_map\n", "pointer in R1 isn't map pointer");
}

TEST_F(KfuncTest, UninitIsWrittenByTheCall) {
  const std::string out = "r1 = r10\nr1 += -16\n";
  accepts(out + "call fills\nr0 = *(u64 *)(r10 -16)\n");
  rights_ = {};
  rights_.bpf = true;  // unwritten stack is not to be read
  accepts(out + "call fills\nr0 = *(u64 *)(r10 -16)\n");
  refuses(out + "call reads\n", "invalid indirect read from stack R1 off -16+0 size 16");
  refuses("r1 = r10\nr1 += -4\ncall fills\n", "invalid indirect access to stack R1 off=-4 size=8");
}

TEST_F(KfuncTest, BufSizeIsTheSizeOfTheResult) {
  accepts(kGet + "r1 = r7\nr2 = 8\ncall window\nif r0 == 0 goto end\nr1 = *(u64 *)(r0 +0)\nend:\n" + kPut);
  refuses(kGet + "r1 = r7\nr2 = 8\ncall window\nif r0 == 0 goto end\nr1 = *(u64 *)(r0 +1)\nend:\n" + kPut, "invalid access to memory, mem_size=8");
  refuses(kGet + "r1 = r7\nr2 = 8\ncall window\nif r0 == 0 goto end\n*(u64 *)(r0 +0) = 1\nend:\n" + kPut, "R0 cannot write into rdonly_mem");
  refuses(kGet + "call bpf_get_prandom_u32\nr1 = r7\nr2 = r0\ncall window\n", "R2 is not a const");
  accepts(kGet + "r1 = r7\nr2 = 8\ncall window_rw\nif r0 == 0 goto end\n*(u64 *)(r0 +0) = 1\nend:\n" + kPut);
  refuses(kGet + "r1 = r7\nr2 = 8\ncall window_rw\nif r0 == 0 goto end\n*(u64 *)(r0 +8) = 1\nend:\n" + kPut, "invalid access to memory, mem_size=8");
}

/// r10-32: a dynptr of the packet.
const std::string kOfPacket = "r2 = 0\nr3 = r10\nr3 += -32\ncall bpf_dynptr_from_skb\n";
/// r7 = a slice of it, whose buffer is r10-8.
std::string slice(const std::string& function) {
  return "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -32\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall " + function + "\nif r0 == 0 goto out\nr7 = r0\n";
}
const std::string kSlice = slice("bpf_dynptr_slice_rdwr");

TEST_F(KfuncTest, ASliceMayLieInTheBufferItWasGiven) {
  accepts(kOfPacket + kSlice + "*(u64 *)(r7 +0) = 1\nr0 = *(u64 *)(r10 -8)\n");
  // An address, and a number that a branch relies on: what is written through the slice may take its place.
  accepts(kOfPacket + kSlice + "r1 = map[name:words][0]+0\n*(u64 *)(r10 -8) = r1\nr1 = *(u64 *)(r10 -8)\nr0 = *(u64 *)(r1 +0)\n");
  refuses(kOfPacket + kSlice + "r1 = map[name:words][0]+0\n*(u64 *)(r10 -8) = r1\n*(u64 *)(r7 +0) = 64\nr1 = *(u64 *)(r10 -8)\nr0 = *(u64 *)(r1 +0)\n",
          "R1 invalid mem access 'scalar'");
  const std::string kUnknown = "register with unbounded min value";
  const std::string reads = "r1 = map[name:words][0]+0\nr2 = *(u64 *)(r10 -8)\nr1 += r2\nr0 = *(u8 *)(r1 +0)\n";
  accepts(kOfPacket + kSlice + "*(u64 *)(r10 -8) = 7\n" + reads);
  refuses(kOfPacket + kSlice + "*(u64 *)(r10 -8) = 7\n*(u8 *)(r7 +0) = 8\n" + reads, kUnknown);
  // By a callee as well.
  refuses(kOfPacket + kSlice + "*(u64 *)(r10 -8) = 7\nr1 = r7\nr2 = 8\ncall sum\n" + reads, kUnknown);
  // Another object of the host's in its place.
  const std::string numbers = kSeq + "r2 = 3\ncall bpf_iter_seq_new\n", end = kSeq + "call bpf_iter_seq_destroy\n";
  accepts(kOfPacket + kSlice + numbers + end);
  refuses(kOfPacket + kSlice + numbers + "*(u64 *)(r7 +0) = 1\n" + end, "access to an object at off=-8 through a slice");
  // Where it begins must be known.
  refuses(kOfPacket + "r6 = *(u32 *)(r1 +0)\n", "R1 !read_ok");
  refuses("r6 = *(u32 *)(r1 +0)\nr6 &= 8\n*(u64 *)(r10 -8) = 0\n*(u64 *)(r10 -16) = 0\n" + kOfPacket +
              "r1 = r10\nr1 += -32\nr2 = 0\nr3 = r10\nr3 += -16\nr3 += r6\nr4 = 8\ncall bpf_dynptr_slice_rdwr\n",
          "buffer of a slice has to be at a constant offset");
}

TEST_F(KfuncTest, ASliceLivesNoLongerThanItsBuffer) {
  const std::string record = "r1 = map[name:ring]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\nr6 = r0\n";
  const std::string in_record = "r1 = r10\nr1 += -32\nr2 = 0\nr3 = r6\nr4 = 8\ncall bpf_dynptr_slice_rdwr\nr7 = r0\n";
  const std::string submit = "r1 = r6\nr2 = 0\ncall bpf_ringbuf_submit\n";
  accepts(kOfPacket + record + in_record + "if r7 == 0 goto +1\n*(u64 *)(r7 +0) = 1\n" + submit);
  refuses(kOfPacket + record + in_record + submit + "if r7 == 0 goto out\n*(u64 *)(r7 +0) = 1\n", "R7 invalid mem access 'scalar'");
  // A callee's stack is gone when it returns.
  const std::string callee = "r1 = r6\nr2 = 0\n*(u64 *)(r10 -8) = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall bpf_dynptr_slice_rdwr\nexit\n";
  behind_ = "sliced:\nr6 = r1\n" + callee;
  refuses(kOfPacket + "r1 = r10\nr1 += -32\ncall sliced\nif r0 == 0 goto out\n*(u64 *)(r0 +0) = 1\n", "R0 invalid mem access 'scalar'");
}

TEST_F(KfuncTest, ASliceShowsNoAddressesOfItsBuffer) {
  rights_.perfmon = rights_.sys_admin = false;
  const std::string spill = "*(u64 *)(r10 -8) = r10\n";
  accepts(kOfPacket + slice("bpf_dynptr_slice") + "r0 = *(u64 *)(r7 +0)\n");
  refuses(kOfPacket + slice("bpf_dynptr_slice") + spill + "r0 = *(u64 *)(r7 +0)\n", "leaking pointer from stack off");
}

TEST_F(KfuncTest, AllMemoryThatAFunctionFillsIsWritten) {
  // Two addresses on the stack, of which nothing is known after the call.
  const std::string keep = "*(u64 *)(r10 -8) = r1\n*(u64 *)(r10 -16) = r1\nr1 = r10\nr1 += -8\n";
  const std::string two = keep + "r2 = r10\nr2 += -16\ncall fills_two\n";
  const std::string both = keep + "r2 = 8\nr3 = r10\nr3 += -16\ncall fills_both\n";
  for (const std::string& call : {two, both}) {
    refuses(call + "r1 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r1 +0)\n", "R1 invalid mem access 'scalar'");
    refuses(call + "r1 = *(u64 *)(r10 -16)\nr0 = *(u32 *)(r1 +0)\n", "R1 invalid mem access 'scalar'");
  }
}

TEST_F(KfuncTest, TheTrustOfAMemberEndsWithTheStruct) {
  world_.facts.member_trust.push_back({"host_obj", "next", model::MemberTrust::kTrusted});
  const std::string keep = kWalk + "r6 = r1\n", use = "r1 = r6\ncall obj_trusted\n", deeper = "r6 = *(u64 *)(r6 +8)\n";
  accepts(kGet + keep + use + kPut);
  refuses(kGet + keep + kPut + use, "R1 must be referenced or trusted");
  accepts(kGet + keep + deeper + use + kPut);
  refuses(kGet + keep + deeper + kPut + use, "R1 must be referenced or trusted");
  // Memory of what is trusted so goes as well.
  const std::string window = "r1 = r6\nr2 = 8\ncall window\nif r0 == 0 goto end\nr8 = r0\n", look = "r0 = *(u64 *)(r8 +0)\n";
  accepts(kGet + keep + window + look + "end:\n" + kPut);
  refuses(kGet + keep + window + kPut + look + "goto out\nend:\n" + kPut, "R8 invalid mem access 'scalar'");
}

TEST_F(KfuncTest, TheTrustOfAMemberThatMayBeNullEndsWithTheIterator) {
  world_.facts.member_trust.push_back({"host_obj", "next", model::MemberTrust::kTrustedOrNull});
  const std::string it = "r1 = r10\nr1 += -8\n";
  const std::string next = it + "call bpf_iter_all_new\n" + it + "call bpf_iter_all_next\nif r0 == 0 goto end\nr6 = *(u64 *)(r0 +8)\n";
  const std::string destroy = it + "call bpf_iter_all_destroy\n", use = "r1 = r6\ncall obj_trusted\n";
  const std::string end = "goto out\nend:\n" + destroy;
  accepts(next + "if r6 == 0 goto end\n" + use + destroy + end);
  refuses(next + "if r6 == 0 goto end\n" + destroy + use + end, "R1 must be referenced or trusted");
  refuses(next + destroy + "if r6 == 0 goto out\n" + use + end, "R1 must be referenced or trusted");
}

}  // namespace
}  // namespace ring3::verifier
