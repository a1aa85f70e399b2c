// Weak pointers in programs compiled by clang: they keep nothing alive, and read as null when it has gone.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "maps/allocated_type.h"
#include "object/weak_table.h"
#include "test_host_btf.h"
#include "tests/integration/kptr_world.h"
#include "tests/integration/libbpf_door.h"

namespace ring3::test {
namespace {

class WeakPrograms : public KptrWorld {
 protected:
  WeakPrograms() {
    using namespace kfunc;
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_find>({.flags = kAcquire | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_get>({.flags = kAcquire | kRcu | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_put>({.flags = kRelease}).ok())) << log_.take();
    replace_thing();
  }
  ~WeakPrograms() override {
    end_thing();
    object_.reset();
    (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
    wait_for_readers();
    EXPECT_EQ(weak::filled(), 0u);
  }
  static void end_thing() {
    if (LiveThing* thing = LiveThing::found.exchange(nullptr)) thing->release();
  }
  static void replace_thing() {
    auto* thing = new LiveThing;
    thing->id = 42;
    if (LiveThing* old = LiveThing::found.exchange(thing)) old->release();
  }
  void load(const char* path) {
    object_ = std::make_unique<ObjectFile>(path);
    ASSERT_EQ(object_->load(), 0) << door_.take_text() << log_.take();
    const std::uint64_t zeros[2] = {};
    ASSERT_EQ(bpf().update(object_->map("notes"), zeros), 0);
  }
  /// What the program returned: 0, or the line of its source that went wrong.
  long run(const char* program) { return bpf().run_on_packet(object_->program(program)); }
  std::uint64_t seen() {
    std::uint64_t out[2] = {};
    EXPECT_EQ(bpf().lookup(object_->map("notes"), out), 0);
    EXPECT_EQ(out[1], 0u) << "clients see zeros";
    return out[0];
  }

  LibbpfDoor door_{*runtime_, test_host_btf};
  std::unique_ptr<ObjectFile> object_;
};

TEST_F(WeakPrograms, ASlotKeepsNothingAliveAndReadsAsNullAfterwards) {
  load(RING3_MODULE_DIR "/weak.bpf.o");
  EXPECT_NE(run("look"), 0) << "nothing is there yet";
  EXPECT_EQ(run("remember"), 0);
  EXPECT_EQ(LiveThing::found.load()->refs(), 1u);
  EXPECT_EQ(run("look"), 0);
  EXPECT_EQ(seen(), 42u);
  end_thing();
  EXPECT_NE(run("look"), 0) << "it has gone";
  EXPECT_NE(run("forget"), 0);
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
}

TEST_F(WeakPrograms, AnExchangeGivesAReference) {
  load(RING3_MODULE_DIR "/weak.bpf.o");
  EXPECT_EQ(run("remember"), 0);
  EXPECT_EQ(run("remember"), 0);
  EXPECT_EQ(LiveThing::found.load()->refs(), 1u);
  EXPECT_EQ(run("forget"), 0);
  EXPECT_EQ(seen(), 42u);
  EXPECT_NE(run("forget"), 0);
  EXPECT_EQ(LiveThing::found.load()->refs(), 1u);
  EXPECT_EQ(weak::filled(), 0u);
}

TEST_F(WeakPrograms, SlotsGoWithTheirElement) {
  load(RING3_MODULE_DIR "/weak.bpf.o");
  EXPECT_EQ(run("remember"), 0);
  EXPECT_EQ(weak::filled(), 1u);
  EXPECT_EQ(bpf().erase(object_->map("notes")), 0);
  EXPECT_EQ(weak::filled(), 0u);
}

TEST_F(WeakPrograms, SlotsGoWithTheirObjectAndTheirMap) {
  load(RING3_MODULE_DIR "/weak.bpf.o");
  EXPECT_EQ(run("remember_in_own"), 0);
  EXPECT_EQ(run("remember_in_own"), 0);
  EXPECT_EQ(weak::filled(), 1u);
  EXPECT_EQ(run("remember"), 0);
  object_.reset();
  (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
  wait_for_readers();
  EXPECT_EQ(weak::filled(), 0u);
}

TEST_F(WeakPrograms, ProgramsRunWhileObjectsAndElementsEnd) {
  load(RING3_MODULE_DIR "/weak.bpf.o");
  const int notes = object_->map("notes");
  constexpr int kTurns = kSanitized ? 300 : 3'000;
  std::atomic<int> running{3};
  std::vector<std::thread> programs;
  for (const char* const other : {"look", "forget", "remember_in_own"})
    programs.emplace_back([this, other, &running] {
      for (int i = 0; i < kTurns; ++i) {
        (void)run("remember");
        (void)run(other);
      }
      --running;
    });
  const std::uint64_t zeros[2] = {};
  while (running != 0) {
    replace_thing();
    (void)bpf().erase(notes);
    (void)bpf().update(notes, zeros);
    if (LiveThing::alive > 1'000) wait_for_readers();
  }
  for (std::thread& program : programs) program.join();
  end_thing();
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0) << "nothing owned one";
  EXPECT_EQ(weak::filled(), 0u);
}

TEST_F(WeakPrograms, MisuseOfASlotIsRefused) {
  const auto refused = [&](const char* program, int error, std::string_view why) {
    ObjectFile object(RING3_MODULE_DIR "/weak_refused.bpf.o");
    EXPECT_EQ(object.load_only(program), error) << program;
    const std::string said = door_.take_text() + log_.take();
    EXPECT_NE(said.find(why), std::string::npos) << said;
  };
  refused("store", -EACCES, "store to referenced kptr disallowed");
  refused("exchange_locked", -EINVAL, "a weak kptr is not exchanged while holding a lock");
  refused("put_unowned", -EINVAL, "R1 must be referenced or trusted");
}

class WeakFields : public KptrWorld {
 protected:
  long make_weak(btf::TypeId (*pointee)(ValueTypes&)) {
    ValueTypes types;
    const btf::TypeId pointer = types.kptr(pointee(types), "kptr_weak");
    return make(types, types.b.add_struct("value", 8, {{"weak", pointer, 0}}), 8);
  }
};

TEST_F(WeakFields, OnlyToHostTypesThatAllowIt) {
  EXPECT_GE(make_weak([](ValueTypes& t) { return t.counted; }), 0) << log_.take();
  EXPECT_EQ(make_weak([](ValueTypes& t) { return t.loose; }), -ENOENT);
  EXPECT_TRUE(said("has not registered struct loose_thing as a type of which weak pointers are possible")) << last_;
  EXPECT_EQ(make_weak([](ValueTypes& t) { return t.b.add_struct("mine", 8, {{"id", t.u64, 0}}); }), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
