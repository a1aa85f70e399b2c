#include "supervisor/held_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace ring3::supervisor {
namespace {

/// The client and its supervisor are this process.
class HeldFilesTest : public testing::Test {
 protected:
  HeldFilesTest() : pipe_ok_(::pipe2(ends_, O_CLOEXEC) == 0) {}
  ~HeldFilesTest() override {
    for (const int end : ends_) ::close(end);
  }
  void keep(int fd) { files_.keep(::getpid(), fd, OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), {1, 2, O_RDWR, false}); }
  bool finds(int fd) { return files_.find(::getpid(), fd).has_value(); }
  /// Whether somebody has the pipe's other end open.
  bool is_held() {
    char byte;
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    return ::read(ends_[0], &byte, 1) < 0;
  }
  void close_end() {
    ::close(ends_[1]);
    ends_[1] = -1;
  }

  int ends_[2] = {-1, -1};
  const bool pipe_ok_;
  HeldFiles files_;
};

TEST_F(HeldFilesTest, OnlyTheVeryFileIsFound) {
  EXPECT_FALSE(finds(ends_[1]));
  keep(ends_[1]);
  if (!finds(ends_[1])) GTEST_SKIP() << "kcmp(2) is not to be had";
  EXPECT_EQ(files_.find(::getpid(), ends_[1])->inode, 2u);
  EXPECT_FALSE(finds(ends_[0]));
  ASSERT_GE(::dup3(ends_[0], ends_[1], O_CLOEXEC), 0);
  EXPECT_FALSE(finds(ends_[1])) << "another file of the same number";
  close_end();
  EXPECT_FALSE(finds(ends_[1]));
}

TEST_F(HeldFilesTest, EverythingIsDropped) {
  keep(ends_[1]);
  close_end();
  EXPECT_TRUE(is_held());
  files_.drop();
  EXPECT_FALSE(is_held());
}

TEST_F(HeldFilesTest, WhatIsIdleIsDropped) {
  keep(ends_[1]);
  files_.drop_idle();
  const bool comparable = finds(ends_[1]);
  files_.drop_idle();
  EXPECT_EQ(finds(ends_[1]), comparable) << "used meanwhile";
  close_end();
  files_.drop_idle();
  files_.drop_idle();
  EXPECT_FALSE(is_held());
}

TEST_F(HeldFilesTest, WhoDropsWaitsForOthersWhoDrop) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done.load()) files_.drop_idle();
  });
  for (int i = 0; i < 5000; ++i) {
    keep(ends_[1]);
    close_end();
    files_.drop();
    if (is_held()) {
      ADD_FAILURE() << "round " << i;
      break;
    }
    ::close(ends_[0]);
    ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
  }
  done.store(true);
  other.join();
}

TEST_F(HeldFilesTest, OneNumberHasOneFile) {
  for (int i = 0; i < 100; ++i) keep(ends_[1]);
  close_end();
  files_.drop_idle();
  files_.drop_idle();
  EXPECT_FALSE(is_held());
}

TEST_F(HeldFilesTest, ThereAreFewOfThem) {
  const int before = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(before);
  for (int task = 1; task < 100; ++task) files_.keep(task, 3, OwnedFd(::fcntl(ends_[1], F_DUPFD_CLOEXEC, 0)), {1, 2, O_RDWR, false});
  const int after = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(after);
  EXPECT_LE(after, before + 9);
}

}  // namespace
}  // namespace ring3::supervisor
