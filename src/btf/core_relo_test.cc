#include "btf/core_relo.h"

#include <gtest/gtest.h>

#include "btf/builder.h"

namespace ring3::btf {
namespace {

using K = CoreKind;

std::shared_ptr<const Btf> done(const Builder& b) {
  StringSink log;
  auto r = Btf::parse(b.finish(), nullptr, log);
  EXPECT_TRUE(r.ok()) << log.text();
  return r.value();
}

// What the program was compiled against:
//   enum mode { FAST = 1, SLOW = 2, GONE = 7 };
//   struct obj { u32 id; u32 freq; u64 note[2]; u32 flags : 3; struct obj *next; u64 gone; };
// and what the host has: other places, obj in an inner nameless struct, a wider freq, no `gone`, no GONE.
struct Worlds {
  std::shared_ptr<const Btf> local, target;
  TypeId obj, mode, missing, target_obj;
};

Worlds make() {
  Worlds w{};
  {
    Builder b;
    const TypeId u32 = b.add_int("unsigned int", 4), u64 = b.add_int("unsigned long", 8);
    const TypeId notes = b.add_array(u64, u32, 2);
    const Builder::NewEnumerator modes[] = {{"FAST", 1}, {"SLOW", 2}, {"GONE", 7}};
    w.mode = b.add_enum("mode", 4, modes);
    w.obj = b.next_id();
    const Builder::NewMember members[] = {{"id", u32, 0},          {"freq", u32, 32},       {"note", notes, 64},
                                          {"flags", u32, 192, 3}, {"next", w.obj + 1, 256}, {"gone", u64, 320}};
    b.add_struct("obj___mine", 48, members);
    b.add_ptr(w.obj);
    w.missing = b.add_struct("missing", 4, {{"x", u32, 0}});
    w.local = done(b);
  }
  {
    Builder b;
    const TypeId u32 = b.add_int("unsigned int", 4), u64 = b.add_int("unsigned long", 8);
    const TypeId notes = b.add_array(u64, u32, 4);
    const Builder::NewEnumerator modes[] = {{"SLOW", 20}, {"FAST", 10}};
    b.add_enum("mode", 4, modes);
    const TypeId inner = b.add_struct("", 8, {{"id", u32, 32}});
    w.target_obj = b.next_id();
    const Builder::NewMember members[] = {{"freq", u64, 0},        {"", inner, 64},          {"note", notes, 128},
                                          {"flags", u32, 390, 3}, {"next", w.target_obj + 1, 448}};
    b.add_struct("obj", 64, members);
    b.add_ptr(w.target_obj);
    w.target = done(b);
  }
  return w;
}

class CoreReloTest : public ::testing::Test {
 protected:
  Result<CoreAnswer> ask(TypeId type, std::string_view access, K kind) {
    log_.take();
    return resolver_.resolve({type, access, kind}, log_);
  }
  CoreAnswer answer(TypeId type, std::string_view access, K kind) {
    Result<CoreAnswer> a = ask(type, access, kind);
    EXPECT_TRUE(a.ok()) << log_.text();
    return a.ok() ? *a : CoreAnswer{};
  }

  const Worlds w_ = make();
  CoreResolver resolver_{*w_.local, *w_.target};
  struct Log final : TextSink {
    void write(std::string_view text) override { text_ += text; }
    std::string take() { return std::exchange(text_, {}); }
    const std::string& text() const { return text_; }
    std::string text_;
  } log_;
};

TEST_F(CoreReloTest, PlacesOfFields) {
  CoreAnswer id = answer(w_.obj, "0:0", K::kByteOffset);
  EXPECT_EQ(id.local, 0u);
  EXPECT_EQ(id.target, 12u);  // in the nameless struct
  EXPECT_EQ(answer(w_.obj, "0:4", K::kByteOffset).target, 56u);
  const CoreAnswer second = answer(w_.obj, "0:2:1", K::kByteOffset);
  EXPECT_EQ(second.local, 16u);
  EXPECT_EQ(second.target, 24u);
  EXPECT_EQ(answer(w_.obj, "1:1", K::kByteOffset).target, 64u);  // the second of an array of them
}

TEST_F(CoreReloTest, AWiderIntegerMayBeReadByAWiderLoad) {
  const CoreAnswer freq = answer(w_.obj, "0:1", K::kByteOffset);
  EXPECT_EQ(freq.target, 0u);
  EXPECT_EQ(freq.local_bytes, 4u);
  EXPECT_EQ(freq.target_bytes, 8u);
  EXPECT_TRUE(freq.resizable);
}

TEST_F(CoreReloTest, SizesAndSigns) {
  EXPECT_EQ(answer(w_.obj, "0:1", K::kByteSize).target, 8u);
  EXPECT_EQ(answer(w_.obj, "0:2", K::kByteSize).target, 32u);
  EXPECT_EQ(answer(w_.obj, "0:1", K::kSigned).target, 0u);
}

TEST_F(CoreReloTest, BitfieldsThatCrossTheirUnit) {
  // Bits 390 to 392: they cross a byte, not the unit of four bytes at 48.
  EXPECT_EQ(answer(w_.obj, "0:3", K::kByteOffset).target, 48u);
  EXPECT_EQ(answer(w_.obj, "0:3", K::kLshift).target, 64u - (390 + 3 - 48 * 8));
  EXPECT_EQ(answer(w_.obj, "0:3", K::kRshift).target, 61u);
  EXPECT_FALSE(answer(w_.obj, "0:3", K::kByteOffset).check_local);
}

TEST_F(CoreReloTest, Existence) {
  EXPECT_EQ(answer(w_.obj, "0:0", K::kFieldExists).target, 1u);
  EXPECT_EQ(answer(w_.obj, "0:5", K::kFieldExists).target, 0u);
  EXPECT_FALSE(answer(w_.obj, "0:5", K::kFieldExists).poison);
  EXPECT_TRUE(answer(w_.obj, "0:5", K::kByteOffset).poison);
  EXPECT_EQ(answer(w_.missing, "0", K::kTypeExists).target, 0u);
  EXPECT_EQ(answer(w_.missing, "0", K::kTypeSize).target, 0u);
  EXPECT_EQ(answer(w_.missing, "0:0", K::kFieldExists).target, 0u);
  EXPECT_TRUE(answer(w_.missing, "0:0", K::kByteSize).poison);
}

TEST_F(CoreReloTest, Types) {
  EXPECT_EQ(answer(w_.obj, "0", K::kTypeExists).target, 1u);
  EXPECT_EQ(answer(w_.obj, "0", K::kTypeSize).target, 64u);
  EXPECT_EQ(answer(w_.obj, "0", K::kTypeIdTarget).target, w_.target_obj);
  EXPECT_EQ(answer(w_.obj, "0", K::kTypeIdLocal).target, w_.obj);
  EXPECT_EQ(answer(w_.obj, "0", K::kTypeMatches).target, 0u);  // `gone` is missing
  EXPECT_EQ(answer(w_.mode, "0", K::kTypeMatches).target, 0u);
}

TEST_F(CoreReloTest, Enumerators) {
  EXPECT_EQ(answer(w_.mode, "0", K::kEnumvalValue).target, 10u);
  EXPECT_EQ(answer(w_.mode, "1", K::kEnumvalExists).target, 1u);
  EXPECT_EQ(answer(w_.mode, "2", K::kEnumvalExists).target, 0u);
  EXPECT_TRUE(answer(w_.mode, "2", K::kEnumvalValue).poison);
}

TEST_F(CoreReloTest, BadRecordsAreRefusedWithText) {
  for (const auto& [type, access, kind] : std::initializer_list<std::tuple<TypeId, const char*, K>>{
           {0, "0", K::kTypeExists},
           {999, "0", K::kTypeExists},
           {w_.obj, "", K::kByteOffset},
           {w_.obj, "0:", K::kByteOffset},
           {w_.obj, ":0", K::kByteOffset},
           {w_.obj, "0:x", K::kByteOffset},
           {w_.obj, "0:-1", K::kByteOffset},
           {w_.obj, "0:99999999999", K::kByteOffset},
           {w_.obj, "0:6", K::kByteOffset},
           {w_.obj, "0:0:0", K::kByteOffset},
           {w_.obj, "0:2:2", K::kByteOffset},
           {w_.obj, "1", K::kTypeExists},
           {w_.obj, "0:0", K::kTypeSize},
           {w_.mode, "3", K::kEnumvalValue},
           {w_.obj, "0", K::kEnumvalValue},
       }) {
    const Result<CoreAnswer> a = ask(type, access, kind);
    ASSERT_FALSE(a.ok()) << access;
    EXPECT_EQ(a.error(), Errno::kInval) << access;
    EXPECT_NE(log_.text(), "") << access;
  }
}

// As libbpf and Linux do it; tests/integration/core holds all of this against libbpf.
TEST(CoreEdgesTest, NarrowEnumeratorsCountAsSignedAndBitfieldsAreNeverResized) {
  Builder l, t;
  const Builder::NewEnumerator before[] = {{"HIGH", 1}}, after[] = {{"HIGH", 0x80000000}};
  const TypeId mode = l.add_enum("mode", 4, before);
  t.add_enum("mode", 4, after);
  const TypeId i = l.add_int("unsigned int", 4);
  const TypeId s = l.add_struct("s", 8, {{"a", i, 0}, {"b", i, 32, 8}});
  const TypeId j = t.add_int("unsigned int", 4);
  t.add_struct("s", 8, {{"a", j, 0, 30}, {"b", j, 32}});
  const auto local = done(l), target = done(t);
  CoreResolver resolver(*local, *target);
  StringSink log;
  EXPECT_EQ(resolver.resolve({mode, "0", K::kEnumvalValue}, log)->target, 0xffffffff80000000u);
  EXPECT_FALSE(resolver.resolve({s, "0:0", K::kByteOffset}, log)->resizable);
  EXPECT_FALSE(resolver.resolve({s, "0:1", K::kByteOffset}, log)->resizable);
  EXPECT_TRUE(resolver.resolve({s, "0:0", K::kByteSize}, log)->resizable);
}

TEST(CoreAmbiguityTest, CandidatesMustAgree) {
  Builder l, t;
  const TypeId i = l.add_int("int", 4, 1);
  const TypeId s = l.add_struct("s", 8, {{"a", i, 0}, {"b", i, 32}});
  const TypeId j = t.add_int("int", 4, 1);
  t.add_struct("s___old", 8, {{"a", j, 0}, {"b", j, 32}});
  t.add_struct("s___new", 12, {{"a", j, 0}, {"b", j, 64}});
  const auto local = done(l), target = done(t);
  CoreResolver resolver(*local, *target);
  StringSink log;
  EXPECT_TRUE(resolver.resolve({s, "0:0", K::kByteOffset}, log).ok());
  EXPECT_EQ(resolver.resolve({s, "0:1", K::kByteOffset}, log).error(), Errno::kInval);
  EXPECT_NE(log.text().find("ambiguous"), std::string::npos) << log.text();
}

}  // namespace
}  // namespace ring3::btf
