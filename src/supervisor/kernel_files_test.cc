#include "supervisor/kernel_files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

namespace ring3::supervisor {
namespace {

std::vector<std::byte> blob(std::vector<std::uint32_t> types, const std::string& strings) {
  const auto bytes = static_cast<std::uint32_t>(types.size() * 4);
  std::vector<std::uint32_t> words = {0x0001eb9f, 24, 0, bytes, bytes, static_cast<std::uint32_t>(strings.size())};
  words.insert(words.end(), types.begin(), types.end());
  std::vector<std::byte> out(words.size() * 4 + strings.size());
  std::memcpy(out.data(), words.data(), words.size() * 4);
  std::memcpy(out.data() + words.size() * 4, strings.data(), strings.size());
  return out;
}

const std::string kNames("\0int\0run\0", 9);
constexpr std::uint32_t kIntAndFunc[] = {1, 0x01000000, 4, 0x01000020, 0, 0x0d000000, 1, 5, 0x0c000000, 2};

TEST(KernelFilesTest, FunctionsAreSymbols) {
  EXPECT_EQ(symbols_of(blob({std::begin(kIntAndFunc), std::end(kIntAndFunc)}, kNames)), "0000000000000000 T run\n");
}

TEST(KernelFilesTest, WhatIsNoBtfHasNoSymbols) {
  EXPECT_EQ(symbols_of({}), "");
  const std::vector<std::byte> good = blob({std::begin(kIntAndFunc), std::end(kIntAndFunc)}, kNames);
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
    const std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_EQ(symbols_of(cut), "") << bytes;
  }
  // A name beyond the strings, a kind that there is none of, a count beyond the types.
  EXPECT_EQ(symbols_of(blob({99, 0x0c000000, 0}, kNames)), "");
  EXPECT_EQ(symbols_of(blob({1, 0x1f000000, 0}, kNames)), "");
  EXPECT_EQ(symbols_of(blob({1, 0x0400ffff, 0}, kNames)), "");
  EXPECT_EQ(symbols_of(blob({5, 0x0c000000, 0}, "\0int\0ru")), "");
}

TEST(KernelFilesTest, GzipIsReadByZlib) {
  for (const std::size_t bytes : {0u, 1u, 65535u, 65536u, 200000u}) {
    const std::string text(bytes, 'x'), packed = as_gzip(text);
    z_stream stream{};
    ASSERT_EQ(::inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    std::string out(bytes + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END) << bytes;
    EXPECT_EQ(stream.total_out, bytes);
    ::inflateEnd(&stream);
  }
}

TEST(KernelFilesTest, ListsOfCpus) {
  EXPECT_EQ(cpu_list(1), "0\n");
  EXPECT_EQ(cpu_list(8), "0-7\n");
  EXPECT_TRUE(kernel_files({}, 0).empty());
}

}  // namespace
}  // namespace ring3::supervisor
