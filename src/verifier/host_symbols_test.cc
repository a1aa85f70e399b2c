// Variables and functions of the host by their BTF ids, and strings for its functions.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "isa/decode.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::TextLog;
using testing::parsed;
using btf::Builder;
using btf::Linkage;
using btf::TypeId;

struct Limits2 { std::uint64_t most, least; };
const Limits2 g_limits{};
const std::uint32_t g_level = 0;
const std::uint32_t g_counts[8] = {};

/// A host with variables `limits` (a struct), `level` (a u32), `hidden` (a u32 it does not register), per CPU `counts` (a struct)
/// and `hits` (a u32), and a function host_say(const char *text__str).
class World final : public testing::HostNames {
 public:
  World() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4), letter = b.add_int("char", 1);
    const TypeId limits = b.add_struct("limits", 16, {{"most", u64, 0}, {"least", u64, 64}});
    const TypeId text = b.add_ptr(letter);
    b.add_func("host_say", b.add_proto(u32, {{"text__str", text}}), Linkage::kGlobal);
    b.add_func("host_other", b.add_proto(u32, {}), Linkage::kGlobal);
    const TypeId plain[] = {b.add_var("limits", limits, Linkage::kGlobal), b.add_var("level", u32, Linkage::kGlobal),
                            b.add_var("hidden", u32, Linkage::kGlobal)};
    const TypeId percpu[] = {b.add_var("counts", limits, Linkage::kGlobal), b.add_var("hits", u32, Linkage::kGlobal)};
    b.add_datasec(".data", 192, std::vector<btf::SecVar>{{plain[0], 0, 16}, {plain[1], 64, 4}, {plain[2], 128, 4}});
    b.add_datasec(".data..percpu", 128, std::vector<btf::SecVar>{{percpu[0], 0, 16}, {percpu[1], 64, 4}});
    facts.host_btf = parsed(b);
    add("limits", &g_limits, 0);
    add("level", &g_level, 0);
    add("counts", g_counts, 16);
    add("hits", g_counts, 4);
    facts.kfuncs.push_back({.name = "host_say", .btf = facts.host_btf, .func = id("host_say", btf::Kind::kFunc),
                            .address = reinterpret_cast<void*>(1)});
    for (const bool constant : {true, false}) {
      model::MapFacts map;
      map.id = constant ? 1 : 2;
      map.type = uapi::BPF_MAP_TYPE_ARRAY;
      map.key_size = 4;
      map.value_size = 8;
      map.max_entries = 1;
      if (constant) map.constant_value = std::as_bytes(std::span("hello\0xx", 8));
      maps.push_back(map);
    }
  }
  TypeId id(std::string_view name, btf::Kind kind) const { return facts.host_btf->find(name, kind); }

  std::vector<model::MapFacts> maps;

 private:
  void add(std::string_view name, const void* first, std::uint32_t stride) {
    facts.variables.push_back(std::make_shared<const model::HostVariable>(
        model::HostVariable{std::string(name), id(name, btf::Kind::kVar), first, stride}));
  }
};

class HostSymbolsTest : public ::testing::Test {
 protected:
  /// The log of verifying `text`, in which r1 of the wide immediates `r1 = 0 ll` is the symbol `id`, or byte `off` of map `map`.
  std::string judge(const std::string& text, TypeId id) { return judge(text, {.idx = 0, .pseudo = isa::Pseudo::kBtfId, .btf_id = id}); }
  std::string judge_string(const std::string& text, std::uint32_t map, std::uint32_t off) {
    return judge(text, {.idx = 0, .pseudo = isa::Pseudo::kMapValue, .map = map, .value_off = off});
  }
  TypeId var(std::string_view name) { return world_.id(name, btf::Kind::kVar); }

  World world_;
  std::string_view not_runnable_;

 private:
  std::string judge(const std::string& text, const WideImmediate& first) {
    isa::AssembleError wrong;
    auto slots = isa::assemble("r1 = 0 ll\n" + text + "r0 = 0\nexit\n", &wrong, &world_);
    EXPECT_TRUE(slots.ok()) << wrong.message;
    slots.value()[0].src = static_cast<std::uint8_t>(first.pseudo) & 0xf;
    const auto insns = isa::decode(slots.value(), nullptr);
    ProgramInput in;
    in.prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS;
    in.gpl_compatible = true;
    in.insns = insns.value();
    in.raw = slots.value();
    in.wide = std::span(&first, 1);
    in.maps = world_.maps;
    in.rights = model::Rights::all();
    TextLog log(1);
    auto verdict = verify(in, world_.facts, Limits{}, log);
    if (!verdict.ok()) return log.text;
    not_runnable_ = verdict.value().not_runnable;
    return "accepted";
  }
};

bool says(const std::string& log, std::string_view text) { return log.find(text) != std::string::npos; }

TEST_F(HostSymbolsTest, AVariableIsReadInsideItsBounds) {
  EXPECT_EQ(judge("r0 = *(u32 *)(r1 +0)\n", var("level")), "accepted");
  EXPECT_TRUE(says(judge("r0 = *(u64 *)(r1 +0)\n", var("level")), "invalid access to memory, mem_size=4 off=0 size=8"));
  EXPECT_EQ(judge("r0 = *(u64 *)(r1 +8)\n", var("limits")), "accepted");
  EXPECT_TRUE(says(judge("r0 = *(u64 *)(r1 +16)\n", var("limits")), "access beyond struct limits at off 16 size 8"));
}

TEST_F(HostSymbolsTest, AVariableIsNeverWritten) {
  EXPECT_TRUE(says(judge("*(u32 *)(r1 +0) = 1\n", var("level")), "R1 cannot write into rdonly_mem"));
  EXPECT_TRUE(says(judge("*(u64 *)(r1 +0) = 1\n", var("limits")), "only read is supported"));
  EXPECT_TRUE(says(judge("call bpf_this_cpu_ptr\n*(u32 *)(r0 +0) = 1\n", var("hits")), "R0 cannot write into rdonly_mem"));
}

TEST_F(HostSymbolsTest, PerCpuVariablesAreReadThroughTheirCopies) {
  EXPECT_EQ(judge("call bpf_this_cpu_ptr\nr0 = *(u32 *)(r0 +0)\n", var("hits")), "accepted");
  EXPECT_EQ(judge("call bpf_this_cpu_ptr\nr0 = *(u64 *)(r0 +8)\n", var("counts")), "accepted");
  EXPECT_TRUE(says(judge("r0 = *(u32 *)(r1 +0)\n", var("hits")), "percpu_ptr_u32"));
  EXPECT_TRUE(says(judge("call bpf_this_cpu_ptr\nr0 = *(u64 *)(r0 +0)\n", var("hits")), "mem_size=4 off=0 size=8"));
  const std::string other_cpu = "r2 = 3\ncall bpf_per_cpu_ptr\n";
  EXPECT_TRUE(says(judge(other_cpu + "r0 = *(u64 *)(r0 +0)\n", var("counts")), "invalid mem access 'ptr_or_null_'"));
  EXPECT_EQ(judge(other_cpu + "if r0 == 0 goto out\nr0 = *(u64 *)(r0 +0)\nout:\n", var("counts")), "accepted");
  EXPECT_TRUE(says(judge("call bpf_this_cpu_ptr\n", var("level")), "R1 type=rdonly_mem expected=percpu_ptr_"));
}

TEST_F(HostSymbolsTest, WhatTheHostDoesNotHaveIsSaid) {
  EXPECT_TRUE(says(judge("", var("hidden")), "failed to find the address for kernel symbol 'hidden'"));
  EXPECT_TRUE(says(judge("", world_.id("host_other", btf::Kind::kFunc)), "kernel symbol 'host_other'"));
  EXPECT_TRUE(says(judge("", 4711), "ldimm64 insn specifies invalid btf_id 4711"));
  EXPECT_TRUE(says(judge("", world_.id("limits", btf::Kind::kStruct)), "isn't KIND_VAR or KIND_FUNC"));
}

TEST_F(HostSymbolsTest, TypesAloneAreJudgedAndNotRun) {
  world_.facts.types_alone = true;
  EXPECT_EQ(judge("r0 = *(u32 *)(r1 +0)\n", var("hidden")), "accepted");
  EXPECT_FALSE(not_runnable_.empty());
  EXPECT_EQ(judge("r0 = *(u32 *)(r1 +0)\n", var("level")), "accepted");
  EXPECT_TRUE(not_runnable_.empty());
}

TEST_F(HostSymbolsTest, AFunctionsAddressIsNothingToRead) {
  const TypeId say = world_.id("host_say", btf::Kind::kFunc);
  EXPECT_EQ(judge("if r1 == 0 goto out\nr0 = 1\nout:\n", say), "accepted");
  EXPECT_TRUE(says(judge("r0 = *(u8 *)(r1 +0)\n", say), "mem_size=0 off=0 size=1"));
}

TEST_F(HostSymbolsTest, StringsForFunctionsAreConstantAndEnd) {
  EXPECT_EQ(judge_string("call host_say\n", 0, 0), "accepted");
  EXPECT_EQ(judge_string("call host_say\n", 0, 5), "accepted");
  EXPECT_TRUE(says(judge_string("call host_say\n", 0, 6), "string is not zero-terminated"));
  EXPECT_TRUE(says(judge_string("call host_say\n", 1, 0), "R1 does not point to a readonly map'"));
  EXPECT_TRUE(says(judge_string("call bpf_get_prandom_u32\nr0 &= 3\nr1 = 0 ll\n", 0, 0), "accepted"));
  EXPECT_TRUE(says(judge_string("r1 = r10\nr1 += -8\n*(u64 *)(r1 +0) = 0\ncall host_say\n", 0, 0), "arg#0 doesn't point to a const string"));
  EXPECT_TRUE(says(judge_string("r6 = r1\ncall bpf_get_prandom_u32\nr0 &= 3\nr1 = r6\nr1 += r0\ncall host_say\n", 0, 0), "R1 is not a constant address'"));
}

}  // namespace
}  // namespace ring3::verifier
