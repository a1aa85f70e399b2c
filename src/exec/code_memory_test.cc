#include "exec/code_memory.h"

#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>
#include <vector>

namespace ring3::exec {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// Asks the system, which says no where touching it would fault.
bool is_readable(const std::byte* at) {
  std::byte to;
  const iovec local{&to, 1}, remote{const_cast<std::byte*>(at), 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

const std::byte* start_of_page(const void* at) {
  return static_cast<const std::byte*>(at) - reinterpret_cast<std::uintptr_t>(at) % page_bytes();
}

TEST(CodeMemoryTest, NobodyCanTouchThePagesAroundAPiece) {
  CodeMemory memory;
  std::vector<CodeBlock> blocks;
  for (const std::size_t pages : {1u, 1u, 1u, 2u, 3u, 4u, 40u}) {
    blocks.push_back(memory.allocate(pages * page_bytes() - 10).value());
    const std::byte* const first = start_of_page(blocks.back().executable());
    EXPECT_TRUE(is_readable(first)) << pages;
    EXPECT_FALSE(is_readable(first - 1)) << pages;
    EXPECT_TRUE(is_readable(first + pages * page_bytes() - 1)) << pages;
    std::size_t whole = 1;
    while (whole < pages) whole *= 2;
    EXPECT_FALSE(is_readable(first + whole * page_bytes())) << pages;
  }
}

TEST(CodeMemoryTest, BlocksAreAlignedAndHoldWhatIsWritten) {
  CodeMemory memory;
  std::set<std::uintptr_t> starts;
  std::vector<CodeBlock> blocks;
  for (std::size_t bytes = 1; bytes < 3 * page_bytes(); bytes += 97) {
    CodeBlock block = memory.allocate(bytes).value();
    const auto at = reinterpret_cast<std::uintptr_t>(block.executable());
    EXPECT_EQ(at % 64, 0u);
    starts.insert(at % page_bytes());
    const std::vector<std::byte> code(bytes, std::byte{0x90});
    EXPECT_EQ(block.write(0, code), block.executable());
    EXPECT_EQ(std::memcmp(block.executable(), code.data(), bytes), 0);
    if (bytes % 2 == 0) blocks.push_back(std::move(block));  // others are used again
  }
  EXPECT_GT(starts.size(), 8u);  // or all programs would want one line of the cache
}

TEST(CodeMemoryTest, UnusedBytesAreTraps) {
#if defined(__x86_64__)
  CodeMemory memory;
  const void* where = nullptr;
  {
    const CodeBlock block = memory.allocate(100).value();
    where = block.executable();
    block.write(0, std::array{std::byte{0xc3}});
    EXPECT_EQ(static_cast<const std::uint8_t*>(where)[1], 0xcc);
  }
  EXPECT_EQ(*static_cast<const std::uint8_t*>(where), 0xcc);  // and those of programs that are gone
#endif
}

TEST(CodeMemoryTest, TooMuchIsRefused) {
  CodeMemory memory;
  EXPECT_EQ(memory.allocate(std::size_t{1} << 40).error(), Errno::kNoMem);
}

}  // namespace
}  // namespace ring3::exec
