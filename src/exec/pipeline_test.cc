// From a verified program to a C function pointer: rewrite, compile, enter, thunk. The verifier's part is
// written by hand; everything behind it is real.
#include <gtest/gtest.h>

#include <cstring>

#include "exec/engine.h"
#include "exec/helper_table.h"
#include "exec/jit.h"
#include "exec/packet.h"
#include "exec/program_entry.h"
#include "exec/thunk.h"
#include "maps/testing.h"
#include "rewrite/rewrite.h"
#include "tests/support/fake_host.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using isa::Pseudo;

constexpr std::uint8_t kFp = isa::kFrameReg;

Insn mov(std::uint8_t dst, std::int64_t imm) { return {.op = Op::kMov, .bits = 64, .dst = dst, .imm = imm}; }
Insn copy(std::uint8_t dst, std::uint8_t src) {
  return {.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = dst, .src = src};
}
Insn add(std::uint8_t dst, std::int64_t imm) { return {.op = Op::kAdd, .bits = 64, .dst = dst, .imm = imm}; }
Insn load(std::uint8_t dst, std::uint8_t src, std::int16_t off) {
  return {.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = dst, .src = src, .off = off};
}
Insn store32(std::uint8_t dst, std::int16_t off, std::uint8_t src) {
  return {.op = Op::kStore, .bits = 64, .size = 4, .src_is_reg = true, .dst = dst, .src = src, .off = off};
}
Insn add_to(std::uint8_t dst, std::uint8_t src) {
  return {.op = Op::kAtomicAdd, .bits = 64, .size = 8, .src_is_reg = true, .dst = dst, .src = src};
}
Insn wide(std::uint8_t dst, Pseudo what) {
  return {.op = Op::kLdImm64, .bits = 64, .dst = dst, .src = static_cast<std::uint8_t>(what)};
}
Insn high() { return {.op = Op::kLdImm64Hi, .bits = 64}; }
Insn helper(std::uint32_t id) { return {.op = Op::kCallHelper, .bits = 64, .imm = id}; }
Insn jeq(std::uint8_t dst, std::int64_t imm, std::int32_t by) {
  return {.op = Op::kJeq, .bits = 64, .dst = dst, .jump = by, .imm = imm};
}
Insn exit() { return {.op = Op::kExit, .bits = 64}; }

class Sink final : public verifier::LogSink {
 public:
  void write(std::string_view text) override { log.append(text); }
  std::string log;
};

class PipelineTest : public ::testing::Test {
 protected:
  ~PipelineTest() override { rcu::drain(); }

  /// A program over `map_`, walked whole. map_calls: instructions whose one map is known.
  Result<rewrite::XlatedProgram> rewritten(std::vector<Insn> insns, std::vector<verifier::WideImmediate> wides,
                                           std::initializer_list<std::uint32_t> map_calls) {
    verified_.insns.assign(insns.size(), {});
    for (auto& f : verified_.insns) f.reachable = true;
    for (const std::uint32_t idx : map_calls) verified_.insns[idx].map = 0;
    verified_.subprogs = {{.start_idx = 0, .end_idx = static_cast<std::uint32_t>(insns.size()), .stack_bytes = 8}};
    insns_ = std::move(insns);
    wides_ = std::move(wides);
    verifier::ProgramInput input;
    input.insns = insns_;
    input.wide = wides_;
    input.rights = model::Rights::all();
    maps::Map* maps[] = {map_.get()};
    return rewrite::rewrite(
        {.program = input, .verified = verified_, .facts = facts_, .maps = maps, .find_helper = find_helper}, sink_);
  }

  void enter(ProgramEntry& entry, rewrite::XlatedProgram program) {
    auto code = make_interpreter()->compile(std::make_shared<const rewrite::XlatedProgram>(std::move(program)));
    ASSERT_TRUE(code.ok());
    ASSERT_TRUE(entry.set_code(std::move(code).value()).ok());
  }

  /// Counts calls in element ctx[0] of the map; returns the count, or 0 when there is no such element.
  std::vector<Insn> counting() {
    return {
        load(1, 1, 0),
        store32(kFp, -4, 1),
        wide(1, Pseudo::kMapFd),
        high(),
        copy(2, kFp),
        add(2, -4),
        helper(uapi::BPF_FUNC_map_lookup_elem),
        jeq(0, 0, 4),
        copy(6, 0),
        mov(1, 1),
        add_to(6, 1),
        load(0, 6, 0),
        exit(),
    };
  }

  maps::testing::FakeHost map_host_;
  test::FakeHost host_;
  Machine machine_{host_};
  Ref<maps::Map> map_;
  verifier::VerifiedProgram verified_;
  model::Facts facts_;
  std::vector<Insn> insns_;
  std::vector<verifier::WideImmediate> wides_;
  Sink sink_;
};

TEST_F(PipelineTest, LegacyPacketLoadsReadNetworkOrderOrEndTheProgram) {
  std::vector<Insn> insns = {
      copy(6, 1),
      load(7, 1, 0),                                                                  // mark's place in the record: an offset
      {.op = Op::kLdAbs, .bits = 64, .size = 2, .imm = 2},
      copy(8, 0),
      {.op = Op::kLdInd, .bits = 64, .size = 4, .src_is_reg = true, .src = 7, .imm = -4},
      {.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = 0, .src = 8},
      exit(),
  };
  auto rewritten_program = rewritten(insns, {}, {});
  ASSERT_TRUE(rewritten_program.ok()) << sink_.log;
  const auto program = std::make_shared<const rewrite::XlatedProgram>(std::move(rewritten_program).value());
  const std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}};
  auto packet = Packet::make(bytes).value();
  CodeMemory memory;
  for (const auto& engine : {make_interpreter(), make_best_engine(memory)}) {
    const auto code = engine->compile(program).value();
    const auto run_at = [&](std::uint32_t off) {
      std::memcpy(&packet->record(), &off, sizeof off);
      std::memset(reinterpret_cast<char*>(&packet->record()) + 4, 0, 4);
      RunContext run;
      RunScope scope(run);
      return code->run(run, &packet->record());
    };
    EXPECT_EQ(run_at(4), 0x01020304u + 0x0304u);
    EXPECT_EQ(run_at(6), 0x03040506u + 0x0304u);
    EXPECT_EQ(run_at(7), 0u);  // the last byte is outside
    EXPECT_EQ(run_at(0), 0u);  // in front
  }
}

TEST_F(PipelineTest, ArrayLookupIsInlinedAndCounts) {
  map_ = maps::testing::make(map_host_, maps::testing::spec(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 3)).value();
  auto program = rewritten(counting(), {{.idx = 2, .pseudo = Pseudo::kMapFd, .map = 0}}, {6});
  ASSERT_TRUE(program.ok()) << sink_.log;
  EXPECT_TRUE(program->helpers.empty());  // nothing is called any more
  ProgramEntry entry(machine_, {});
  enter(entry, std::move(program).value());
  ThunkSet thunks(machine_.code);
  ThunkShape shape;
  shape.args = {ThunkArg{4, false}};
  shape.ret_bytes = 4;
  auto* count = reinterpret_cast<std::uint32_t (*)(std::uint32_t)>(thunks.add(shape, entry).value());
  EXPECT_EQ(count(1), 1u);
  EXPECT_EQ(count(1), 2u);
  EXPECT_EQ(count(2), 1u);
  EXPECT_EQ(count(3), 0u);           // outside
  EXPECT_EQ(count(UINT32_MAX), 0u);
  EXPECT_EQ(*maps::testing::find<std::uint64_t>(*map_, std::uint32_t{1}), 2u);
  EXPECT_EQ(entry.totals().runs, 5u);
}

TEST_F(PipelineTest, HashLookupCallsTheKindsOwnFunction) {
  map_ = maps::testing::make(map_host_, maps::testing::spec(uapi::BPF_MAP_TYPE_HASH, 4, 8, 3)).value();
  ASSERT_EQ(maps::testing::update(*map_, std::uint32_t{9}, std::uint64_t{40}), 0);
  auto program = rewritten(counting(), {{.idx = 2, .pseudo = Pseudo::kMapFd, .map = 0}}, {6});
  ASSERT_TRUE(program.ok()) << sink_.log;
  ASSERT_EQ(program->helpers.size(), 1u);
  EXPECT_EQ(program->helpers[0].id, rewrite::kDirectHelper);
  ProgramEntry entry(machine_, {});
  enter(entry, std::move(program).value());
  std::uint64_t ctx = 9;
  EXPECT_EQ(entry.run(&ctx), 41u);
  ctx = 8;
  EXPECT_EQ(entry.run(&ctx), 0u);
}

/// Every kind with code of its own, on both tiers: what is there is found, what is not is not.
TEST_F(PipelineTest, LookupsInLineFindWhatIsThere) {
  constexpr std::uint32_t kEntries = 64;
  const struct {
    std::uint32_t type, key_bytes;
  } kinds[] = {{uapi::BPF_MAP_TYPE_ARRAY, 4},        {uapi::BPF_MAP_TYPE_PERCPU_ARRAY, 4}, {uapi::BPF_MAP_TYPE_HASH, 4},
               {uapi::BPF_MAP_TYPE_HASH, 8},         {uapi::BPF_MAP_TYPE_HASH, 12},        {uapi::BPF_MAP_TYPE_PERCPU_HASH, 8},
               {uapi::BPF_MAP_TYPE_LRU_HASH, 8},     {uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH, 4}};
  // The key is what the context points to.
  const std::vector<Insn> insns = {copy(2, 1), wide(1, Pseudo::kMapFd), high(), helper(uapi::BPF_FUNC_map_lookup_elem),
                                   jeq(0, 0, 1), load(0, 0, 0), exit()};
  for (const auto& kind : kinds) {
    SCOPED_TRACE(std::to_string(kind.type) + " with keys of " + std::to_string(kind.key_bytes));
    map_ = maps::testing::make(map_host_, maps::testing::spec(kind.type, kind.key_bytes, 8, kEntries)).value();
    for (std::uint32_t i = 0; i < kEntries; ++i) {
      const std::uint32_t key[3] = {i, 0, 0};
      std::vector<std::uint64_t> values(map_host_.possible_cpus(), 1000 + i);
      maps::NoFds fds;
      ASSERT_TRUE(maps::update_elem(*map_, std::as_bytes(std::span(key)).first(kind.key_bytes),
                                    std::as_bytes(std::span(values)).first(map_->value_bytes()), 0, fds).ok());
    }
    verified_.touches_percpu = kind.type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY || kind.type == uapi::BPF_MAP_TYPE_PERCPU_HASH ||
                               kind.type == uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH;
    auto program = rewritten(insns, {{.idx = 1, .pseudo = Pseudo::kMapFd, .map = 0}}, {3});
    ASSERT_TRUE(program.ok()) << sink_.log;
    for (const rewrite::HelperCall& called : program->helpers) EXPECT_NE(called.id, uapi::BPF_FUNC_map_lookup_elem);
    const auto shared = std::make_shared<const rewrite::XlatedProgram>(std::move(program).value());
    CodeMemory memory;
    for (const auto& engine : {make_interpreter(), make_best_engine(memory)}) {
      ProgramEntry entry(machine_, {.touches_percpu = verified_.touches_percpu});
      ASSERT_TRUE(entry.set_code(engine->compile(shared).value()).ok());
      std::uint64_t found = 0;
      for (std::uint32_t i = 0; i < 2 * kEntries; ++i) {
        std::uint32_t key[3] = {i, 0, 0};
        const std::uint64_t result = entry.run(key);
        EXPECT_EQ(result, i < kEntries ? 1000 + i : 0) << i;
        found += result != 0;
      }
      EXPECT_EQ(found, kEntries);
    }
    rcu::drain();  // what was compiled lives in `memory`
  }
}

TEST_F(PipelineTest, DirectValueIsTheMapsMemory) {
  map_ = maps::testing::make(map_host_, maps::testing::spec(uapi::BPF_MAP_TYPE_ARRAY, 4, 16, 1)).value();
  auto program = rewritten({wide(6, Pseudo::kMapValue), high(), mov(1, 5), add_to(6, 1), load(0, 6, 0), exit()},
                           {{.idx = 0, .pseudo = Pseudo::kMapValue, .map = 0, .value_off = 8}}, {});
  ASSERT_TRUE(program.ok()) << sink_.log;
  ProgramEntry entry(machine_, {});
  enter(entry, std::move(program).value());
  EXPECT_EQ(entry.run(nullptr), 5u);
  EXPECT_EQ(entry.run(nullptr), 10u);
}

TEST_F(PipelineTest, DirectValueOutsideOrOfAnotherKindIsRefused) {
  const std::vector<Insn> insns = {wide(6, Pseudo::kMapValue), high(), mov(0, 0), exit()};
  map_ = maps::testing::make(map_host_, maps::testing::spec(uapi::BPF_MAP_TYPE_ARRAY, 4, 16, 1)).value();
  EXPECT_EQ(rewritten(insns, {{.idx = 0, .pseudo = Pseudo::kMapValue, .map = 0, .value_off = 16}}, {}).error(),
            Errno::kInval);
  map_ = maps::testing::make(map_host_, maps::testing::spec(uapi::BPF_MAP_TYPE_HASH, 4, 16, 1)).value();
  EXPECT_EQ(rewritten(insns, {{.idx = 0, .pseudo = Pseudo::kMapValue, .map = 0}}, {}).error(), Errno::kInval);
  EXPECT_NE(sink_.log.find("no direct value"), std::string::npos);
}

TEST_F(PipelineTest, UntrustedLoadsReadAsZero) {
  std::vector<Insn> insns = {load(1, 1, 0), load(0, 1, 0), add(0, 3), exit()};
  auto program = [&] {
    rewritten(insns, {}, {}).value();  // fills verified_
    verified_.insns[1].access = model::AccessKind::kUntrusted;
    verifier::ProgramInput input;
    input.insns = insns_;
    return rewrite::rewrite(
        {.program = input, .verified = verified_, .facts = facts_, .maps = {}, .find_helper = find_helper}, sink_);
  }();
  ASSERT_TRUE(program.ok()) << sink_.log;
  ProgramEntry entry(machine_, {});
  enter(entry, std::move(program).value());
  const std::uint64_t good = 4;
  std::uint64_t ctx = reinterpret_cast<std::uint64_t>(&good);
  EXPECT_EQ(entry.run(&ctx), 7u);
  ctx = 16;
  EXPECT_EQ(entry.run(&ctx), 3u);
  ctx = 0x8000'0000'0000'0000;
  EXPECT_EQ(entry.run(&ctx), 3u);
}

}  // namespace
}  // namespace ring3::exec
