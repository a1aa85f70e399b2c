#include "syscall/user_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace ring3::syscall {
namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

/// One readable and writable page between two that are not mapped.
struct Island {
  Island() {
    base = static_cast<char*>(::mmap(nullptr, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    page = base + 4096;
    ::mprotect(page, 4096, PROT_READ | PROT_WRITE);
    ::munmap(base, 4096);
    ::munmap(page + 4096, 4096);
  }
  ~Island() { ::munmap(page, 4096); }
  char* base;
  char* page;
};

template <typename Memory>
void check_bounds(Memory& memory) {
  Island island;
  std::byte buffer[64] = {};
  EXPECT_TRUE(memory.read(address(island.page), buffer).ok());
  EXPECT_TRUE(memory.read(address(island.page + 4096 - 64), buffer).ok());
  EXPECT_EQ(memory.read(address(island.page + 4096 - 63), buffer).error(), Errno::kFault);
  EXPECT_EQ(memory.read(0, buffer).error(), Errno::kFault);
  EXPECT_EQ(memory.read(UINT64_MAX - 8, buffer).error(), Errno::kFault);
  EXPECT_EQ(memory.write(UINT64_MAX - 63, buffer).error(), Errno::kFault);
  EXPECT_TRUE(memory.write(address(island.page + 4096 - 64), buffer).ok());
  EXPECT_EQ(memory.write(address(island.page + 4096 - 63), buffer).error(), Errno::kFault);
  EXPECT_TRUE(memory.read(0, std::span<std::byte>()).ok());

  std::strcpy(island.page + 4096 - 6, "hello");
  EXPECT_EQ(memory.read_string(address(island.page + 4096 - 6), 128).value(), "hello");
  EXPECT_EQ(memory.read_string(address(island.page + 4096 - 6), 5).error(), Errno::kNameTooLong);
  island.page[4095] = 'x';
  EXPECT_EQ(memory.read_string(address(island.page + 4096 - 6), 128).error(), Errno::kFault);

  std::memset(island.page, 0, 4096);
  EXPECT_TRUE(memory.is_zero(address(island.page), address(island.page + 4096)).value());
  island.page[4095] = 1;
  EXPECT_FALSE(memory.is_zero(address(island.page), address(island.page + 4096)).value());
  EXPECT_EQ(memory.is_zero(address(island.page), address(island.page + 4097)).ok(), true) << "stops at the first byte set";

  ::mprotect(island.page, 4096, PROT_READ);
  EXPECT_EQ(memory.write(address(island.page), buffer).error(), Errno::kFault) << "page protection counts";
}

TEST(UserMemoryTest, OwnMemoryAnswersFaults) {
  OwnMemory memory;
  check_bounds(memory);
}

TEST(UserMemoryTest, ForeignMemoryAnswersFaults) {
  OwnedFd mem(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  ForeignMemory memory = ForeignMemory::adopt(std::move(mem)).value();
  check_bounds(memory);
}

TEST(UserMemoryTest, OnlyMemoryOfAProcessIsTaken) {
  EXPECT_EQ(ForeignMemory::adopt(OwnedFd(::open("/dev/zero", O_RDWR | O_CLOEXEC))).error(), Errno::kInval);
  EXPECT_EQ(ForeignMemory::adopt(OwnedFd(::open("/proc/self/comm", O_RDWR | O_CLOEXEC))).error(),
            Errno::kInval);
  EXPECT_EQ(ForeignMemory::adopt(OwnedFd(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC))).error(),
            Errno::kAcces);
  EXPECT_EQ(ForeignMemory::adopt(OwnedFd()).error(), Errno::kInval);
}

TEST(UserMemoryTest, MemoryOfAnotherProcessIsTakenAndDiesWithIt) {
  std::uint64_t word = 7;
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) ::pause();
  const std::string path = "/proc/" + std::to_string(child) + "/mem";
  OwnedFd mem(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(mem);
  ForeignMemory memory = ForeignMemory::adopt(std::move(mem)).value();
  EXPECT_EQ(memory.pid(), child);
  EXPECT_TRUE(memory.write_value<std::uint64_t>(address(&word), 9).ok());
  EXPECT_EQ(memory.read_value<std::uint64_t>(address(&word)).value(), 9u);
  EXPECT_EQ(word, 7u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(memory.read_value<std::uint64_t>(address(&word)).error(), Errno::kFault);
  EXPECT_EQ(memory.write_value<std::uint64_t>(address(&word), 9).error(), Errno::kFault);
}

}  // namespace
}  // namespace ring3::syscall
