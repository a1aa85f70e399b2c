#include "bpffs/kv_names.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace ring3::bpffs {
namespace {

std::vector<std::byte> bytes(const std::string& text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

TEST(KvNamesTest, NamesSayWhatTheKeyIs) {
  const std::int16_t number = -3;
  std::vector<std::byte> key(2);
  std::memcpy(key.data(), &number, 2);
  EXPECT_EQ(key_name(KeyNames::kSigned, key), "-3");
  EXPECT_EQ(key_name(KeyNames::kUnsigned, key), "65533");
  EXPECT_EQ(key_name(KeyNames::kHex, key), "xfdff");
  EXPECT_EQ(key_name(KeyNames::kText, bytes(std::string("eth0/a.b\0\0\0", 11))), "eth0%2Fa%2Eb");
  EXPECT_EQ(key_name(KeyNames::kText, bytes(std::string(4, '\0'))), "%");
  EXPECT_EQ(key_name(KeyNames::kText, bytes(std::string("\0a\0", 3))), "%00a");
}

TEST(KvNamesTest, EveryKeyComesBack) {
  std::mt19937 random(1);
  for (const KeyNames scheme : {KeyNames::kUnsigned, KeyNames::kSigned, KeyNames::kText, KeyNames::kHex}) {
    for (const std::size_t size : {1u, 2u, 4u, 8u}) {
      for (int i = 0; i < 500; ++i) {
        std::vector<std::byte> key(size);
        for (std::byte& b : key) b = static_cast<std::byte>(random() % (i % 2 == 0 ? 256 : 3));
        const std::string name = key_name(scheme, key);
        EXPECT_EQ(name.find_first_of("./"), std::string::npos) << name;
        const auto back = named_key(scheme, name, size);
        ASSERT_TRUE(back.has_value()) << name;
        EXPECT_EQ(*back, key) << name;
      }
    }
  }
}

TEST(KvNamesTest, OnlyOneSpelling) {
  EXPECT_FALSE(named_key(KeyNames::kUnsigned, "007", 4));
  EXPECT_FALSE(named_key(KeyNames::kUnsigned, "256", 1));
  EXPECT_FALSE(named_key(KeyNames::kUnsigned, "", 4));
  EXPECT_FALSE(named_key(KeyNames::kSigned, "-0", 4));
  EXPECT_FALSE(named_key(KeyNames::kText, "%41", 4));
  EXPECT_FALSE(named_key(KeyNames::kText, "", 4));
  EXPECT_FALSE(named_key(KeyNames::kText, "%2", 4));
  EXPECT_FALSE(named_key(KeyNames::kText, "abcde", 4));
  EXPECT_FALSE(named_key(KeyNames::kHex, "xAB", 1));
  EXPECT_FALSE(named_key(KeyNames::kHex, "x0", 1));
  EXPECT_FALSE(named_key(KeyNames::kHex, "00", 1));
}

}  // namespace
}  // namespace ring3::bpffs
