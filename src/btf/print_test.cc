#include "btf/print.h"

#include <gtest/gtest.h>

#include <cstring>

#include "btf/builder.h"

namespace ring3::btf {
namespace {

struct World {
  Builder b;
  TypeId i32 = b.add_int("int", 4, 1);
  TypeId u32 = b.add_int("u32", 4);
  TypeId ch = b.add_int("char", 1, 1);
  TypeId boolean = b.add_int("_Bool", 1, 4);
  std::shared_ptr<const Btf> done() {
    StringSink log;
    auto r = Btf::parse(b.finish(), nullptr, log);
    EXPECT_TRUE(r.ok()) << log.text();
    return r.value();
  }
};

TEST(PrintTest, NamesTypesAsCDoes) {
  World w;
  const TypeId foo = w.b.add_struct("foo", 4, {{"x", w.u32, 0}});
  const TypeId foo_ptr = w.b.add_ptr(foo);
  const TypeId cch = w.b.add_ref(Kind::kConst, w.ch);
  const TypeId text = w.b.add_ptr(cch);
  const TypeId ctext = w.b.add_ref(Kind::kConst, text);
  const TypeId arr = w.b.add_array(text, w.u32, 4);
  const TypeId arr_ptr = w.b.add_ptr(arr);
  const TypeId proto = w.b.add_proto(w.i32, {{"a", foo_ptr}, {"b", w.u32}});
  const TypeId callback = w.b.add_ptr(proto);
  const TypeId tag = w.b.add_type_tag("kptr", foo);
  const TypeId tagged = w.b.add_ptr(tag);
  const TypeId none = w.b.add_proto(kVoid, {});
  const TypeId varargs = w.b.add_proto(w.i32, {{"fmt", text}, {"", kVoid}});
  const TypeId fn = w.b.add_func("admit", proto, Linkage::kGlobal);
  const TypeId higher = w.b.add_proto(callback, {{"cb", callback}});
  const TypeId hfn = w.b.add_func("higher", higher, Linkage::kGlobal);
  auto btf = w.done();
  EXPECT_EQ(type_name(*btf, kVoid), "void");
  EXPECT_EQ(type_name(*btf, foo_ptr), "struct foo *");
  EXPECT_EQ(type_name(*btf, text), "const char *");
  EXPECT_EQ(type_name(*btf, ctext), "const char *const");
  EXPECT_EQ(type_name(*btf, arr), "const char *[4]");
  EXPECT_EQ(type_name(*btf, arr_ptr), "const char *(*)[4]");
  EXPECT_EQ(type_name(*btf, callback), "int (*)(struct foo *, u32)");
  EXPECT_EQ(type_name(*btf, tagged), "struct foo *");
  EXPECT_EQ(type_name(*btf, none), "void (void)");
  EXPECT_EQ(type_name(*btf, varargs), "int (const char *, ...)");
  EXPECT_EQ(declaration(*btf, callback, "cb"), "int (*cb)(struct foo *, u32)");
  EXPECT_EQ(function_text(*btf, fn), "int admit(struct foo *a, u32 b)");
  EXPECT_EQ(function_text(*btf, hfn), "int (*higher(int (*cb)(struct foo *, u32)))(struct foo *, u32)");
}

TEST(PrintTest, PrintsValuesInThreeStyles) {
  World w;
  const Builder::NewEnumerator colors[] = {{"RED", 0}, {"GREEN", 5}};
  const TypeId color = w.b.add_enum("color", 4, colors);
  const TypeId halves = w.b.add_array(w.u32, w.u32, 2);
  const Builder::NewMember parts[] = {{"low", w.u32, 0}, {"both", halves, 0}};
  const TypeId un = w.b.add_struct("", 8, parts, Kind::kUnion);
  const TypeId bits = w.b.add_struct("bits", 4, {{"a", w.u32, 0, 3}, {"b", w.i32, 3, 5}});
  const TypeId name = w.b.add_array(w.ch, w.u32, 4);
  const TypeId ptr = w.b.add_ptr(w.u32);
  const TypeId all = w.b.add_struct("all", 40, {{"n", w.i32, 0}, {"c", color, 32}, {"u", un, 64}, {"bits", bits, 128},
                                                {"name", name, 160}, {"ok", w.boolean, 192}, {"p", ptr, 256}});
  auto btf = w.done();

  std::byte value[40] = {};
  const std::int32_t n = -7;
  const std::uint32_t five = 5, one = 1, two = 2, packed = 0x5 | (0x1f << 3);
  std::memcpy(value, &n, 4);
  std::memcpy(value + 4, &five, 4);
  std::memcpy(value + 8, &one, 4);
  std::memcpy(value + 12, &two, 4);
  std::memcpy(value + 16, &packed, 4);
  std::memcpy(value + 20, "lru", 4);
  value[24] = std::byte{1};
  const auto text = [&](ValueStyle style) {
    StringSink out;
    print_value(*btf, all, value, style, out);
    return out.take();
  };
  EXPECT_EQ(text(ValueStyle::kBpffs), "{-7,GREEN,{1|[1,2]},{0x5,0x1f},[108,114,117,0],1,0x0}");
  EXPECT_EQ(text(ValueStyle::kNamed),
            "{.n = -7,.c = GREEN,.u = {.low = 1,.both = [1,2]},.bits = {.a = 0x5,.b = 0x1f},"
            ".name = [108,114,117,0],.ok = 1,.p = 0x0}");
  EXPECT_EQ(text(ValueStyle::kJson),
            R"({"n":-7,"c":"GREEN","u":{"low":1,"both":[1,2]},"bits":{"a":5,"b":-1},"name":"lru","ok":true,"p":0})");
}

TEST(PrintTest, ShortValuesReadAsZero) {
  World w;
  const TypeId all = w.b.add_struct("all", 8, {{"a", w.u32, 0}, {"b", w.u32, 32}});
  auto btf = w.done();
  const std::byte value[5] = {std::byte{1}, {}, {}, {}, std::byte{2}};
  StringSink out;
  print_value(*btf, all, value, ValueStyle::kBpffs, out);
  EXPECT_EQ(out.text(), "{1,2}");
}

TEST(PrintTest, PrintsSections) {
  World w;
  const TypeId v = w.b.add_var("hits", w.u32, Linkage::kGlobal);
  const SecVar vars[] = {{v, 4, 4}};
  const TypeId sec = w.b.add_datasec(".bss", 8, vars);
  auto btf = w.done();
  const std::byte value[8] = {{}, {}, {}, {}, std::byte{9}};
  StringSink json, text;
  print_value(*btf, sec, value, ValueStyle::kJson, json);
  print_value(*btf, sec, value, ValueStyle::kNamed, text);
  EXPECT_EQ(json.text(), R"({".bss":[{"hits":9}]})");
  EXPECT_EQ(text.text(), "{.hits = 9}");
}

}  // namespace
}  // namespace ring3::btf
