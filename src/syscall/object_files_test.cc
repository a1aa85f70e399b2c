// Files made ahead: as many as are wanted, each for one object, and given back.
#include "syscall/object_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "object/object_table.h"
#include "object/rcu.h"
#include "syscall/descriptors.h"

namespace ring3::syscall {
namespace {

constexpr const char* kMap = "bpf-map";
constexpr const char* kProg = "bpf-prog";

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

std::string self_path(const OwnedFd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

class ObjectFilesTest : public testing::Test {
 protected:
  ObjectFile make(const char* name = kMap) { return files_.make(name).value(); }
  bool called() {
    std::uint64_t count = 0;
    return ::read(attention_.get(), &count, sizeof count) == sizeof count;
  }
  /// Empty after each loop of more asked for than there are.
  void stock_up() {
    for (std::size_t i = 0; i < 8; ++i) {
      while (files_.stock() != 0) files_.end(make());
      files_.end(make());
      files_.keep_house();
    }
  }

  const OwnedFd inotify_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  const OwnedFd attention_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  ObjectFiles files_{inotify_.get(), attention_.get()};
};

TEST_F(ObjectFilesTest, NothingIsKeptWhileNobodyAttends) {
  const std::size_t before = open_files();
  files_.end(make());
  EXPECT_FALSE(called());
  EXPECT_FALSE(files_.busy());
  files_.keep_house();
  EXPECT_EQ(files_.stock(), 0u);
  files_.end_later(make());
  EXPECT_EQ(open_files(), before);
}

TEST_F(ObjectFilesTest, AsManyAsAreWantedAreMadeAhead) {
  const std::size_t before = open_files();
  files_.attend(Ahead::kHeld);
  files_.keep_house();
  EXPECT_EQ(files_.stock(), 0u) << "nobody has asked";
  files_.end(make());
  EXPECT_TRUE(called());
  EXPECT_TRUE(files_.busy());
  files_.keep_house();
  const std::size_t first = files_.stock();
  EXPECT_GT(first, 0u);
  EXPECT_FALSE(files_.busy());
  while (files_.stock() != 0) files_.end(make());
  EXPECT_TRUE(called()) << "the last one is gone";
  files_.keep_house();
  EXPECT_EQ(files_.stock(), first) << "they were enough";
  while (files_.stock() != 0) files_.end(make());
  files_.end(make());
  files_.keep_house();
  EXPECT_EQ(files_.stock(), 2 * first) << "they were not";
  stock_up();
  EXPECT_LE(files_.stock(), ObjectFiles::kMost);
  EXPECT_EQ(open_files(), before + files_.stock()) << "one descriptor each";
  files_.shrink();
  EXPECT_EQ(files_.stock(), 0u);
  EXPECT_EQ(open_files(), before);
}

TEST_F(ObjectFilesTest, NoFileIsGivenTwice) {
  files_.attend(Ahead::kHeld);
  std::set<FileKey> keys;
  std::vector<OwnedFd> handles;  // as a client may keep them: the file is not open
  for (int i = 0; i < 300; ++i) {
    ObjectFile file = make();
    handles.emplace_back(::open(self_path(file.own).c_str(), O_PATH | O_CLOEXEC));
    ASSERT_TRUE(handles.back());
    EXPECT_TRUE(keys.insert(file.key).second) << i;
    struct stat st;
    ASSERT_EQ(::stat(self_path(handles.back()).c_str(), &st), 0);
    EXPECT_EQ(file.key, FileKey(st.st_dev, st.st_ino));
    files_.end_later(std::move(file));
    if (i % 7 == 0) files_.keep_house();
  }
  EXPECT_GT(files_.stock(), 0u) << "some were made ahead";
}

TEST_F(ObjectFilesTest, EachHasTheNameThatWasAskedFor) {
  files_.attend(Ahead::kHeld);
  for (const char* name : {kMap, kProg, kMap, kMap, kProg, kProg}) {
    const ObjectFile file = make(name);
    EXPECT_EQ(std::filesystem::read_symlink(self_path(file.own)), std::string("/memfd:") + name + " (deleted)");
    files_.keep_house();
  }
}

TEST_F(ObjectFilesTest, WhatIsMadeAheadIsNotOpenForAnybody) {
  files_.attend(Ahead::kHeld);
  stock_up();
  for (ObjectFile file = make(); files_.stock() != 0; file = make()) {
    EXPECT_EQ(::fcntl(file.own.get(), F_SETLEASE, F_WRLCK), 0);
    EXPECT_EQ(::fcntl(file.own.get(), F_SETLEASE, F_UNLCK), 0);
    const OwnedFd client = file.open(O_RDWR).value();
    EXPECT_NE(::fcntl(file.own.get(), F_SETLEASE, F_WRLCK), 0);
    EXPECT_EQ(::write(client.get(), "x", 1), -1);
    EXPECT_EQ(::ftruncate(client.get(), 4096), -1);
  }
}

TEST_F(ObjectFilesTest, WhatIsMadeAheadMayBeOpenAsClientsHaveIt) {
  const auto unused = [](const ObjectFile& file) {
    const bool leased = ::fcntl(file.own.get(), F_SETLEASE, F_WRLCK) == 0;
    if (leased) ::fcntl(file.own.get(), F_SETLEASE, F_UNLCK);
    return leased;
  };
  const std::size_t before = open_files();
  files_.attend(Ahead::kOpen);
  stock_up();
  EXPECT_EQ(open_files(), before + 2 * files_.stock());
  {
    ObjectFile file = make();
    ASSERT_TRUE(file.ahead);
    EXPECT_FALSE(unused(file)) << "who has not asked yet has it";
    OwnedFd client = file.open(O_RDWR).value();
    EXPECT_FALSE(file.ahead);
    EXPECT_EQ(::fcntl(client.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_FALSE(unused(file));
    client.reset();
    EXPECT_TRUE(unused(file));
    files_.end(std::move(file));
  }
  for (const int flags : {O_RDONLY, O_WRONLY}) {
    ObjectFile file = make();
    OwnedFd client = file.open(flags).value();
    EXPECT_EQ(::fcntl(client.get(), F_GETFL) & O_ACCMODE, flags);
    EXPECT_FALSE(unused(file));
    client.reset();
    EXPECT_TRUE(unused(file)) << "the one for reading and writing is open still";
    files_.end(std::move(file));
  }
  files_.shrink();
  EXPECT_EQ(open_files(), before);
}

TEST_F(ObjectFilesTest, WhoAttendsIsCalledOnceWhenHalfAreGone) {
  files_.attend(Ahead::kHeld);
  stock_up();
  files_.keep_house();
  called();
  const std::size_t stock = files_.stock();
  while (files_.stock() > stock / 2 + 1) files_.end(make());
  EXPECT_FALSE(called());
  files_.end(make());
  EXPECT_TRUE(called());
  while (files_.stock() != 0) files_.end(make());
  EXPECT_FALSE(called()) << "it has not come yet";
  files_.keep_house();
  EXPECT_EQ(files_.stock(), stock);
}

TEST_F(ObjectFilesTest, WhatHasEndedIsGivenBackByWhoAttends) {
  const std::size_t before = open_files();
  files_.attend(Ahead::kHeld);
  std::vector<ObjectFile> made;
  for (std::size_t i = 0; i < ObjectFiles::kMost + 10; ++i) made.push_back(make());
  files_.shrink();
  called();
  EXPECT_EQ(open_files(), before + made.size());
  for (ObjectFile& file : made) files_.end_later(std::move(file));
  EXPECT_EQ(open_files(), before + ObjectFiles::kMost) << "more than can wait end at once";
  EXPECT_TRUE(files_.busy());
  files_.attend(Ahead::kNothing);
  EXPECT_EQ(open_files(), before);
}

class Thing final : public Object {
 public:
  explicit Thing(ObjectTable& table) : Object(ObjectKind::kMap, table, Birth{}) {}
};

TEST(DescriptorsOfFilesMadeAhead, StandForTheirOwnObject) {
  ObjectTable table;
  {
    const std::size_t before = open_files();
    const std::unique_ptr<Descriptors> descriptors = Descriptors::create().value();
    const std::size_t idle = open_files();
    descriptors->files().attend(Ahead::kHeld);
    for (int i = 0; i < 200; ++i) {
      std::vector<std::pair<Ref<Object>, OwnedFd>> clients;
      for (int j = 0; j < 3; ++j) {
        Ref<Object> object = Ref<Object>::adopt(new Thing(table));
        OwnedFd fd = descriptors->open(object, j == 1 ? Access::kReadOnly : Access::kReadWrite).value();
        clients.emplace_back(std::move(object), std::move(fd));
      }
      for (const auto& [object, fd] : clients) {
        const Result<OpenObject> found = descriptors->find(identify_own(fd.get()).value());
        ASSERT_TRUE(found.ok());
        EXPECT_EQ(found->object, object);
      }
      clients.pop_back();
      EXPECT_EQ(descriptors->drain(), 1u);
      clients.clear();
      EXPECT_EQ(descriptors->drain(), 2u);
      EXPECT_EQ(descriptors->size(), 0u);
      if (i % 2 == 0) descriptors->files().keep_house();
    }
    descriptors->files().attend(Ahead::kNothing);
    EXPECT_EQ(open_files(), idle);
    EXPECT_LT(before, idle);
  }
  rcu::drain();
}

/// This process's limit of descriptors, for a scope.
struct DescriptorLimit {
  explicit DescriptorLimit(rlim_t most) {
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit less{most, before.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &less), 0);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

TEST(DescriptorsOfFilesMadeAhead, GoBeforeSomebodyIsRefused) {
  ObjectTable table;
  {
    const std::unique_ptr<Descriptors> descriptors = Descriptors::create().value();
    ObjectFiles& files = descriptors->files();
    files.attend(Ahead::kHeld);
    OwnedFd first = descriptors->open(Ref<Object>::adopt(new Thing(table)), Access::kReadWrite).value();
    files.keep_house();
    ASSERT_GT(files.stock(), 1u);
    {
      const DescriptorLimit limit(128);
      std::vector<OwnedFd> others;
      do others.emplace_back(::fcntl(first.get(), F_DUPFD_CLOEXEC, 0));
      while (others.back());
      const Result<OwnedFd> second = descriptors->open(Ref<Object>::adopt(new Thing(table)), Access::kReadWrite);
      EXPECT_TRUE(second.ok());
    }
    EXPECT_EQ(files.stock(), 0u);
  }
  rcu::drain();
}

}  // namespace
}  // namespace ring3::syscall
