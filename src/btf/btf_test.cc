#include "btf/btf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

#include "btf/builder.h"

namespace ring3::btf {
namespace {

std::shared_ptr<const Btf> parse_ok(const std::vector<std::byte>& blob, std::shared_ptr<const Btf> base = nullptr,
                                    Origin origin = Origin::kClient) {
  StringSink log;
  auto r = Btf::parse(blob, std::move(base), log, origin);
  EXPECT_TRUE(r.ok()) << log.text();
  return r.ok() ? r.value() : nullptr;
}

TEST(BtfTest, ReadsEveryKindBack) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  const TypeId i8 = b.add_int("i8", 1, 1);
  const TypeId ptr = b.add_ptr(u32);
  const TypeId arr = b.add_array(u32, u32, 5);
  const TypeId st = b.add_struct("pair", 32, {{"a", u32, 0}, {"p", ptr, 64}, {"c", i8, 128}});
  const TypeId bits = b.add_struct("bits", 4, {{"low", u32, 0, 3}, {"high", u32, 3, 29}});
  const Builder::NewEnumerator values[] = {{"A", -1}, {"B", 7}};
  const TypeId en = b.add_enum("e", 4, values, true);
  const Builder::NewEnumerator big[] = {{"BIG", 1ll << 40}};
  const TypeId en64 = b.add_enum("e64", 8, big);
  const TypeId fwd = b.add_fwd("later");
  const TypeId td = b.add_typedef("pair_t", st);
  const TypeId cs = b.add_ref(Kind::kConst, td);
  const TypeId proto = b.add_proto(u32, {{"x", cs}, {"", kVoid}});
  const TypeId fn = b.add_func("f", proto, Linkage::kGlobal);
  const TypeId var = b.add_var("v", u32, Linkage::kStatic);
  const SecVar vars[] = {{var, 4, 4}};
  const TypeId sec = b.add_datasec(".data", 8, vars);
  const TypeId fl = b.add_float("double", 8);
  const TypeId dt = b.add_decl_tag("tagged", st, 1);
  const TypeId tt = b.add_type_tag("kptr", st);
  auto btf = parse_ok(b.finish());
  ASSERT_NE(btf, nullptr);

  EXPECT_EQ(btf->end_id(), tt + 1);
  EXPECT_EQ(btf->type(btf->end_id()), nullptr);
  EXPECT_EQ(btf->type(kVoid)->kind, Kind::kUnkn);
  EXPECT_EQ(btf->type(u32)->name, "u32");
  EXPECT_EQ(btf->integer(u32)->bits, 32);
  EXPECT_TRUE(btf->integer(i8)->is_signed);
  EXPECT_EQ(btf->type(ptr)->type, u32);
  EXPECT_EQ(btf->array(arr)->count, 5u);
  EXPECT_EQ(btf->size_of(arr), 20u);
  EXPECT_EQ(btf->members(st).size(), 3u);
  EXPECT_EQ(btf->find_member(st, "p")->bit_off, 64u);
  EXPECT_FALSE(btf->find_member(st, "q").has_value());
  EXPECT_EQ(btf->member(bits, 1).bitfield_bits, 29);
  EXPECT_EQ(btf->member(bits, 1).bit_off, 3u);
  EXPECT_EQ(btf->enumerators(en)[0].value, -1);
  EXPECT_EQ(btf->enumerators(en64)[0].value, 1ll << 40);
  EXPECT_EQ(btf->size_of(fwd), std::nullopt);
  EXPECT_EQ(btf->size_of(cs), 32u);
  EXPECT_EQ(btf->skip_modifiers(cs), st);
  EXPECT_EQ(btf->skip_qualifiers(cs), td);
  EXPECT_EQ(btf->skip_modifiers(tt), st);
  EXPECT_EQ(btf->params(proto).size(), 2u);
  EXPECT_EQ(btf->linkage(fn), Linkage::kGlobal);
  EXPECT_EQ(btf->linkage(var), Linkage::kStatic);
  EXPECT_EQ(btf->section_vars(sec)[0].off, 4u);
  EXPECT_EQ(btf->size_of(fl), 8u);
  EXPECT_EQ(btf->decl_tag_component(dt), 1);
  EXPECT_EQ(btf->decl_tags(st, 1), std::vector<std::string_view>{"tagged"});
  EXPECT_TRUE(btf->decl_tags(st, -1).empty());
  EXPECT_EQ(btf->find("pair", Kind::kStruct), st);
  EXPECT_EQ(btf->find("pair", Kind::kUnion), kVoid);
  EXPECT_EQ(btf->find("f", Kind::kFunc), fn);
}

TEST(BtfTest, SplitGoesOnWhereItsBaseEnds) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  auto base = parse_ok(b.finish());
  Builder s(base);
  const TypeId ptr = s.add_ptr(u32);
  const TypeId st = s.add_struct("mine", 8, {{"p", ptr, 0}});
  auto split = parse_ok(s.finish(), base);
  ASSERT_NE(split, nullptr);
  EXPECT_EQ(split->first_id(), 2u);
  EXPECT_EQ(split->find("u32", Kind::kInt), u32);
  EXPECT_EQ(split->find("mine", Kind::kStruct), st);
  EXPECT_EQ(split->member(st, 0).name, "p");
  EXPECT_EQ(split->integer(u32)->bits, 32);
  EXPECT_EQ(base->find("mine", Kind::kStruct), kVoid);
}

TEST(BtfTest, BuilderAppendsToABlob) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  auto first = parse_ok(b.finish());
  Builder more = Builder::append_to(*first);
  const TypeId st = more.add_struct("more", 4, {{"x", u32, 0}});
  auto second = parse_ok(more.finish());
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(st, 2u);
  EXPECT_EQ(second->find("u32", Kind::kInt), u32);
  EXPECT_EQ(second->find("more", Kind::kStruct), st);
}

// The largest real input there is, when the machine has it.
TEST(BtfTest, AcceptsTheMachinesOwnKernelBtf) {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  if (!file) GTEST_SKIP() << "no /sys/kernel/btf/vmlinux";
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::byte> blob(chars.size());
  std::transform(chars.begin(), chars.end(), blob.begin(), [](char c) { return static_cast<std::byte>(c); });
  const auto start = std::chrono::steady_clock::now();
  auto btf = parse_ok(blob, nullptr, Origin::kHost);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  ASSERT_NE(btf, nullptr);
  RecordProperty("parse_ms", static_cast<int>(ms.count()));
  const TypeId task = btf->find("task_struct", Kind::kStruct);
  ASSERT_NE(task, kVoid);
  EXPECT_TRUE(btf->find_member(task, "pid").has_value());
}

}  // namespace
}  // namespace ring3::btf
