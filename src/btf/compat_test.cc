#include "btf/compat.h"

#include <gtest/gtest.h>

#include "btf/builder.h"

namespace ring3::btf {
namespace {

std::shared_ptr<const Btf> done(const Builder& b, std::shared_ptr<const Btf> base = nullptr) {
  StringSink log;
  auto r = Btf::parse(b.finish(), std::move(base), log);
  EXPECT_TRUE(r.ok()) << log.text();
  return r.value();
}

// struct list { struct list *next; u32 x; }, with a number of records before it and a size of x.
struct List {
  std::shared_ptr<const Btf> btf;
  TypeId id;
};
List make_list(int padding, std::uint32_t x_bytes) {
  Builder b;
  for (int i = 0; i < padding; ++i) b.add_fwd("pad" + std::to_string(i));
  const TypeId x = b.add_int("x_t", x_bytes);
  const TypeId list = b.next_id();
  b.add_struct("list", 16, {{"next", list + 1, 0}, {"x", x, 64}});
  b.add_ptr(list);
  return {done(b), list};
}

TEST(CompatTest, EquivalenceSeesThroughIdsAndRings) {
  const List a = make_list(0, 4), b = make_list(3, 4), c = make_list(0, 8);
  EXPECT_TRUE(is_equivalent(*a.btf, a.id, *b.btf, b.id));
  EXPECT_FALSE(is_equivalent(*a.btf, a.id, *c.btf, c.id));
  EXPECT_FALSE(is_identical(*a.btf, a.id, *c.btf, c.id));
  EXPECT_TRUE(is_identical(*a.btf, a.id, *a.btf, a.id));
}

TEST(CompatTest, SplitAndBaseShareTheBasesRecords) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  auto base = done(b);
  Builder s1(base), s2(base);
  const TypeId p1 = s1.add_ptr(u32), p2 = s2.add_ptr(u32);
  auto split1 = done(s1, base), split2 = done(s2, base);
  EXPECT_TRUE(is_identical(*split1, u32, *base, u32));
  EXPECT_TRUE(is_identical(*split1, u32, *split2, u32));
  EXPECT_FALSE(is_identical(*split1, p1, *split2, p2));
  EXPECT_TRUE(is_equivalent(*split1, p1, *split2, p2));
}

TEST(CompatTest, FlavoursDoNotCountInNames) {
  EXPECT_EQ(essential_name("task___v1"), "task");
  EXPECT_EQ(essential_name("task"), "task");
  EXPECT_EQ(essential_name("task___"), "task___");
  EXPECT_EQ(essential_name("___x"), "___x");
  EXPECT_EQ(essential_name("a___b___c"), "a___b");
  EXPECT_EQ(essential_name("a____b"), "a____b");
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  const TypeId x = b.add_struct("s", 4, {{"a", u32, 0}});
  const TypeId y = b.add_struct("s___old", 4, {{"b", u32, 0}});
  auto btf = done(b);
  EXPECT_TRUE(has_same_name(*btf, x, *btf, y));
}

TEST(CompatTest, FunctionsAreComparedByShape) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4), u64 = b.add_int("u64", 8), i32 = b.add_int("int", 4, 1);
  const TypeId ctx = b.add_struct("ctx", 4, {{"a", u32, 0}}), other = b.add_struct("other", 4, {{"a", u32, 0}});
  const TypeId ctx_p = b.add_ptr(ctx), other_p = b.add_ptr(other), u32_p = b.add_ptr(u32), i32_p = b.add_ptr(i32),
               u64_p = b.add_ptr(u64);
  const TypeId cctx = b.add_ref(Kind::kConst, ctx);
  const TypeId cctx_p = b.add_ptr(cctx);
  const auto fn = [&](const char* name, TypeId ret, std::initializer_list<Builder::NewParam> params) {
    return b.add_func(name, b.add_proto(ret, params), Linkage::kGlobal);
  };
  const TypeId f = fn("f", i32, {{"c", ctx_p}, {"n", u32}});
  const TypeId same = fn("same", i32, {{"x", cctx_p}, {"y", i32}});
  const TypeId fewer = fn("fewer", i32, {{"c", ctx_p}});
  const TypeId wide = fn("wide", i32, {{"c", ctx_p}, {"n", u64}});
  const TypeId stranger = fn("stranger", i32, {{"c", other_p}, {"n", u32}});
  const TypeId ptr_ret = fn("ptr_ret", ctx_p, {{"c", ctx_p}, {"n", u32}});
  const TypeId p1 = fn("p1", i32, {{"p", u32_p}}), p2 = fn("p2", i32, {{"p", i32_p}}), p3 = fn("p3", i32, {{"p", u64_p}});
  const TypeId hidden = b.add_func("hidden", b.add_proto(i32, {{"c", ctx_p}, {"n", u32}}), Linkage::kStatic);
  auto btf = done(b);

  const auto log_of = [&](TypeId x, TypeId y) {
    StringSink log;
    const Result<void> r = check_compatible_functions(*btf, x, *btf, y, log);
    EXPECT_EQ(r.ok(), log.text().empty());
    if (!r.ok()) {
      EXPECT_EQ(r.error(), Errno::kInval);
    }
    return log.take();
  };
  EXPECT_EQ(log_of(f, same), "");
  EXPECT_EQ(log_of(p1, p2), "");
  EXPECT_EQ(log_of(p1, p3), "p3() for p1(): arg#1: u32 * expected, u64 * found\n");
  EXPECT_EQ(log_of(f, fewer), "fewer() for f(): 2 arguments expected, 1 found\n");
  EXPECT_EQ(log_of(f, wide), "wide() for f(): arg#2: u32 expected, u64 found\n");
  EXPECT_EQ(log_of(f, stranger), "stranger() for f(): arg#1: struct ctx * expected, struct other * found\n");
  EXPECT_EQ(log_of(f, ptr_ret), "ptr_ret() for f(): return type int expected, struct ctx * found\n");
  EXPECT_EQ(log_of(f, hidden), "f() and hidden() must both be global\n");
}

}  // namespace
}  // namespace ring3::btf
