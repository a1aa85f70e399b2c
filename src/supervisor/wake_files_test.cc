#include "supervisor/wake_files.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace ring3::supervisor {
namespace {

OwnedFd ring() { return OwnedFd(::memfd_create("ring", MFD_CLOEXEC)); }
OwnedFd event() { return OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
OwnedFd another(const OwnedFd& fd) { return OwnedFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

TEST(WakeFilesTest, OneDescriptorForEachRing) {
  WakeFiles files;
  const OwnedFd first = ring(), second = ring(), wakes = event(), others = event();
  const auto used = files.use(first.get(), another(wakes));
  EXPECT_EQ(files.use(first.get(), another(wakes)), used) << "epoll knows it by its number";
  EXPECT_NE(files.use(second.get(), another(others)), used);
  EXPECT_EQ(files.size(), 2u);
}

TEST(WakeFilesTest, ARingThatIsOpenedAgainHasAnotherEvent) {
  WakeFiles files;
  const OwnedFd file = ring(), before = event(), now = event();
  (void)files.use(file.get(), another(before));
  const auto used = files.use(file.get(), another(now));
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(now.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  std::uint64_t seen = 0;
  EXPECT_EQ(::read(used->get(), &seen, sizeof seen), static_cast<ssize_t>(sizeof seen));
  EXPECT_EQ(files.size(), 1u);
}

TEST(WakeFilesTest, NothingStaysOfRingsThatAreGone) {
  WakeFiles files;
  for (int i = 0; i < 100; ++i) {
    OwnedFd gone = ring();
    (void)files.use(gone.get(), event());
    files.drop_ended();
    EXPECT_EQ(files.size(), 1u) << "it is there";
    gone.reset();
    files.drop_ended();
    EXPECT_EQ(files.size(), 0u);
  }
}

}  // namespace
}  // namespace ring3::supervisor
