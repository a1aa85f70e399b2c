// What comes to the functions of one program: who is refused, when the program is compiled again, and what a failure leaves.
#include "prog/function_hooks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "exec/jit.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/rcu.h"
#include "tests/support/fake_host.h"

namespace ring3::prog {
namespace {

/// The interpreter, which counts, and fails when told to.
class CountingEngine final : public exec::Engine {
 public:
  using Engine::compile;
  Result<std::unique_ptr<exec::Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program, exec::Detours detours) override {
    if (fails) return Errno::kNoMem;
    ++compiled;
    last_detours = static_cast<std::size_t>(std::count_if(detours.begin(), detours.end(), [](const exec::Detour* d) { return d != nullptr; }));
    return engine_->compile(std::move(program), detours);
  }

  bool fails = false;
  int compiled = 0;
  std::size_t last_detours = 0;

 private:
  const std::unique_ptr<exec::Engine> engine_ = exec::make_interpreter();
};

std::shared_ptr<rewrite::XlatedProgram> program_of(std::string_view text, std::vector<std::uint32_t> starts) {
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble(text).value()).value();
  const auto count = static_cast<std::uint32_t>(program->insns.size());
  for (std::size_t i = 0; i < starts.size(); ++i)
    program->subprogs.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : count, 0});
  program->original_idx.resize(count);
  return program;
}

class FunctionHooksTest : public testing::Test {
 protected:
  FunctionHooksTest() {
    btf::Builder b;
    const auto i32 = b.add_int("int", 4, 1);
    const auto proto = b.add_proto(i32, {{"a", i32}});
    main_ = b.add_func("main", proto, btf::Linkage::kGlobal);
    function_ = b.add_func("function", proto, btf::Linkage::kGlobal);
    gone_ = b.add_func("gone", proto, btf::Linkage::kGlobal);
    const auto blob = b.finish();
    StringSink log;
    auto facts = std::make_shared<model::ProgramFacts>();
    facts->btf = btf::Btf::parse(blob, nullptr, log).value();
    facts->functions = {{.func = main_, .is_global = true, .is_typed = true}, {.func = function_, .is_global = true, .is_typed = true}};
    const auto program = program_of("r1 = 7\ncall f\nr0 += 100\nexit\nf: r0 = r1\nexit", {0, 4});
    EXPECT_TRUE(entry_.set_code(engine_.compile(program).value()).ok());
    EXPECT_TRUE(other_.set_code(engine_.compile(program_of("r0 = 50\nexit", {0})).value()).ok());
    hooks_ = std::make_unique<FunctionHooks>(entry_, engine_, program, facts);
    engine_.compiled = 0;
  }
  ~FunctionHooksTest() override {
    hooks_.reset();
    rcu::drain();
  }
  std::uint64_t run() { return entry_.run(nullptr); }

  btf::TypeId main_ = 0, function_ = 0, gone_ = 0;
  test::FakeHost host_;
  exec::Machine machine_{host_};
  CountingEngine engine_;
  exec::ProgramEntry entry_{machine_, {}}, other_{machine_, {}}, third_{machine_, {}};
  std::unique_ptr<FunctionHooks> hooks_;
};

TEST_F(FunctionHooksTest, CompiledAgainForTheFirstAndTheLast) {
  ASSERT_TRUE(hooks_->replace(function_, other_).ok());
  EXPECT_EQ(engine_.compiled, 1);
  EXPECT_EQ(engine_.last_detours, 1u);
  EXPECT_EQ(run(), 150u);
  hooks_->leave(function_, other_);
  EXPECT_EQ(engine_.compiled, 2);
  EXPECT_EQ(engine_.last_detours, 0u);
  EXPECT_EQ(run(), 107u);
  ASSERT_TRUE(hooks_->trace(function_, exec::TracePoint::kEntry, other_, 0).ok());
  ASSERT_TRUE(hooks_->trace(function_, exec::TracePoint::kExit, other_, 0).ok());
  EXPECT_EQ(engine_.compiled, 3);
  ASSERT_TRUE(hooks_->trace(main_, exec::TracePoint::kEntry, other_, 0).ok());
  EXPECT_EQ(engine_.compiled, 4);
  EXPECT_EQ(engine_.last_detours, 2u);
  EXPECT_EQ(run(), 107u);
  EXPECT_EQ(other_.totals().runs, 3u);
  hooks_->leave(function_, other_);
  EXPECT_EQ(engine_.last_detours, 1u);
  hooks_->leave(main_, other_);
  EXPECT_EQ(engine_.last_detours, 0u);
}

TEST_F(FunctionHooksTest, RefusesWhatDoesNotGoTogether) {
  EXPECT_EQ(hooks_->replace(gone_, other_).error(), Errno::kInval);
  EXPECT_EQ(hooks_->replace(0, other_).error(), Errno::kInval);
  ASSERT_TRUE(hooks_->replace(function_, other_).ok());
  EXPECT_EQ(hooks_->replace(function_, third_).error(), Errno::kBusy);
  EXPECT_EQ(hooks_->trace(function_, exec::TracePoint::kExit, third_, 0).error(), Errno::kBusy);
  hooks_->leave(function_, other_);
  ASSERT_TRUE(hooks_->trace(function_, exec::TracePoint::kExit, other_, 0).ok());
  EXPECT_EQ(hooks_->trace(function_, exec::TracePoint::kExit, other_, 0).error(), Errno::kBusy);
  EXPECT_EQ(hooks_->replace(function_, third_).error(), Errno::kBusy);
  hooks_->leave(function_, other_);
}

TEST_F(FunctionHooksTest, ArraysAndReplacementsKeepOut) {
  ASSERT_TRUE(hooks_->enter_array().ok());
  ASSERT_TRUE(hooks_->enter_array().ok());
  EXPECT_EQ(hooks_->replace(function_, other_).error(), Errno::kBusy);
  ASSERT_TRUE(hooks_->trace(function_, exec::TracePoint::kExit, other_, 0).ok());
  hooks_->leave(function_, other_);
  hooks_->leave_array();
  EXPECT_EQ(hooks_->replace(function_, other_).error(), Errno::kBusy);
  hooks_->leave_array();
  ASSERT_TRUE(hooks_->replace(function_, other_).ok());
  ASSERT_TRUE(hooks_->replace(main_, third_).ok());
  EXPECT_EQ(hooks_->enter_array().error(), Errno::kBusy);
  hooks_->leave(function_, other_);
  EXPECT_EQ(hooks_->enter_array().error(), Errno::kBusy);
  hooks_->leave(main_, third_);
  EXPECT_TRUE(hooks_->enter_array().ok());
}

TEST_F(FunctionHooksTest, FailuresLeaveWhatWasThere) {
  engine_.fails = true;
  EXPECT_EQ(hooks_->replace(function_, other_).error(), Errno::kNoMem);
  EXPECT_EQ(hooks_->trace(function_, exec::TracePoint::kEntry, other_, 0).error(), Errno::kNoMem);
  EXPECT_EQ(run(), 107u);
  EXPECT_TRUE(hooks_->enter_array().ok());
  hooks_->leave_array();
  engine_.fails = false;
  ASSERT_TRUE(hooks_->replace(function_, other_).ok());
  EXPECT_EQ(run(), 150u);
  // Without memory the detour stays, empty, and is used again.
  engine_.fails = true;
  hooks_->leave(function_, other_);
  EXPECT_EQ(run(), 107u);
  ASSERT_TRUE(hooks_->replace(function_, other_).ok());
  EXPECT_EQ(run(), 150u);
  engine_.fails = false;
  hooks_->leave(function_, other_);
  EXPECT_EQ(engine_.last_detours, 0u);
}

}  // namespace
}  // namespace ring3::prog
