#include "supervisor/task_table.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ring3::supervisor {
namespace {

TEST(TaskTableTest, WhoHasEndedIsForgottenOnceThoughNobodyWaitsForIt) {
  const std::unique_ptr<TaskTable> table = TaskTable::create().value();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const OwnedFd reading(ends[0]);
  OwnedFd writing(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    writing.reset();
    char byte;
    [[maybe_unused]] const ssize_t n = ::read(reading.get(), &byte, 1);
    ::_exit(0);
  }
  ASSERT_TRUE(table->find(child).ok());
  table->drop_ended();
  EXPECT_EQ(table->all().size(), 1u) << "it lives";
  writing.reset();
  siginfo_t end{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT), 0);
  pollfd told{table->fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&told, 1, 10'000), 1);
  table->drop_ended();
  EXPECT_TRUE(table->all().empty());
  EXPECT_EQ(::poll(&told, 1, 0), 0) << "whoever waits for ends would be woken again and again";
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace ring3::supervisor
