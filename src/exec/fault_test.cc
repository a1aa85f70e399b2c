#include "exec/fault.h"

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace ring3::exec {
namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

/// Two pages: the first readable, the second not.
class HalfMapped {
 public:
  HalfMapped() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    base_ = static_cast<char*>(mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + page_, page_, PROT_NONE);
  }
  ~HalfMapped() { munmap(base_, 2 * page_); }
  char* end() const { return base_ + page_; }

 private:
  std::size_t page_;
  char* base_;
};

/// A page nobody may touch. Kept mapped: a page given back may be somebody else's a moment later (sanitizer
/// runtimes map memory of their own at any time).
class NoAccess {
 public:
  NoAccess() : bytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    page_ = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  ~NoAccess() { munmap(page_, bytes_); }
  NoAccess(const NoAccess&) = delete;
  NoAccess& operator=(const NoAccess&) = delete;
  std::uint64_t at() const { return address(page_); }

 private:
  std::size_t bytes_;
  void* page_;
};

constexpr std::uint64_t kNonCanonical = 0x8000'1234'5678'0000;

TEST(FaultTest, GoodMemoryIsRead) {
  FaultGuard guard;
  const std::uint64_t value = 0x8877665544332211;
  EXPECT_EQ(load_or_zero(address(&value), 1), 0x11u);
  EXPECT_EQ(load_or_zero(address(&value), 2), 0x2211u);
  EXPECT_EQ(load_or_zero(address(&value), 4), 0x44332211u);
  EXPECT_EQ(load_or_zero(address(&value), 8), value);
  std::uint64_t copy = 0;
  EXPECT_TRUE(copy_untrusted(&copy, address(&value), sizeof(copy)));
  EXPECT_EQ(copy, value);
  EXPECT_TRUE(copy_untrusted(&copy, 0, 0));
}

TEST(FaultTest, BadMemoryReadsAsZero) {
  FaultGuard guard;
  HalfMapped half;
  NoAccess none;
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{8}, none.at(), address(half.end()), kNonCanonical,
                                  ~std::uint64_t{0}}) {
    for (std::uint8_t size = 1; size <= 8; size = static_cast<std::uint8_t>(2 * size)) EXPECT_EQ(load_or_zero(bad, size), 0u) << bad;
    char byte = 'x';
    EXPECT_FALSE(copy_untrusted(&byte, bad, 1)) << bad;
    EXPECT_LT(copy_untrusted_string(&byte, bad, 1), 0) << bad;
    EXPECT_FALSE(copy_to_untrusted(bad, "y", 1)) << bad;
  }
}

TEST(FaultTest, LoadAcrossTheEndReadsAsZero) {
  FaultGuard guard;
  HalfMapped half;
  std::memset(half.end() - 8, 0xff, 8);
  EXPECT_EQ(load_or_zero(address(half.end() - 4), 8), 0u);
  EXPECT_EQ(load_or_zero(address(half.end() - 4), 4), 0xffffffffu);
}

TEST(FaultTest, CopyStopsAtTheFirstBadByte) {
  FaultGuard guard;
  HalfMapped half;
  std::memcpy(half.end() - 3, "abc", 3);
  char to[8] = "-------";
  EXPECT_FALSE(copy_untrusted(to, address(half.end() - 3), 6));
  EXPECT_EQ(std::string(to, 4), "abc-");
}

TEST(FaultTest, StringsEndInNul) {
  FaultGuard guard;
  HalfMapped half;
  std::memcpy(half.end() - 4, "abc", 4);
  char to[8];
  EXPECT_EQ(copy_untrusted_string(to, address(half.end() - 4), sizeof(to)), 4);
  EXPECT_STREQ(to, "abc");
  EXPECT_EQ(copy_untrusted_string(to, address(half.end() - 4), 3), 3);
  EXPECT_STREQ(to, "ab");
  EXPECT_EQ(copy_untrusted_string(to, address(half.end() - 4), 0), 0);
  std::memcpy(half.end() - 4, "wxyz", 4);
  EXPECT_LT(copy_untrusted_string(to, address(half.end() - 4), sizeof(to)), 0);
}

TEST(FaultTest, EveryThreadMayFault) {
  FaultGuard guard;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&wrong] {
      for (int i = 0; i < 200; ++i)
        if (load_or_zero(8, 8) != 0) ++wrong;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

sigjmp_buf host_escape;
volatile sig_atomic_t host_calls = 0;
void host_handler(int, siginfo_t*, void*) {
  host_calls = host_calls + 1;
  siglongjmp(host_escape, 1);
}

TEST(FaultTest, HostHandlerSeesUnrelatedFaults) {
  struct sigaction host = {}, before = {};
  host.sa_sigaction = host_handler;
  host.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &host, &before);
  host_calls = 0;
  {
    FaultGuard guard;
    FaultGuard second;
    EXPECT_EQ(load_or_zero(16, 8), 0u);
    EXPECT_EQ(host_calls, 0);
    if (sigsetjmp(host_escape, 1) == 0) raise(SIGSEGV);
    EXPECT_EQ(host_calls, 1);
    HalfMapped half;
    if (sigsetjmp(host_escape, 1) == 0) *static_cast<volatile char*>(half.end()) = 1;
    EXPECT_EQ(host_calls, 2);
    EXPECT_EQ(load_or_zero(16, 8), 0u);
  }
  struct sigaction after = {};
  sigaction(SIGSEGV, &before, &after);
  EXPECT_EQ(after.sa_sigaction, host_handler);
}

TEST(FaultTest, HandlerOnTopOfOursIsLeftAlone) {
  struct sigaction before = {};
  sigaction(SIGBUS, nullptr, &before);
  struct sigaction ours = {};
  {
    FaultGuard guard;
    struct sigaction host = {};
    host.sa_sigaction = host_handler;
    host.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &host, &ours);
  }
  struct sigaction current = {};
  sigaction(SIGBUS, nullptr, &current);
  EXPECT_EQ(current.sa_sigaction, host_handler);
  sigaction(SIGBUS, &ours, nullptr);
  FaultGuard again;  // must not chain to itself
  EXPECT_EQ(load_or_zero(8, 8), 0u);
  sigaction(SIGBUS, nullptr, &current);
  EXPECT_EQ(current.sa_sigaction, ours.sa_sigaction);
}

TEST(FaultDeathTest, UnrelatedFaultStillEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        signal(SIGSEGV, SIG_DFL);
        FaultGuard guard;
        HalfMapped half;
        *static_cast<volatile char*>(half.end()) = 1;
      },
      ::testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace ring3::exec
