// The host and the programs of docs/kptr.md do what the page says.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "sessions_btf.h"
#include "sessions_host.h"
#include "tests/integration/libbpf_door.h"
#include "tests/support/log_lines.h"
#include "uapi/bpf.h"

namespace {

namespace uapi = ring3::uapi;

class KptrDoc : public testing::Test {
 protected:
  KptrDoc() : sessions_(Sessions::start(&log_).value()), door_(sessions_->runtime(), sessions_btf) {}

  long bpf(int command, uapi::bpf_attr& attr) { return sessions_->runtime().bpf(command, &attr, sizeof attr); }
  static uapi::bpf_attr zero() {
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    return attr;
  }
  long run(const ring3::test::ObjectFile& object, const char* program) {
    const std::uint8_t packet[64] = {};
    uapi::bpf_attr attr = zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(object.program(program));
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
    attr.test.data_size_in = sizeof packet;
    const long done = bpf(uapi::BPF_PROG_TEST_RUN, attr);
    return done == 0 ? static_cast<long>(attr.test.retval) : done;
  }
  void want(const ring3::test::ObjectFile& object, __u64 id) {
    const std::uint32_t key = 0;
    uapi::bpf_attr attr = zero();
    attr.map_fd = static_cast<std::uint32_t>(object.bss());
    attr.key = reinterpret_cast<std::uintptr_t>(&key);
    attr.value = reinterpret_cast<std::uintptr_t>(&id);
    ASSERT_EQ(bpf(uapi::BPF_MAP_UPDATE_ELEM, attr), 0);
  }

  ring3::test::LogLines log_;
  std::unique_ptr<Sessions> sessions_;
  ring3::test::LibbpfDoor door_;
};

#define LOADED(object, file)                              \
  ring3::test::ObjectFile object(RING3_MODULE_DIR "/" file); \
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.text()

TEST_F(KptrDoc, AnOwnedSlotKeepsItsSession) {
  LOADED(object, "sessions.bpf.o");
  sessions_->open(7)->bytes = 200;
  want(object, 7);
  EXPECT_EQ(run(object, "count"), 1);
  EXPECT_EQ(run(object, "keep"), 0);
  EXPECT_EQ(run(object, "count"), 0);
  EXPECT_EQ(sessions_->find(7)->refs(), 2u);
  sessions_->close(7);
  EXPECT_EQ(run(object, "count"), 0) << "the slot keeps it";
  EXPECT_EQ(Session::objects(), 1u);
}

TEST_F(KptrDoc, AWeakSlotDoesNot) {
  LOADED(object, "sessions.bpf.o");
  sessions_->open(7);
  want(object, 7);
  EXPECT_EQ(run(object, "recall"), 1);
  EXPECT_EQ(run(object, "remember"), 0);
  EXPECT_EQ(run(object, "recall"), 0);
  EXPECT_EQ(sessions_->find(7)->refs(), 1u);
  sessions_->close(7);
  EXPECT_EQ(run(object, "recall"), 1);
  ring3::wait_for_readers();
  EXPECT_EQ(Session::objects(), 0u);
}

TEST_F(KptrDoc, StorageGoesWithItsSession) {
  LOADED(object, "sessions.bpf.o");
  sessions_->open(7);
  want(object, 7);
  EXPECT_EQ(run(object, "note"), 0);
  EXPECT_EQ(run(object, "note"), 1) << "seen twice";
  sessions_->close(7);
  ring3::wait_for_readers();
  sessions_->open(7);
  EXPECT_EQ(run(object, "note"), 0) << "a new one";
}

TEST_F(KptrDoc, UsesAreCounted) {
  LOADED(object, "sessions.bpf.o");
  sessions_->open(7);
  want(object, 7);
  EXPECT_EQ(run(object, "keep"), 0);
  EXPECT_EQ(run(object, "remember"), 0);
  EXPECT_EQ(run(object, "visit"), 0);
  EXPECT_EQ(run(object, "visit"), 0);
  const std::vector<ring3::KptrUse> uses = sessions_->runtime().kptr_uses().value();
  ASSERT_EQ(uses.size(), 1u);
  EXPECT_EQ(uses[0].type, "session");
  EXPECT_EQ(uses[0].owned, 3u);
  EXPECT_EQ(uses[0].weak, 1u);
  EXPECT_EQ(uses[0].alive, 1u);
  EXPECT_EQ(sessions_->find(7)->refs(), 4u);
}

TEST_F(KptrDoc, ThreadsAreCounted) {
  LOADED(object, "sessions.bpf.o");
  const long before = run(object, "count_threads");
  EXPECT_GE(before, 0);
  std::atomic<bool> counted{false};
  std::atomic<int> begun{0};
  std::thread other([&] {
    ++begun;
    while (!counted) std::this_thread::yield();
  });
  while (begun == 0) std::this_thread::yield();
  EXPECT_EQ(run(object, "count_threads"), before + 1);
  counted = true;
  other.join();
}

TEST_F(KptrDoc, ARingThroughStorageIsRefused) {
  ring3::test::ObjectFile object(RING3_MODULE_DIR "/ring.bpf.o");
  EXPECT_EQ(object.load(), -ELOOP);
  const std::string said = door_.take_text() + log_.text();
  EXPECT_NE(said.find("storage of struct session keeps struct session, which refers to struct session"), std::string::npos) << said;
}

}  // namespace
