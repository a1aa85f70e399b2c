// Host structs as kptr types: what registration checks, and the two counters that come with ring3.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "btf/builder.h"
#include "object/weak_table.h"
#include "ring3/counted.h"
#include "runtime/runtime_impl.h"
#include "test_host_btf.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

void drop_loose(loose_thing*) {}
loose_thing* get_loose(loose_thing* l) { return l; }

class KptrTypes : public World {
 protected:
  bool said(std::string_view text) {
    last_ = log_.take();
    return last_.find(text) != std::string::npos;
  }
  KptrDef loose() {
    KptrDef def;
    def.name = "loose_thing";
    def.release = ObjectFn<loose_thing>(&drop_loose).any();
    return def;
  }
  Errno add(const KptrDef& def) {
    const Result<void> added = runtime_->impl().add_kptr(def);
    return added.ok() ? Errno{} : added.error();
  }
  std::string last_;
};

TEST_F(KptrTypes, FunctionsOfEverySortAreTaken) {
  EXPECT_TRUE((runtime_->kptr<loose_thing>({.acquire = get_loose, .release = drop_loose, .reaches = types<thing, box>()}).ok()))
      << log_.take();
  KptrOptions<box> lambda;
  lambda.release = [](box*) {};
  EXPECT_TRUE(runtime_->kptr<box>(lambda).ok()) << log_.take();
}

TEST_F(KptrTypes, AResultSaysWhetherItWorked) {
  loose_thing object{};
  const auto ask = [&](const ObjectFn<loose_thing>& fn) { return fn.any().call(fn.any().fn, &object); };
  EXPECT_TRUE(ask(drop_loose));
  EXPECT_TRUE(ask(get_loose));
  EXPECT_FALSE(ask([](loose_thing*) { return false; }));
  EXPECT_FALSE(ask([](loose_thing*) -> loose_thing* { return nullptr; }));
}

TEST_F(KptrTypes, WhatDoesNotFitIsNamed) {
  KptrDef def = loose();
  def.name = "unheard_of";
  EXPECT_EQ(add(def), Errno::kNoEnt);
  EXPECT_TRUE(said("kptr unheard_of: no such struct")) << last_;

  def = loose();
  def.size_bytes = 24;
  EXPECT_EQ(add(def), Errno::kInval);
  EXPECT_TRUE(said("kptr loose_thing: 24 bytes in C++ and 8 in the BTF")) << last_;

  def = loose();
  def.release = {};
  EXPECT_EQ(add(def), Errno::kInval);
  EXPECT_TRUE(said("release is missing")) << last_;

  def = loose();
  def.reaches = {"thing", "nothing"};
  EXPECT_EQ(add(def), Errno::kNoEnt);
  EXPECT_TRUE(said("reaches struct nothing")) << last_;

  def = loose();
  def.weaken = ObjectFn<loose_thing>(&drop_loose).any();
  EXPECT_EQ(add(def), Errno::kInval);
  EXPECT_TRUE(said("weaken without acquire")) << last_;
  def.acquire = ObjectFn<loose_thing>(&get_loose).any();
  EXPECT_EQ(add(def), Errno::kInval);
  EXPECT_TRUE(said("weaken without rcu_safe")) << last_;

  EXPECT_EQ(add(loose()), Errno{});
  EXPECT_EQ(add(loose()), Errno::kExist);
  EXPECT_TRUE(said("registered already")) << last_;
}

/// A host of structs that the test makes up.
class MadeUpHost : public ::testing::Test {
 protected:
  MadeUpHost() {
    const auto u64 = b_.add_int("unsigned long long", 8);
    for (int i = 0; i < 260; ++i) b_.add_struct("s" + std::to_string(i), 8, {{"id", u64, 0}});
    b_.add_fwd("declared");
    bytes_ = b_.finish();
    runtime_ = Runtime::create({.name = "made-up", .btf = {bytes_.data(), bytes_.size()}, .log = &log_}).value();
  }
  Errno add(std::string name) {
    KptrDef def;
    def.name = std::move(name);
    def.release = ObjectFn<loose_thing>(&drop_loose).any();
    const Result<void> added = runtime_->impl().add_kptr(def);
    return added.ok() ? Errno{} : added.error();
  }
  btf::Builder b_;
  std::vector<std::byte> bytes_;
  LogLines log_;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(MadeUpHost, AStructThatIsOnlyDeclaredIsNone) {
  EXPECT_EQ(add("declared"), Errno::kNoEnt);
  EXPECT_NE(log_.take().find("kptr declared: the host's header only declares it"), std::string::npos);
}

TEST_F(MadeUpHost, TypesAreLimited) {
  for (int i = 0; i < 256; ++i) ASSERT_EQ(add("s" + std::to_string(i)), Errno{}) << i << log_.take();
  EXPECT_EQ(add("s256"), Errno::kTooBig);
  EXPECT_NE(log_.take().find("256"), std::string::npos);
}

struct CountedThing : counted_thing, Counted<CountedThing> {
  CountedThing() { ++alive; }
  ~CountedThing() { --alive; }
  static inline std::atomic<int> alive{0};
};

struct SharedThing : shared_thing, SharedWithPrograms<SharedThing> {
  SharedThing() { ++alive; }
  ~SharedThing() { --alive; }
  static inline std::atomic<int> alive{0};
};

TEST(CountedTest, LivesUntilReadersHaveLeft) {
  auto* object = new CountedThing;
  EXPECT_TRUE(object->acquire());
  object->release();
  {
    ReadSection section;
    object->release();
    EXPECT_EQ(CountedThing::alive, 1) << "this thread may still look at it";
    EXPECT_FALSE(object->acquire()) << "nobody can save it";
  }
  wait_for_readers();
  EXPECT_EQ(CountedThing::alive, 0);
}

TEST(SharedWithProgramsTest, ProgramsKeepItAlive) {
  auto object = std::make_shared<SharedThing>();
  SharedThing* raw = object.get();
  EXPECT_TRUE(raw->acquire());
  object = nullptr;
  EXPECT_EQ(SharedThing::alive, 1);
  {
    ReadSection section;
    raw->release();
    EXPECT_EQ(SharedThing::alive, 1);
    EXPECT_TRUE(raw->acquire()) << "found again by a reader";
  }
  wait_for_readers();
  EXPECT_EQ(SharedThing::alive, 1);
  raw->release();
  wait_for_readers();
  wait_for_readers();
  EXPECT_EQ(SharedThing::alive, 0);
}

TEST(SharedWithProgramsTest, ManyThreadsAndOneEnd) {
  auto object = std::make_shared<SharedThing>();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([raw = object.get(), keep = object] {
      for (int i = 0; i < 5'000; ++i) {
        ReadSection section;
        ASSERT_TRUE(raw->acquire());
        raw->release();
      }
    });
  object = nullptr;
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  wait_for_readers();
  wait_for_readers();
  EXPECT_EQ(SharedThing::alive, 0);
}

/// A value of a map, its kptr field filled by the test as bpf_kptr_xchg does.
struct Holder {
  std::atomic<void*> held;
};

template <typename T>
maps::Releaser releaser_of(Runtime& runtime, const btf::Btf& btf, std::string_view name) {
  model::Field field{model::FieldKind::kKptrRef, 0, 8, runtime.impl().facts()->host_btf,
                     btf.find(name, btf::Kind::kStruct), 0};
  return runtime.impl().releaser(field);
}

TEST_F(KptrTypes, ReferencesAreGivenBackByTheRegisteredFunction) {
  ASSERT_TRUE((runtime_->kptr<counted_thing>(counted_kptr<counted_thing, CountedThing>()).ok())) << log_.take();
  ASSERT_TRUE((runtime_->kptr<shared_thing>(shared_kptr<shared_thing, SharedThing>()).ok())) << log_.take();
  counted_thing* counted = new CountedThing;
  maps::Releaser give = releaser_of<counted_thing>(*runtime_, *host_btf_, "counted_thing");
  ASSERT_NE(give.release, nullptr);
  give.release(counted, give.context);
  auto shared = std::make_shared<SharedThing>();
  ASSERT_TRUE(shared->acquire());
  shared_thing* raw = shared.get();
  shared = nullptr;
  give = releaser_of<shared_thing>(*runtime_, *host_btf_, "shared_thing");
  give.release(raw, give.context);
  wait_for_readers();
  EXPECT_EQ(CountedThing::alive, 0);
  EXPECT_EQ(SharedThing::alive, 0);
}

TEST_F(KptrTypes, AReleaseThatSleepsRunsOutsideReadSections) {
  static std::atomic<int> released{0};
  static std::atomic<bool> in_section{false};
  static std::thread::id where;
  released = 0;
  KptrOptions<loose_thing> options;
  options.release = [](loose_thing*) {
    where = std::this_thread::get_id();
    in_section = rcu::reading();
    ++released;
  };
  options.release_may_sleep = true;
  ASSERT_TRUE(runtime_->kptr<loose_thing>(options).ok()) << log_.take();
  loose_thing object{};
  const maps::Releaser give = releaser_of<loose_thing>(*runtime_, *host_btf_, "loose_thing");
  {
    ReadSection section;
    give.release(&object, give.context);
    EXPECT_EQ(released, 0) << "not while a reader may look at it";
  }
  client_.reset();
  runtime_.reset();  // waits for it
  EXPECT_EQ(released, 1);
  EXPECT_FALSE(in_section);
  EXPECT_NE(where, std::this_thread::get_id());
}

/// Held by the host as std::shared_ptr; programs know struct shared_thing.
struct WeakShared : shared_thing, SharedWithPrograms<WeakShared> {
  WeakShared() { ++alive; }
  ~WeakShared() { --alive; }
  static inline std::atomic<int> alive{0};
};

TEST_F(KptrTypes, SharedObjectsOutliveTheirOwnersForReaders) {
  const auto options = shared_kptr<shared_thing, WeakShared>();
  const auto weaken = [&](WeakShared* object) { return options.weaken.any().call(options.weaken.any().fn, static_cast<shared_thing*>(object)); };
  auto plain = std::make_shared<WeakShared>();
  EXPECT_FALSE(weaken(plain.get())) << "its memory goes at once";
  auto lasting = make_shared_with_programs<WeakShared>();
  EXPECT_TRUE(weaken(lasting.get()));
  std::uint64_t slot = 0;
  const WeakType type = {.context = nullptr,
                         .acquire = [](const void*, void* t) { return static_cast<WeakShared*>(static_cast<shared_thing*>(t))->acquire(); },
                         .weaken = [](const void*, void*) { return true; },
                         .release = [](const void*, void* t) { static_cast<WeakShared*>(static_cast<shared_thing*>(t))->release(); }};
  ASSERT_TRUE(lasting->acquire());
  EXPECT_EQ(weak::exchange(&slot, static_cast<shared_thing*>(lasting.get()), type), nullptr);
  EXPECT_NE(slot, 0u);
  wait_for_readers();  // what the program's reference had kept
  {
    ReadSection readers;
    lasting.reset();
    EXPECT_EQ(slot, 0u);
    EXPECT_EQ(WeakShared::alive, 2) << "a reader may look at it";
  }
  wait_for_readers();
  EXPECT_EQ(WeakShared::alive, 1);
}

}  // namespace
}  // namespace ring3::test
