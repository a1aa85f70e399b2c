// behaviour.md A.1: what a host may register, and what it is told otherwise.
#include <gtest/gtest.h>

#include <string>

#include "struct_ops/registry.h"
#include "tests/support/ops_btf.h"

namespace ring3::struct_ops {
namespace {

using test::OpsBtf;

class NullHost : public StructOpsHost {
 public:
  Result<void> init() override { return init_answer; }
  Result<void> reg(StructOpsInstance&, StructOpsAttachment&) override { return {}; }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override {}
  Result<void> init_answer;
};

class TypeCheckTest : public ::testing::Test {
 protected:
  Errno refused(OpsBtf& btf, StructOpsDef def) {
    text_ = StringSink();
    if (def.host == nullptr) def.host = &host_;
    const auto types = btf.finish();
    EXPECT_NE(types, nullptr) << btf.text_;
    Result<const OpsType*> type = registry_.add(def, types, text_);
    return type.ok() ? Errno{} : type.error();
  }
  const OpsType* accepted(OpsBtf& btf, StructOpsDef def) {
    def.host = &host_;
    Result<const OpsType*> type = registry_.add(def, btf.finish(), text_);
    EXPECT_TRUE(type.ok()) << text_.text();
    return type.ok() ? *type : nullptr;
  }
  bool said(std::string_view what) { return text_.text().find(what) != std::string::npos; }

  NullHost host_;
  exec::CodeMemory code_;
  NullSink log_;
  Registry registry_{code_, log_};
  StringSink text_;
};

TEST_F(TypeCheckTest, LayoutOfAnOrdinaryType) {
  OpsBtf btf;
  btf.ops("two_ops", 24,
          {{"first", btf.fn(btf.int_, {btf.int_, btf.int_}), 0},
           {"flags", btf.u32_, 64},
           {"second", btf.fn(0, {btf.object_ptr_}), 128}});
  const OpsType* type = accepted(btf, {.name = "two_ops", .size_bytes = 24, .sleepable = {16}});
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->wrapper, btf.wrapper_);
  EXPECT_EQ(type->wrapper_size, 88u);
  EXPECT_EQ(type->ops_off, 64u);
  EXPECT_EQ(type->count_off, 0u);
  EXPECT_EQ(type->state_off, 4u);
  ASSERT_EQ(type->members.size(), 3u);
  EXPECT_TRUE(type->members[0].is_function);
  EXPECT_FALSE(type->members[1].is_function);
  EXPECT_TRUE(type->facts->members[2].sleepable_allowed);
  EXPECT_FALSE(type->facts->members[0].sleepable_allowed);
  EXPECT_TRUE(type->facts->members[0].supported);
  EXPECT_FALSE(type->is_padding[64 + 8]);
  EXPECT_TRUE(type->is_padding[64 + 12]);
  EXPECT_TRUE(type->is_padding[8]);
  EXPECT_EQ(registry_.find_by_wrapper(*type->facts->btf, btf.wrapper_), type);
  EXPECT_EQ(registry_.find_by_wrapper(*type->facts->btf, btf.wrapper_ + 1), nullptr);
}

TEST_F(TypeCheckTest, RefusesNames) {
  OpsBtf btf;
  btf.ops("t", 8, {{"f", btf.fn(0, {}), 0}});
  btf.b.add_struct("bare", 8, {{"f", btf.u64_, 0}});
  EXPECT_EQ(refused(btf, {.name = std::string(120, 'x')}), Errno::kInval);
  EXPECT_TRUE(said("too long"));
  EXPECT_EQ(refused(btf, {.name = "missing"}), Errno::kInval);
  EXPECT_TRUE(said("Cannot find struct missing"));
  EXPECT_EQ(refused(btf, {.name = "bare"}), Errno::kInval);
  EXPECT_TRUE(said("Cannot find struct bpf_struct_ops_bare"));
}

TEST_F(TypeCheckTest, RefusesAWrapperOfAnotherShape) {
  OpsBtf btf;
  const auto t = btf.b.add_struct("t", 8, {{"f", btf.fn(0, {}), 0}});
  btf.b.add_struct("bpf_struct_ops_t", 80, {{"common", btf.common_, 0}, {"data", t, 512}, {"more", btf.u64_, 576}});
  EXPECT_EQ(refused(btf, {.name = "t"}), Errno::kInval);
  EXPECT_TRUE(said("must have two members"));

  OpsBtf other;
  const auto u = other.b.add_struct("u", 8, {{"f", other.fn(0, {}), 0}});
  other.b.add_struct("bpf_struct_ops_u", 72, {{"common", other.u64_, 0}, {"data", u, 512}});
  EXPECT_EQ(refused(other, {.name = "u"}), Errno::kInval);
}

TEST_F(TypeCheckTest, RefusesSixtyFiveMembers) {
  for (const std::uint32_t count : {64u, 65u}) {
    OpsBtf btf;
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < count; ++i) names.push_back("m" + std::to_string(i));
    std::vector<btf::Builder::NewMember> members;
    for (std::uint32_t i = 0; i < count; ++i) members.push_back({names[i], btf.u64_, i * 64});
    const std::string name = "many" + std::to_string(count);
    btf.ops(name, count * 8, members);
    EXPECT_EQ(refused(btf, {.name = name}), count == 64 ? Errno{} : Errno::kInval);
  }
}

TEST_F(TypeCheckTest, RefusesMembersItCannotCarry) {
  OpsBtf bits;
  bits.ops("bits", 8, {{"b", bits.u32_, 0, 3}});
  EXPECT_EQ(refused(bits, {.name = "bits"}), Errno::kOpNotSupp);
  EXPECT_TRUE(said("bit field member b"));

  OpsBtf anonymous;
  const auto inner = anonymous.b.add_struct("", 8, {{"x", anonymous.u64_, 0}});
  anonymous.ops("anon", 8, {{"", inner, 0}});
  EXPECT_EQ(refused(anonymous, {.name = "anon"}), Errno::kOpNotSupp);

  OpsBtf wide;
  const auto pair = wide.b.add_struct("pair", 16, {{"a", wide.u64_, 0}, {"b", wide.u64_, 64}});
  wide.ops("wide", 8, {{"f", wide.fn(pair, {}), 0}});
  EXPECT_EQ(refused(wide, {.name = "wide"}), Errno::kOpNotSupp);
  EXPECT_TRUE(said("func ptr f"));

  OpsBtf floats;
  const auto d = floats.b.add_float("double", 8);
  floats.ops("floats", 8, {{"f", floats.fn(0, {d}), 0}});
  EXPECT_EQ(refused(floats, {.name = "floats"}), Errno::kOpNotSupp);
}

TEST_F(TypeCheckTest, RefusesWhatTheHostGotWrong) {
  OpsBtf btf;
  btf.ops("t", 8, {{"f", btf.fn(0, {}), 0}});
  EXPECT_EQ(refused(btf, {.name = "t", .size_bytes = 16}), Errno::kInval);
  EXPECT_TRUE(said("sizeof is 16 bytes in C++ and 8 in the BTF"));
  EXPECT_EQ(refused(btf, {.name = "t", .sleepable = {4}}), Errno::kInval);
  EXPECT_EQ(refused(btf, {.name = "t", .writable = {{"object", 8, 16}}}), Errno::kInval);
  host_.init_answer = Errno::kNoDev;
  EXPECT_EQ(refused(btf, {.name = "t"}), Errno::kInval);
  EXPECT_TRUE(said("Error in init"));
  host_.init_answer = {};
  EXPECT_EQ(refused(btf, {.name = "t"}), Errno{});
}

TEST_F(TypeCheckTest, WhatArgumentsAreKnownToBeBeginsWithWhatTheyAreDeclaredAs) {
  OpsBtf btf;
  const auto small = btf.b.add_struct("small", 4, {{"a", btf.u32_, 0}});
  const auto large = btf.b.add_struct("large", 8, {{"small", small, 0}, {"b", btf.u32_, 32}});
  btf.ops("t", 8, {{"f", btf.fn(0, {btf.b.add_ptr(small)}), 0}});
  EXPECT_EQ(refused(btf, {.name = "t", .known = {{"large", "small"}}}), Errno::kInval);
  EXPECT_TRUE(said("a struct small is no struct large"));
  EXPECT_EQ(refused(btf, {.name = "t", .known = {{"small", "large"}}, .test_run = true}), Errno::kInval);
  EXPECT_TRUE(said("exclude each other"));
  EXPECT_EQ(refused(btf, {.name = "t", .denied = {{4, 1}}}), Errno::kInval);
  const OpsType* type = accepted(btf, {.name = "t", .known = {{"small", "large"}}, .denied = {{0, 1}}});
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->facts->known_args.at(0).is, large);
  EXPECT_EQ(type->facts->members[0].denied_helpers, std::vector<std::uint32_t>{1});
}

TEST_F(TypeCheckTest, RefusesASecondRegistration) {
  OpsBtf btf;
  btf.ops("t", 8, {{"f", btf.fn(0, {}), 0}});
  const auto types = btf.finish();
  ASSERT_TRUE(registry_.add({.name = "t", .host = &host_}, types, text_).ok());
  EXPECT_EQ(registry_.add({.name = "t", .host = &host_}, types, text_).error(), Errno::kExist);
}

TEST_F(TypeCheckTest, CodeAroundProgramsIsPlain) {
  const auto with = [&](StructOpsDef::Code prologue, StructOpsDef::Code epilogue) {
    OpsBtf btf;
    btf.ops("one_ops", 8, {{"first", btf.fn(btf.int_, {btf.int_}), 0}});
    StructOpsDef def{.name = "one_ops"};
    if (!prologue.insns.empty()) def.prologues = {std::move(prologue)};
    if (!epilogue.insns.empty()) def.epilogues = {std::move(epilogue)};
    return refused(btf, def);
  };
  constexpr std::uint64_t kLoad = 0x1679, kExit = 0x95, kCall = 0x0000000500000085, kJumpOut = 0x00020005, kWriteFp = 0x0000000100000ab7;
  EXPECT_EQ(with({0, {kExit}}, {}), Errno::kInval);
  EXPECT_EQ(with({0, {kCall}}, {}), Errno::kInval);
  EXPECT_EQ(with({0, {kJumpOut, kLoad}}, {}), Errno::kInval);
  EXPECT_EQ(with({0, {kWriteFp}}, {}), Errno::kInval);
  EXPECT_EQ(with({0, {0x1179}}, {}), Errno::kInval) << "r1 stays";
  EXPECT_EQ(with({}, {0, {kLoad}}), Errno::kInval);
  EXPECT_TRUE(said("is not plain code that ends with exit"));
  EXPECT_EQ(with({8, {kLoad}}, {}), Errno::kInval);
  EXPECT_TRUE(said("no function member at offset 8 (prologue)"));
  EXPECT_EQ(with({0, {kLoad}}, {0, {kLoad, kExit}}), Errno{});
}

TEST_F(TypeCheckTest, StubsDecideWhatIsSupported) {
  struct Ops {
    void (*f)();
    void (*g)();
  };
  static const Ops stubs = {.f = [] {}, .g = nullptr};
  OpsBtf btf;
  btf.ops("t", 16, {{"f", btf.fn(0, {}), 0}, {"g", btf.fn(0, {}), 64}});
  const OpsType* type = accepted(btf, {.name = "t", .size_bytes = sizeof(Ops), .stubs = &stubs});
  ASSERT_NE(type, nullptr);
  EXPECT_TRUE(type->facts->members[0].supported);
  EXPECT_FALSE(type->facts->members[1].supported);
  EXPECT_EQ(type->members[0].stub, reinterpret_cast<const void*>(stubs.f));
}

TEST_F(TypeCheckTest, AnnotationsComeFromTheStubsParameterNames) {
  OpsBtf btf;
  btf.ops("t", 8, {{"f", btf.fn(btf.int_, {btf.object_ptr_, btf.object_ptr_, btf.int_}), 0}});
  const auto proto =
      btf.b.add_proto(btf.int_, {{"a", btf.object_ptr_}, {"b__nullable", btf.object_ptr_}, {"n", btf.int_}});
  btf.b.add_func("t__f", proto, btf::Linkage::kGlobal);
  const OpsType* type = accepted(btf, {.name = "t", .annotated = {0}});
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->facts->members[0].nullable_args, 0b010u);
  EXPECT_EQ(type->facts->members[0].ref_args, 0u);
}

TEST_F(TypeCheckTest, AnnotationsThatDoNotFitAreRefused) {
  const auto with_stub = [this](auto make_params) {
    OpsBtf btf;
    btf.ops("t", 8, {{"f", btf.fn(0, {btf.object_ptr_, btf.int_}), 0}});
    btf.b.add_func("t__f", btf.b.add_proto(0, make_params(btf)), btf::Linkage::kGlobal);
    return refused(btf, {.name = "t"});
  };
  using Params = std::vector<btf::Builder::NewParam>;
  EXPECT_EQ(with_stub([](OpsBtf& b) { return Params{{"a", b.object_ptr_}}; }), Errno::kInval);
  EXPECT_TRUE(said("takes 1 arguments, member f takes 2"));
  EXPECT_EQ(with_stub([](OpsBtf& b) { return Params{{"a", b.object_ptr_}, {"n__nullable", b.int_}}; }), Errno::kInval);
  EXPECT_TRUE(said("not a pointer to a struct"));
  EXPECT_EQ(with_stub([](OpsBtf& b) { return Params{{"a__ref", b.b.add_ptr(b.common_)}, {"n", b.int_}}; }), Errno::kInval);
  EXPECT_TRUE(said("different types"));

  OpsBtf bare;
  bare.ops("t", 8, {{"f", bare.fn(0, {bare.object_ptr_}), 0}});
  EXPECT_EQ(refused(bare, {.name = "t", .annotated = {0}}), Errno::kNoEnt);
}

}  // namespace
}  // namespace ring3::struct_ops
