// The D checks of one program's own functions: depth of calls, stack, recursion, and what callers of global ones owe.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "btf/builder.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

using btf::Builder;

class Functions : public World {
 protected:
  /// Functions in text, main first. Those behind it are int f(struct pair *), global, with `tag` on their argument.
  /// array: what map[name:m0] is; with one, they are static.
  long load_typed(const std::vector<std::string>& functions, const char* tag = nullptr, long array = 0) {
    Builder b;
    const auto i32 = b.add_int("int", 4, 1);
    const auto pair = b.add_ptr(b.add_struct("pair", 16, {{"a", i32, 0}, {"b", i32, 64}}));
    const auto ctx = b.add_ptr(b.add_struct("__sk_buff", 4, {{"len", i32, 0}}));
    const auto main_proto = b.add_proto(i32, {{"skb", ctx}}), proto = b.add_proto(i32, {{"p", pair}});
    std::string text;
    std::vector<std::uint32_t> records;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const auto func = b.add_func(i == 0 ? "main" : "f" + std::to_string(i), i == 0 ? main_proto : proto,
                                   i == 0 || array == 0 ? btf::Linkage::kGlobal : btf::Linkage::kStatic);
      if (i != 0 && tag != nullptr) b.add_decl_tag(tag, func, 0);
      records.insert(records.end(), {at, func});
      text += functions[i];
      at += static_cast<std::uint32_t>(std::count(functions[i].begin(), functions[i].end(), '\n') -
                                       std::count(functions[i].begin(), functions[i].end(), ':'));
    }
    PreparedLoad load = bpf().prepare({.text = text, .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS, .map_fds = {static_cast<std::int32_t>(array)}});
    load.attr.prog_btf_fd = static_cast<std::uint32_t>(bpf().load_btf(b.finish()));
    load.attr.func_info = reinterpret_cast<std::uintptr_t>(records.data());
    load.attr.func_info_rec_size = 8;
    load.attr.func_info_cnt = static_cast<std::uint32_t>(records.size() / 2);
    const long result = bpf().bpf(uapi::BPF_PROG_LOAD, load.attr);
    log_text_ = load.log.data();
    return result;
  }
  long load(const std::string& text) {
    const long result = bpf().load({.text = text, .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
    log_text_ = bpf().log();
    return result;
  }
  void refuses(const std::string& text, long error, std::string_view words) {
    EXPECT_EQ(load(text), error) << text << log_text_;
    EXPECT_NE(log_text_.find(words), std::string::npos) << words << "\n" << log_text_;
  }
  void accepts(const std::string& text) { EXPECT_GT(load(text), 0) << text << log_text_; }

  std::string log_text_;
};

/// main, and functions behind it that call each other: `frames` in all.
std::string chain(int frames) {
  std::string text;
  for (int i = 1; i < frames; ++i) text += (i > 1 ? "f" + std::to_string(i - 1) + ":\n" : "") + "call f" + std::to_string(i) + "\nexit\n";
  return text + "f" + std::to_string(frames - 1) + ":\nr0 = 0\nexit\n";
}

TEST_F(Functions, D_15_EightFramesDeep) {
  accepts(chain(8));
  for (const int frames : {9, 16, 17}) refuses(chain(frames), -E2BIG, "the call stack of 9 frames is too deep");
}

TEST_F(Functions, D_16_StackOfAFunctionAndOfAChain) {
  const auto uses = [](int bytes) { return "*(u8 *)(r10 -" + std::to_string(bytes) + ") = 0\n"; };
  accepts(uses(512) + "r0 = 0\nexit\n");
  refuses(uses(513) + "r0 = 0\nexit\n", -EACCES, "invalid write to stack R10 off=-513 size=1");
  const auto both = [&](int caller, int callee) { return uses(caller) + "call f\nexit\nf:\n" + uses(callee) + "r0 = 0\nexit\n"; };
  accepts(both(256, 256));
  refuses(both(272, 272), -EACCES, "combined stack size of 2 calls is 544. Too large");
  // Each frame counts as a multiple of sixteen bytes.
  refuses(both(257, 241), -EACCES, "combined stack size of 2 calls is 528. Too large");
}

TEST_F(Functions, D_16_StackInFrontOfATailCall) {
  const long array = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1));
  ASSERT_GT(array, 0);
  const auto load_using = [&](int bytes) {
    return load_typed({"*(u64 *)(r10 -" + std::to_string(bytes) + ") = 0\ncall f1\nexit\n",
                       "f1:\nr2 = map[name:m0]\nr3 = 0\ncall bpf_tail_call\nr0 = 0\nexit\n"}, nullptr, array);
  };
  EXPECT_GT(load_using(240), 0) << log_text_;
  EXPECT_EQ(load_using(256), -EACCES);
  EXPECT_NE(log_text_.find("tail_calls are not allowed when call stack of previous frames is 256 bytes. Too large"), std::string::npos) << log_text_;
}

TEST_F(Functions, D_17_Recursion) {
  refuses("call f\nexit\nf:\ncall f\nexit\n", -E2BIG, "the call stack of 9 frames is too deep");
  refuses("call f\nexit\nf:\ncall g\nexit\ng:\ncall f\nexit\n", -E2BIG, "the call stack of 9 frames is too deep");
  // Through global functions, each of which is judged on its own.
  EXPECT_LT(load_typed({"r1 = 0\ncall f1\nexit\n", "f1:\nr1 = 0\ncall f2\nexit\n", "f2:\nr1 = 0\ncall f1\nexit\n"}), 0) << log_text_;
}

TEST_F(Functions, D_18_WhatCallersOfGlobalFunctionsOwe) {
  const std::string reads = "f1:\nif r1 == 0 goto none\nr0 = *(u32 *)(r1 +8)\nexit\nnone:\nr0 = 0\nexit\n";
  const std::string pair = "*(u64 *)(r10 -16) = 0\n*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -16\ncall f1\nexit\n";
  EXPECT_GT(load_typed({pair, reads}), 0) << log_text_;
  EXPECT_GT(load_typed({"r1 = 0\ncall f1\nexit\n", reads}), 0) << log_text_;
  // Less than what the argument points to; a number.
  EXPECT_EQ(load_typed({"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f1\nexit\n", reads}), -EINVAL);
  EXPECT_NE(log_text_.find("Caller passes invalid args into func#1 ('f1')"), std::string::npos) << log_text_;
  EXPECT_EQ(load_typed({"r1 = 5\ncall f1\nexit\n", reads}), -EINVAL);
  EXPECT_NE(log_text_.find("Caller passes invalid args into func#1 ('f1')"), std::string::npos) << log_text_;
  // What is never null.
  const std::string relies = "f1:\nr0 = *(u32 *)(r1 +8)\nexit\n";
  EXPECT_GT(load_typed({pair, relies}, "arg:nonnull"), 0) << log_text_;
  EXPECT_EQ(load_typed({pair, relies}), -EACCES);
  EXPECT_EQ(load_typed({"r1 = 0\ncall f1\nexit\n", relies}, "arg:nonnull"), -EINVAL);
  EXPECT_NE(log_text_.find("Caller passes invalid args into func#1 ('f1')"), std::string::npos) << log_text_;
  // A body that would be refused, in a function that is never called.
  const std::string wrong = "f1:\nr0 = *(u64 *)(r1 +4096)\nexit\n";
  EXPECT_GT(load_typed({"r0 = 0\nif r0 == 0 goto end\nr1 = 0\ncall f1\nend:\nexit\n", wrong}), 0) << log_text_;
  EXPECT_EQ(load_typed({pair, wrong}), -EACCES);
}

}  // namespace
}  // namespace ring3::test
