// What a client may do to a descriptor, and that its object lives exactly as long as somebody has it.
#include "syscall/descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>

#include "object/object_table.h"
#include "object/rcu.h"
#include "syscall/doorbell.h"

namespace ring3::syscall {
namespace {

class Thing final : public Object {
 public:
  Thing(ObjectTable& table, ObjectKind kind) : Object(kind, table, Birth{}) {}
};

/// Its last user reference takes its time to go.
class SlowThing final : public Object {
 public:
  SlowThing(ObjectTable& table, const std::atomic<bool>& go_on, std::atomic<bool>& dropped)
      : Object(ObjectKind::kMap, table, Birth{}), go_on_(go_on), dropped_(dropped) {}

 private:
  void last_user_ref() noexcept override {
    while (!go_on_) std::this_thread::yield();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    dropped_ = true;
  }
  const std::atomic<bool>& go_on_;
  std::atomic<bool>& dropped_;
};

class DescriptorsTest : public testing::Test {
 protected:
  void SetUp() override { descriptors_ = Descriptors::create().value(); }
  void TearDown() override {
    descriptors_.reset();
    rcu::drain();
    EXPECT_TRUE(table_.live().empty());
  }

  Ref<Object> make(ObjectKind kind = ObjectKind::kMap) { return Ref<Object>::adopt(new Thing(table_, kind)); }
  OwnedFd open(Access access = Access::kReadWrite) { return descriptors_->open(make(), access).value(); }
  bool known(int fd) { return descriptors_->find(identify_own(fd).value()).ok(); }
  /// Drains as commands do, until the entry has gone or the settling time of a close in another process is over.
  bool all_gone() {
    for (int i = 0; i < 500; ++i) {
      descriptors_->drain();
      if (descriptors_->size() == 0) return true;
      if (!descriptors_->settling()) return false;
      ::poll(nullptr, 0, 1);
    }
    return false;
  }

  ObjectTable table_;
  std::unique_ptr<Descriptors> descriptors_;
};

TEST_F(DescriptorsTest, NamesTheKindInTheProcLink) {
  const struct { ObjectKind kind; const char* name; } rows[] = {{ObjectKind::kMap, "bpf-map"},
                                                                 {ObjectKind::kProg, "bpf-prog"},
                                                                 {ObjectKind::kLink, "bpf-link"},
                                                                 {ObjectKind::kBtf, "btf"}};
  for (const auto& row : rows) {
    const OwnedFd fd = descriptors_->open(make(row.kind), Access::kReadWrite).value();
    char text[64] = {};
    ASSERT_GT(::readlink(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), text, sizeof text - 1), 0);
    EXPECT_EQ(std::string(text), std::string("/memfd:") + row.name + " (deleted)");
  }
}

TEST_F(DescriptorsTest, IsCloseOnExecAndHasItsAccessMode) {
  const OwnedFd rw = open(), ro = open(Access::kReadOnly), wo = open(Access::kWriteOnly);
  EXPECT_EQ(::fcntl(rw.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(ro.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(::fcntl(wo.get(), F_GETFL) & O_ACCMODE, O_WRONLY);
  EXPECT_FALSE(descriptors_->find(identify_own(ro.get()).value())->may_write());
  EXPECT_FALSE(descriptors_->find(identify_own(wo.get()).value())->may_read());
}

TEST_F(DescriptorsTest, CannotBeWrittenOrGrown) {
  const OwnedFd fd = open();
  EXPECT_EQ(::write(fd.get(), "x", 1), -1);
  EXPECT_EQ(::ftruncate(fd.get(), 4096), -1);
}

TEST_F(DescriptorsTest, ForeignFilesAreNotObjects) {
  const OwnedFd fd = open();
  const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const OwnedFd other(::memfd_create("bpf-map", MFD_CLOEXEC));
  EXPECT_EQ(descriptors_->find(identify_own(null.get()).value()).error(), Errno::kInval);
  EXPECT_EQ(descriptors_->find(identify_own(other.get()).value()).error(), Errno::kInval);
  EXPECT_EQ(identify_own(-1).error(), Errno::kBadF);
  const OwnedFd path(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_PATH | O_CLOEXEC));
  EXPECT_EQ(identify_own(path.get()).error(), Errno::kBadF);
}

TEST_F(DescriptorsTest, CloseDropsTheObjectBeforeTheNextCommand) {
  OwnedFd fd = open();
  EXPECT_EQ(descriptors_->drain(), 0u);
  fd.reset();
  EXPECT_EQ(descriptors_->drain(), 1u);
  EXPECT_EQ(descriptors_->size(), 0u);
}

TEST_F(DescriptorsTest, ADrainWaitsForWhatAnotherDrops) {
  std::atomic<bool> second_comes = false, dropped = false;
  OwnedFd fd = descriptors_->open(Ref<Object>::adopt(new SlowThing(table_, second_comes, dropped)), Access::kReadWrite).value();
  fd.reset();
  std::thread first([&] { descriptors_->drain(); });
  while (descriptors_->size() != 0) std::this_thread::yield();
  second_comes = true;
  descriptors_->drain();
  EXPECT_TRUE(dropped);
  first.join();
}

TEST_F(DescriptorsTest, OneObjectOpenedTwiceIsOneEntry) {
  Ref<Object> object = make();
  OwnedFd a = descriptors_->open(object, Access::kReadWrite).value();
  OwnedFd b = descriptors_->open(object, Access::kReadOnly).value();
  EXPECT_EQ(descriptors_->size(), 1u);
  EXPECT_EQ(object->user_refs(), 1u);
  a.reset();
  EXPECT_EQ(descriptors_->drain(), 0u);
  EXPECT_TRUE(known(b.get()));
  b.reset();
  EXPECT_TRUE(all_gone());
  EXPECT_EQ(object->user_refs(), 0u);
}

TEST_F(DescriptorsTest, DupKeepsIt) {
  OwnedFd fd = open();
  OwnedFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  fd.reset();
  EXPECT_EQ(descriptors_->drain(), 0u);
  EXPECT_TRUE(known(copy.get()));
  copy.reset();
  EXPECT_TRUE(all_gone());
}

TEST_F(DescriptorsTest, ClosedAndOpenedAgainIsANewFile) {
  Ref<Object> object = make();
  OwnedFd fd = descriptors_->open(object, Access::kReadWrite).value();
  fd.reset();
  EXPECT_TRUE(all_gone());
  fd = descriptors_->open(object, Access::kReadWrite).value();
  EXPECT_EQ(descriptors_->find(identify_own(fd.get()).value())->object, object);
}

TEST_F(DescriptorsTest, ReopenedByTheClientStillCounts) {
  OwnedFd fd = open();
  OwnedFd again(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  fd.reset();
  EXPECT_EQ(descriptors_->drain(), 0u);
  EXPECT_TRUE(known(again.get()));
}

TEST_F(DescriptorsTest, MemoryOfAMapIsTheFile) {
  const OwnedFd memory(::memfd_create("bpf-map", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
  void* ours = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  Ref<Object> object = make();
  OwnedFd fd = descriptors_->open(object, Access::kReadWrite, memory.get()).value();
  void* theirs = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(theirs, MAP_FAILED);
  static_cast<char*>(theirs)[5] = 'x';
  EXPECT_EQ(static_cast<char*>(ours)[5], 'x');
  fd.reset();
  EXPECT_FALSE(all_gone()) << "the mapping holds it";
  ::munmap(theirs, 4096);
  EXPECT_TRUE(all_gone()) << "the owner's descriptor and mapping do not count";
  ::munmap(ours, 4096);
}

TEST_F(DescriptorsTest, UnreadMessageHoldsItUntilTheSocketGoes) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  OwnedFd sender(pair[0]), receiver(pair[1]), fd = open();
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::memcpy(CMSG_DATA(head), &number, sizeof number);
  ASSERT_EQ(::sendmsg(sender.get(), &message, 0), 1);
  fd.reset();
  EXPECT_FALSE(all_gone()) << "in flight";
  sender.reset();
  receiver.reset();
  EXPECT_TRUE(all_gone());
}

/// Forks a child that keeps this process's descriptors, all but one if it is told so, and sleeps until it is told or killed.
struct Child {
  explicit Child(bool exec, int but = -1) {
    int pipe_fds[2];
    EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    read_end = OwnedFd(pipe_fds[0]);
    write_end = OwnedFd(pipe_fds[1]);
    pid = ::fork();
    if (pid != 0) return;
    if (exec) {
      ::dup2(read_end.get(), 0);
      ::execl("/bin/cat", "cat", static_cast<char*>(nullptr));
      ::_exit(1);
    }
    ::close(write_end.release());
    if (but >= 0) ::close(but);
    char byte;
    [[maybe_unused]] const ssize_t n = ::read(read_end.get(), &byte, 1);
    ::_exit(0);
  }
  ~Child() { end(0); }
  void end(int signal) {
    if (pid <= 0) return;
    write_end.reset();
    if (signal != 0) ::kill(pid, signal);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }
  OwnedFd read_end, write_end;
  pid_t pid = -1;
};

TEST_F(DescriptorsTest, ForkedChildHoldsIt) {
  OwnedFd fd = open();
  Child child(false);
  fd.reset();
  EXPECT_FALSE(all_gone());
  child.end(0);
  EXPECT_TRUE(all_gone());
}

TEST_F(DescriptorsTest, KilledChildLetsGo) {
  OwnedFd fd = open();
  Child child(false);
  fd.reset();
  EXPECT_FALSE(all_gone());
  child.end(SIGKILL);
  EXPECT_TRUE(all_gone());
}

TEST_F(DescriptorsTest, ExecLetsGo) {
  OwnedFd fd = open();
  Child child(true);
  fd.reset();
  // The child closes it when its exec happens, which nobody announces.
  for (int i = 0; i < 5000 && descriptors_->size() != 0; ++i) {
    ::poll(nullptr, 0, 1);
    descriptors_->drain();
  }
  EXPECT_EQ(descriptors_->size(), 0u);
}

TEST_F(DescriptorsTest, DoorbellThreadNoticesWithoutCommands) {
  auto bell = Doorbell::start(*descriptors_).value();
  OwnedFd fd = open();
  fd.reset();
  for (int i = 0; i < 5000 && descriptors_->size() != 0; ++i) ::poll(nullptr, 0, 1);
  EXPECT_EQ(descriptors_->size(), 0u);
}

TEST_F(DescriptorsTest, ClientThatKeepsAPathHandleCannotKillTheHost) {
  OwnedFd fd = open();
  const OwnedFd path(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_PATH | O_CLOEXEC));
  fd.reset();
  EXPECT_TRUE(all_gone());
  const OwnedFd ghost(::open(("/proc/self/fd/" + std::to_string(path.get())).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(ghost);
  EXPECT_FALSE(known(ghost.get()));
}

TEST_F(DescriptorsTest, ClientsGetNoLeasesThatOthersWouldWaitFor) {
  const OwnedFd memory(::memfd_create("bpf-map", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
  for (const int file : {-1, memory.get()}) {
    const Ref<Object> object = make();
    const OwnedFd fd = descriptors_->open(object, Access::kReadOnly, file).value();
    for (const int lease : {F_RDLCK, F_WRLCK}) {
      EXPECT_EQ(::fcntl(fd.get(), F_SETLEASE, lease), -1) << lease;
      EXPECT_EQ(errno, EAGAIN) << lease;
    }
  }
}

TEST_F(DescriptorsTest, AChildOfThisProcessKeepsNoLeaseOnAMapsMemory) {
  const OwnedFd memory(::memfd_create("bpf-map", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
  const Ref<Object> object = make();
  OwnedFd fd = descriptors_->open(object, Access::kReadWrite, memory.get()).value();
  Child child(false, fd.get());
  fd.reset();
  for (int i = 0; i < 5000 && descriptors_->size() != 0; ++i) {  // the child closes its own when it comes to run
    ::poll(nullptr, 0, 1);
    descriptors_->drain();
  }
  ASSERT_EQ(descriptors_->size(), 0u);
  const OwnedFd again(::open(("/proc/self/fd/" + std::to_string(memory.get())).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  EXPECT_TRUE(again) << "whoever opens it for a client waits: " << errno;
}

}  // namespace
}  // namespace ring3::syscall
