// Functions of other programs as targets, through verify(): what programs compiled by clang do not reach
// (those are tests/integration/libbpf_d_checks_test.cc).
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using btf::Builder;
using btf::Linkage;
using btf::TypeId;
using model::GlobalArg;
using testing::parsed;
using testing::TestProgram;

constexpr std::string_view kNoSubprog = "Subprog original doesn't exist";

/// A target with one function, `original`, and what attaches to it, `mine`; both take one parameter.
struct Case {
  std::uint32_t prog_type = uapi::BPF_PROG_TYPE_EXT;
  std::uint32_t attach_type = 0;
  std::uint32_t target_type = uapi::BPF_PROG_TYPE_SCHED_CLS;
  std::function<TypeId(Builder&)> param = [](Builder& b) { return b.add_int("int", 4, 1); };
  std::string text = "r0 = 0\nexit\n";
  std::vector<std::string> tags = {};
  Linkage linkage = Linkage::kGlobal;
  bool with_info = true;
  std::function<void(model::ProgramFacts&, model::AttachTarget&)> change = [](model::ProgramFacts&, model::AttachTarget&) {};
};

class ProgramTargetTest : public ::testing::Test {
 protected:
  ProgramTargetTest() {
    Builder b;
    b.add_struct("task_struct", 16, {{"pid", b.add_int("u64", 8), 0}});
    b.add_struct("sk_buff", 16, {{"len", 1, 0}});
    host_.facts.host_btf = parsed(b);
  }
  std::string judge(const Case& c) {
    Builder b;
    const TypeId result = b.add_int("int", 4, 1);
    const TypeId param = c.param(b);
    const TypeId original = b.add_func("original", b.add_proto(result, {{"a", param}}), Linkage::kGlobal);
    const TypeId mine = b.add_func("mine", b.add_proto(result, {{"b", param}}), c.linkage);
    for (const std::string& tag : c.tags) b.add_decl_tag(tag, mine, 0);
    const auto btf = parsed(b);
    auto facts = std::make_shared<model::ProgramFacts>();
    facts->type = facts->acts_as = c.target_type;
    facts->btf = btf;
    facts->host_btf = host_.facts.host_btf;
    facts->functions.push_back({.func = original, .is_global = true, .is_typed = true, .args = {GlobalArg{}}});
    TestProgram program(c.text, &host_);
    const std::vector<FuncInfo> info{{0, mine}};
    program.input.prog_type = c.prog_type;
    program.input.attach_type = c.attach_type;
    program.input.btf = btf;
    if (c.with_info) program.input.func_info = info;
    model::AttachTarget target{.kind = model::AttachTarget::Kind::kProgramFunction, .btf = btf, .type = original};
    c.change(*facts, target);
    target.program = target.kind == model::AttachTarget::Kind::kProgramFunction ? facts : nullptr;
    program.input.target = target;
    return program.judge(host_.facts, &verified_);
  }
  void refused(const Case& c, std::string_view words) {
    const std::string said = judge(c);
    EXPECT_NE(said.find(words), std::string::npos) << said;
  }
  static void set_args(model::ProgramFacts& facts, GlobalArg arg) { facts.functions[0].args = {arg}; }

  testing::HostNames host_;
  VerifiedProgram verified_;
};

TEST_F(ProgramTargetTest, NamesAFunctionThatTheTargetHas) {
  EXPECT_EQ(judge({}), "accepted");
  refused({.change = [](auto&, auto& t) { t.kind = model::AttachTarget::Kind::kNone; }}, "Cannot replace kernel functions");
  refused({.change = [](auto&, auto& t) { t.type = 0; }}, "Tracing programs must provide btf_id");
  refused({.change = [](auto&, auto& t) { t.type = 99; }}, "attach_btf_id 99 is invalid");
  refused({.change = [](auto& f, auto&) { f.btf = nullptr; }}, "can only be attached to another program annotated with BTF");
  refused({.change = [](auto&, auto& t) { t.type = 1; }}, "Subprog int doesn't exist");
  refused({.change = [](auto& f, auto&) { f.functions.clear(); }}, kNoSubprog);
  refused({.prog_type = uapi::BPF_PROG_TYPE_TRACING, .attach_type = uapi::BPF_TRACE_FENTRY, .change = [](auto& f, auto&) { f.functions.clear(); }},
          kNoSubprog);
}

TEST_F(ProgramTargetTest, ExceptionCallbacksAreLeftAlone) {
  const auto handler = [](auto& f, auto&) { f.functions[0].is_exception_callback = true; };
  refused({.change = handler}, "Extension programs cannot attach to exception callback");
  refused({.prog_type = uapi::BPF_PROG_TYPE_TRACING, .attach_type = uapi::BPF_TRACE_FEXIT, .change = handler},
          "FENTRY/FEXIT programs cannot attach to exception callback");
}

TEST_F(ProgramTargetTest, ReplacementsAreGlobalFunctionsWithRecords) {
  refused({.with_info = false}, "Program extension requires BTF");
  refused({.linkage = Linkage::kStatic}, "mine() is not a global function");
  refused({.change = [](auto& f, auto&) { f.functions[0].is_global = false; }}, "original() is not a global function");
  refused({.change = [](auto& f, auto&) { f.functions[0].is_typed = false; }}, "Cannot replace static functions");
}

TEST_F(ProgramTargetTest, RelyOnWhatIsPromised) {
  using Kind = GlobalArg::Kind;
  const auto to_struct = [](const char* name) {
    return [name](Builder& b) { return b.add_ptr(b.add_struct(name, 8, {{"x", 1, 0}})); };
  };
  const auto promise = [](GlobalArg arg) { return [arg](auto& f, auto&) { set_args(f, arg); }; };
  const Case memory{.param = to_struct("mine"), .change = promise({.kind = Kind::kMem, .nullable = true, .mem_bytes = 8})};
  EXPECT_EQ(judge(memory), "accepted");
  Case less = memory;
  less.change = promise({.kind = Kind::kMem, .nullable = true, .mem_bytes = 4});
  refused(less, "arg0 of mine() relies on more than original() is entered with");
  less = memory;
  less.tags = {"arg:nonnull"};
  refused(less, "relies on more");
  less = memory;
  less.change = promise({.kind = Kind::kCtx});
  refused(less, "relies on more");
  const Case trusted{.param = to_struct("task_struct"), .tags = {"arg:trusted"},
                     .change = promise({.kind = Kind::kHostStruct, .trusted = true, .btf = 0, .type = 2})};
  Case same = trusted;
  const TypeId task = host_.facts.host_btf->find("task_struct", btf::Kind::kStruct);
  same.change = promise({.kind = Kind::kHostStruct, .trusted = true, .btf = 0, .type = task});
  EXPECT_EQ(judge(same), "accepted");
  same.change = promise({.kind = Kind::kHostStruct, .trusted = true, .btf = 0, .type = task + 1});
  refused(same, "relies on more");
  same.change = promise({.kind = Kind::kHostStruct, .nullable = true, .trusted = true, .btf = 0, .type = task});
  refused(same, "relies on more");
  same.change = promise({.kind = Kind::kMem, .mem_bytes = 16});
  refused(same, "relies on more");
  same.change = [task](auto& f, auto&) {
    set_args(f, {.kind = Kind::kHostStruct, .trusted = true, .btf = 0, .type = task});
    f.host_btf = nullptr;  // of another host
  };
  refused(same, "relies on more");
}

/// A replacement never sleeps, and where the original may be entered outside of a read section, it is walked outside of one too.
TEST_F(ProgramTargetTest, WalkedWhereTheOriginalIsEntered) {
  ASSERT_EQ(judge({}), "accepted");
  const std::uint32_t once = verified_.stats.insns_processed;
  const auto outside = [](auto& f, auto&) { f.functions[0].entered_outside_sections = true; };
  ASSERT_EQ(judge({.change = outside}), "accepted");
  EXPECT_EQ(verified_.stats.insns_processed, 2 * once);
  EXPECT_TRUE(verified_.functions[0].entered_outside_sections);
  const std::string sleeps = "r1 = r10\nr1 += -8\nr2 = 8\nr3 = 0\ncall bpf_copy_from_user\nr0 = 0\nexit\n";
  refused({.target_type = uapi::BPF_PROG_TYPE_SYSCALL, .text = sleeps, .change = outside}, "");
}

/// Their types belong to what the target is attached to.
TEST_F(ProgramTargetTest, ContextsOfTypedTargetsAreNotRead) {
  const Case reads{.target_type = uapi::BPF_PROG_TYPE_TRACING, .param = [](Builder& b) { return b.add_ptr(b.add_struct("args", 8, {{"x", 1, 0}})); },
                   .text = "r0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n", .tags = {"arg:ctx"},
                   .change = [](auto& f, auto&) {
                     f.attach_type = f.acts_at = uapi::BPF_TRACE_RAW_TP;
                     set_args(f, {.kind = GlobalArg::Kind::kCtx});
                   }};
  refused(reads, "invalid bpf_context access off=0 size=8");
  Case passes = reads;
  passes.text = "r0 = 0\nexit\n";
  EXPECT_EQ(judge(passes), "accepted");
}

/// A host with the kernel's struct: judged by its fields, and not run.
TEST_F(ProgramTargetTest, TracersSeeTheKernelsContext) {
  const Case reads{.prog_type = uapi::BPF_PROG_TYPE_TRACING, .attach_type = uapi::BPF_TRACE_FENTRY,
                   .param = [](Builder& b) { return b.add_ptr(b.add_struct("__sk_buff", 8, {{"len", 1, 0}})); },
                   .text = "r1 = *(u64 *)(r1 + 0)\nr0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n"};
  EXPECT_EQ(judge(reads), "accepted");
  EXPECT_FALSE(verified_.not_runnable.empty());
  Case other = reads;
  other.target_type = uapi::BPF_PROG_TYPE_XDP;
  refused(other, "invalid bpf_context access off=0 size=8");
  Case replacement = other;  // the target is a replacement, and acts as a classifier
  replacement.target_type = uapi::BPF_PROG_TYPE_EXT;
  replacement.change = [](auto& f, auto&) { f.acts_as = uapi::BPF_PROG_TYPE_SCHED_CLS; };
  EXPECT_EQ(judge(replacement), "accepted");
}

}  // namespace
}  // namespace ring3::verifier
