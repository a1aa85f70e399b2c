// Exceptions through verify(): where a throw may happen, and what the exception callback has to be.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::slots_of;
using testing::TestProgram;
using testing::parsed;
using btf::Builder;
using btf::TypeId;

/// A host with bpf_throw, a read section, and a pair that acquires and releases.
class Host final : public testing::HostNames {
 public:
  Host() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8);
    const TypeId obj = b.add_ptr(b.add_struct("host_obj", 8, {{"a", u64, 0}}));
    b.add_func("bpf_throw", b.add_proto(0, {{"cookie", u64}}), btf::Linkage::kStatic);
    b.add_func("bpf_rcu_read_lock", b.add_proto(0, std::initializer_list<Builder::NewParam>{}), btf::Linkage::kStatic);
    b.add_func("bpf_rcu_read_unlock", b.add_proto(0, std::initializer_list<Builder::NewParam>{}), btf::Linkage::kStatic);
    b.add_func("obj_get", b.add_proto(obj, std::initializer_list<Builder::NewParam>{}), btf::Linkage::kStatic);
    b.add_func("obj_put", b.add_proto(0, {{"obj", obj}}), btf::Linkage::kStatic);
    facts.host_btf = parsed(b);
    for (const char* name : {"bpf_throw", "bpf_rcu_read_lock", "bpf_rcu_read_unlock", "obj_get", "obj_put"}) {
      const std::uint32_t flags = name == std::string_view("obj_get")   ? model::kKfuncAcquire | model::kKfuncRetNull
                                  : name == std::string_view("obj_put") ? std::uint32_t{model::kKfuncRelease}
                                                                        : 0u;
      facts.kfuncs.push_back({.name = name, .btf = facts.host_btf, .func = facts.host_btf->find(name, btf::Kind::kFunc), .flags = flags});
    }
  }
};

/// One function of the program: its code, and what its BTF says.
struct Function {
  std::string name, code;
  std::uint32_t params = 0;
  bool global = true, returns_pointer = false;
};

class ExceptionsTest : public ::testing::Test {
 protected:
  /// tags: exception callbacks that main names. Calls between functions are written as "call pc+N" (instructions).
  std::string judge(const std::vector<Function>& functions, const std::vector<std::string>& tags = {},
                    std::uint32_t prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS, std::uint32_t attach_type = 0) {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), nothing = b.add_ptr(0);
    std::vector<FuncInfo> info;
    std::string text;
    std::uint32_t at = 0;
    for (const Function& f : functions) {
      std::vector<Builder::NewParam> params(f.params, Builder::NewParam{"a", u64});
      const TypeId func = b.add_func(f.name, b.add_proto(f.returns_pointer ? nothing : u64, params),
                                     f.global ? btf::Linkage::kGlobal : btf::Linkage::kStatic);
      info.push_back({at, func});
      at += static_cast<std::uint32_t>(slots_of(f.code, &host_));
      text += f.code;
    }
    for (const std::string& tag : tags) b.add_decl_tag("exception_callback:" + tag, info[0].type);
    TestProgram program(text, &host_);
    program.input.prog_type = prog_type;
    program.input.attach_type = attach_type;
    program.input.btf = parsed(b);
    program.input.func_info = info;
    return program.judge(host_.facts, &verified_);
  }
  void expect_refused(const std::string& said, std::string_view words) { EXPECT_NE(said.find(words), std::string::npos) << said; }

  static Function main(std::string code) { return {.name = "main", .code = std::move(code)}; }
  Host host_;
  VerifiedProgram verified_;
};

constexpr const char* kThrow = "r1 = 7\ncall bpf_throw\nr0 = 0\nexit\n";

TEST_F(ExceptionsTest, AThrowEndsTheProgram) {
  // What follows would be refused.
  EXPECT_EQ(judge({main("r1 = 7\ncall bpf_throw\nr0 = *(u64 *)(r9 + 0)\nexit\n")}), "accepted");
  EXPECT_TRUE(verified_.not_runnable.empty());
}

TEST_F(ExceptionsTest, NothingIsOwnedWhereItThrows) {
  expect_refused(judge({main(std::string("call obj_get\nif r0 == 0 goto out\n") + kThrow + "out:\nr0 = 0\nexit\n")}),
                 "Unreleased reference");
  EXPECT_EQ(judge({main(std::string("call obj_get\nif r0 == 0 goto out\nr1 = r0\ncall obj_put\n") + kThrow +
                        "out:\nr0 = 0\nexit\n")}),
            "accepted");
}

TEST_F(ExceptionsTest, NoSectionIsOpenWhereItThrows) {
  expect_refused(judge({main(std::string("call bpf_rcu_read_lock\n") + kThrow)}),
                 "bpf_throw cannot be used inside bpf_rcu_read_lock-ed region");
}

TEST_F(ExceptionsTest, AGlobalFunctionMayThrowOnlyWhereItsCallerOwnsNothing) {
  const Function thrower{.name = "thrower", .code = kThrow};
  expect_refused(judge({main("call obj_get\nif r0 == 0 goto out\nr6 = r0\ncall pc+4\nr1 = r6\ncall obj_put\n"
                             "out:\nr0 = 0\nexit\n"),
                        thrower}),
                 "Unreleased reference");
  EXPECT_EQ(judge({main("call pc+1\nexit\n"), thrower}), "accepted");
}

TEST_F(ExceptionsTest, TheCallbackTakesANumberAndReturnsWhatMainMay) {
  const Function good{.name = "handler", .code = "r0 = r1\nexit\n", .params = 1};
  EXPECT_EQ(judge({main(kThrow), good}, {"handler"}), "accepted");
  ASSERT_EQ(verified_.subprogs.size(), 2u);
  EXPECT_TRUE(verified_.subprogs[1].is_exception_callback);

  Function two = good, pointer = good, local = good;
  two.params = 2;
  pointer.returns_pointer = true;
  local.global = false;
  expect_refused(judge({main(kThrow), two}, {"handler"}), "exception cb only supports single integer argument");
  expect_refused(judge({main(kThrow), pointer}, {"handler"}), "Global function handler() doesn't return scalar.");
  expect_refused(judge({main(kThrow), local}, {"handler"}), "must have global linkage");
  expect_refused(judge({main(kThrow), good}, {"nobody"}), "could not be found in BTF");
  expect_refused(judge({main(kThrow), good}, {"handler", "handler"}), "multiple exception callback tags");
}

TEST_F(ExceptionsTest, WhatIsThrownIsWhatMainReturns) {
  // CGROUP_SKB returns 0 or 1.
  expect_refused(judge({main(kThrow)}, {}, uapi::BPF_PROG_TYPE_CGROUP_SKB), "At program exit the register R1 has smin=7 smax=7");
  EXPECT_EQ(judge({main("r1 = 1\ncall bpf_throw\nr0 = 0\nexit\n")}, {}, uapi::BPF_PROG_TYPE_CGROUP_SKB), "accepted");
  const Function unknown{.name = "handler", .code = "r0 = r1\nexit\n", .params = 1};
  expect_refused(judge({main(kThrow), unknown}, {"handler"}, uapi::BPF_PROG_TYPE_CGROUP_SKB), "At program exit the register R0");
}

TEST_F(ExceptionsTest, NobodyCallsTheCallback) {
  const Function handler{.name = "handler", .code = "r0 = r1\nexit\n", .params = 1};
  expect_refused(judge({main("r1 = 0\ncall pc+1\nexit\n"), handler}, {"handler"}), "cannot call exception cb directly");
}

TEST_F(ExceptionsTest, TheCallbackDoesNotThrow) {
  const Function handler{.name = "handler", .code = kThrow, .params = 1};
  expect_refused(judge({main(kThrow), handler}, {"handler"}), "cannot be called from callback subprog");
}

TEST_F(ExceptionsTest, WhatTheCallbackCallsEnds) {
  const Function handler{.name = "handler", .code = "call pc+1\nexit\n", .params = 1};
  const Function ends{.name = "again", .code = "r0 = 0\nexit\n"}, again{.name = "again", .code = "call pc-1\nexit\n"};
  EXPECT_EQ(judge({main(kThrow), handler, ends}, {"handler"}), "accepted");
  expect_refused(judge({main(kThrow), handler, again}, {"handler"}), "call stack of 8 frames is too deep");
}

}  // namespace
}  // namespace ring3::verifier
