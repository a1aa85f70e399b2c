// Programs compiled by clang that use timers on a clock of the test's own, work items, dynptrs of every kind, open coded iterators
// and exceptions: they run and say what they saw.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class SetClock final : public Clock {
 public:
  std::uint64_t now_ns() override { return now; }
  std::atomic<std::uint64_t> now{1'000'000'000};
};

class Runs : public ::testing::Test {
 protected:
  void SetUp() override {
    runtime_ = Runtime::create({.name = "runs", .btf = test_host_btf, .log = &log_, .clock = &clock_}).value();
    StringSink text;
    btf_ = btf::Btf::parse({static_cast<const std::byte*>(test_host_btf.data), test_host_btf.size}, nullptr, text, btf::Origin::kHost).value();
    client_ = std::make_unique<BpfClient>(*runtime_, *btf_);
    door_ = std::make_unique<LibbpfDoor>(*runtime_, test_host_btf);
    object_ = std::make_unique<ObjectFile>(RING3_MODULE_DIR "/runs.bpf.o");
    ASSERT_EQ(object_->load(), 0) << door_->take_text() << log_.take();
  }
  ~Runs() override {
    object_.reset();
    door_.reset();
    client_.reset();
    runtime_.reset();
    EXPECT_EQ(log_.take().find("still alive"), std::string::npos);
  }
  long run(const char* program) { return client_->run_on_packet(object_->program(program)); }
  struct Globals {
    std::uint64_t rung, worked, went_on;
    std::uint32_t counts[2];
  };
  Globals globals() {
    Globals out{};
    EXPECT_EQ(client_->lookup(object_->bss(), &out), 0);
    return out;
  }

  LogLines log_;
  SetClock clock_;
  std::shared_ptr<const btf::Btf> btf_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<BpfClient> client_;
  std::unique_ptr<LibbpfDoor> door_;
  std::unique_ptr<ObjectFile> object_;
};

TEST_F(Runs, TimersGoByTheClockOfTheHost) {
  EXPECT_EQ(run("timer"), 0);
  EXPECT_EQ(runtime_->run_timers(), 0u);
  clock_.now += 999'999;
  EXPECT_EQ(runtime_->run_timers(), 0u);
  EXPECT_EQ(globals().rung, 0u);
  for (std::uint64_t turn = 1; turn <= 3; ++turn) {
    clock_.now += turn == 1 ? 1 : 1'000'000;
    EXPECT_EQ(runtime_->run_timers(), 1u);
    EXPECT_EQ(globals().rung, turn) << "it starts itself again";
  }
  EXPECT_EQ(run("cancel"), 0);
  clock_.now += 1'000'000'000;
  EXPECT_EQ(runtime_->run_timers(), 0u);
  EXPECT_EQ(globals().rung, 3u);
}

TEST_F(Runs, WorkIsDoneByTheRuntimesWorker) {
  EXPECT_EQ(run("work"), 0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (globals().worked == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(globals().worked, 1u);
}

TEST_F(Runs, Dynptrs) {
  for (const char* program : {"dynptr_of_memory", "dynptr_of_record", "dynptr_of_packet", "dynptr_of_frame"})
    EXPECT_EQ(run(program), 0) << program;
}

TEST_F(Runs, OpenCodedIterators) { EXPECT_EQ(run("iterate"), 0); }

/// Each of these loops would run for ever; the last ends.
TEST_F(Runs, LoopsOfIteratorsEnd) {
  for (const char* program : {"made_anew", "by_turns", "meets_one_that_goes_on"}) {
    ObjectFile object(RING3_MODULE_DIR "/endless.bpf.o");
    EXPECT_EQ(object.load_only(program), -EINVAL) << program;
    const std::string text = door_->take_text();
    EXPECT_NE(text.find("infinite loop detected"), std::string::npos) << program << text;
  }
  ObjectFile object(RING3_MODULE_DIR "/endless.bpf.o");
  EXPECT_EQ(object.load_only("ends"), 0) << door_->take_text();
}

TEST_F(Runs, AnExceptionEndsEveryFrame) {
  EXPECT_EQ(run("throws"), 42);
  EXPECT_EQ(globals().went_on, 1u);
}

}  // namespace
}  // namespace ring3::test
