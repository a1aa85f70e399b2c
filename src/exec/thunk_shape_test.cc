// What travels where: structs by value as this compiler passes them, and as their BTF says.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "exec/thunk.h"

namespace ring3::exec {
namespace {

struct Seen {
  std::array<std::uint64_t, kMaxThunkSlots> slots{};
  std::size_t count = 0;
};

std::uint64_t record(void* data, std::uint64_t* slots) {
  auto* seen = static_cast<Seen*>(data);
  std::memcpy(seen->slots.data(), slots, seen->count * sizeof(std::uint64_t));
  return 0;
}

struct Byte { std::uint8_t a; };
struct Six { std::uint16_t a[3]; };
struct Nested { Byte a; Six b; std::uint64_t c; };
struct Ints { std::int32_t a, b, c; };
union Either { std::uint64_t a; std::uint8_t b[3]; };
struct [[gnu::packed]] PackedFive { std::uint8_t a; std::uint32_t b; };
struct [[gnu::packed]] PackedTwelve { std::uint32_t a; std::uint64_t b; };
struct [[gnu::packed]] PackedInPlace { std::uint64_t a; std::uint8_t b; };  // nothing is misaligned: registers
struct [[gnu::packed]] PackedBits { std::uint64_t a : 3, b : 60, c : 40; };  // nor are bits
struct PackedInside { std::uint32_t a; PackedFive b[2]; };

class ThunkShapeTest : public testing::Test {
 protected:
  ThunkShapeTest() {
    u8_ = b_.add_int("unsigned char", 1);
    u16_ = b_.add_int("unsigned short", 2);
    u32_ = b_.add_int("unsigned int", 4);
    s32_ = b_.add_int("int", 4, 1);
    u64_ = b_.add_int("unsigned long", 8);
    u128_ = b_.add_int("unsigned __int128", 16);
  }

  Result<ThunkShape> shape_of(const std::vector<btf::TypeId>& args) {
    std::vector<btf::Builder::NewParam> params;
    for (const btf::TypeId arg : args) params.push_back({"", arg});
    const btf::TypeId proto = b_.add_proto(btf::kVoid, params);
    StringSink log;
    auto parsed = btf::Btf::parse(b_.finish(), nullptr, log, btf::Origin::kHost);
    EXPECT_TRUE(parsed.ok()) << log.take();
    return thunk_shape(*parsed.value(), proto);
  }

  /// The bytes of a struct come to its slots, and the integers around it to theirs: with registers for all, and with one left.
  template <typename S>
  void expect_by_value(btf::TypeId type, const char* name) {
    S value;
    for (std::size_t i = 0; i < sizeof(S); ++i) reinterpret_cast<unsigned char*>(&value)[i] = static_cast<unsigned char>(0x81 + i);
    const std::size_t slots = sizeof(S) > 8 ? 2 : 1;
    {
      auto* const thunk = reinterpret_cast<void (*)(int, S, int, S, int)>(make({s32_, type, s32_, type, s32_}, name));
      if (thunk == nullptr) return;
      thunk(-1, value, -2, value, -3);
      expect_slots(1, &value, sizeof(S), name);
      EXPECT_EQ(seen_.slots[1 + slots], ~1ull) << name;
      expect_slots(2 + slots, &value, sizeof(S), name);
      EXPECT_EQ(seen_.slots[2 + 2 * slots], ~2ull) << name;
    }
    auto* const thunk = reinterpret_cast<void (*)(int, int, int, int, int, S, int, int, S)>(make({s32_, s32_, s32_, s32_, s32_, type, s32_, s32_, type}, name));
    thunk(0, 0, 0, 0, 5, value, -6, -7, value);
    EXPECT_EQ(seen_.slots[4], 5u) << name;
    expect_slots(5, &value, sizeof(S), name);
    EXPECT_EQ(seen_.slots[5 + slots], ~5ull) << name;
    EXPECT_EQ(seen_.slots[6 + slots], ~6ull) << name;
    expect_slots(7 + slots, &value, sizeof(S), name);
  }

  btf::Builder b_;
  btf::TypeId u8_, u16_, u32_, s32_, u64_, u128_;

 private:
  void* make(const std::vector<btf::TypeId>& args, const char* name) {
    const auto shape = shape_of(args);
    EXPECT_TRUE(shape.ok()) << name;
    if (!shape.ok()) return nullptr;
    seen_ = {.count = shape->slots()};
    return set_.add(shape.value(), record, &seen_).value();
  }
  void expect_slots(std::size_t first, const void* value, std::size_t bytes, const char* name) {
    EXPECT_EQ(std::memcmp(&seen_.slots[first], value, bytes), 0) << name << ", slot " << first;
  }

  CodeMemory memory_;
  ThunkSet set_{memory_};
  Seen seen_;
};

TEST_F(ThunkShapeTest, StructsComeWhereTheCompilerPutsThem) {
  const btf::TypeId byte = b_.add_struct("Byte", 1, {{"a", u8_, 0}});
  const btf::TypeId six = b_.add_struct("Six", 6, {{"a", b_.add_array(u16_, u32_, 3), 0}});
  const btf::TypeId five = b_.add_struct("PackedFive", 5, {{"a", u8_, 0}, {"b", u32_, 8}});
  const btf::Builder::NewMember either[] = {{"a", u64_, 0}, {"b", b_.add_array(u8_, u32_, 3), 0}};
  expect_by_value<Byte>(byte, "Byte");
  expect_by_value<Six>(six, "Six");
  expect_by_value<Nested>(b_.add_struct("Nested", 16, {{"a", byte, 0}, {"b", six, 16}, {"c", u64_, 64}}), "Nested");
  expect_by_value<Ints>(b_.add_struct("Ints", 12, {{"a", s32_, 0}, {"b", s32_, 32}, {"c", s32_, 64}}), "Ints");
  static_assert(sizeof(PackedFive) == 5 && sizeof(PackedTwelve) == 12 && sizeof(PackedInPlace) == 9);
  expect_by_value<Either>(b_.add_struct("Either", 8, either, btf::Kind::kUnion), "Either");
  expect_by_value<PackedFive>(five, "PackedFive");
  expect_by_value<PackedTwelve>(b_.add_struct("PackedTwelve", 12, {{"a", u32_, 0}, {"b", u64_, 32}}), "PackedTwelve");
  expect_by_value<PackedInPlace>(b_.add_struct("PackedInPlace", 9, {{"a", u64_, 0}, {"b", u8_, 64}}), "PackedInPlace");
  static_assert(sizeof(PackedBits) == 13);
  expect_by_value<PackedBits>(b_.add_struct("PackedBits", 13, {{"a", u64_, 0, 3}, {"b", u64_, 3, 60}, {"c", u64_, 63, 40}}), "PackedBits");
  expect_by_value<PackedInside>(b_.add_struct("PackedInside", 16, {{"a", u32_, 0}, {"b", b_.add_array(five, u32_, 2), 32}}), "PackedInside");
}

TEST_F(ThunkShapeTest, StructsThatTravelNowhereAreRefused) {
  EXPECT_EQ(shape_of({b_.add_struct("Empty", 1, {})}).error(), Errno::kNotSupp);
  EXPECT_EQ(shape_of({b_.add_struct("Aligned", 16, {{"a", u64_, 0}})}).error(), Errno::kNotSupp);  // one register, not two
  EXPECT_EQ(shape_of({b_.add_struct("Wide", 16, {{"a", u128_, 0}})}).error(), Errno::kNotSupp);    // aligned to 16 on the stack
  EXPECT_EQ(shape_of({u128_}).error(), Errno::kNotSupp);
  EXPECT_EQ(shape_of({b_.add_struct("Half", 8, {{"a", b_.add_float("float", 4), 0}, {"b", u32_, 32}})}).error(), Errno::kNotSupp);
}

}  // namespace
}  // namespace ring3::exec
