// Every allocation of a load and its commit fails once; whatever failed, nothing of the load may stay, and what
// stood before must stand. Two ways to fail: fault points (kNoMem as a value), and operator new itself.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/fault_point.h"
#include "module/registry.h"
#include "object/tsan.h"
#include "tests/support/module_world.h"

#if !defined(RING3_TSAN)  // TSan has an operator new of its own

namespace {

// Not inlined: g++ would see malloc and free where it expects new and delete.
// < 0: off; 0: the next allocation fails, once.
std::atomic<long> allocations_left{-1};

bool this_allocation_fails() {
  return allocations_left.load(std::memory_order_relaxed) >= 0 && allocations_left.fetch_sub(1) == 0;
}

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return this_allocation_fails() ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* p = operator new(bytes, std::nothrow);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace ring3::module {
namespace {

class RegistryFaultTest : public test::ModuleWorld {
 protected:
  /// Nothing but the module "old", which works.
  void expect_only_old() {
    rcu::drain();
    EXPECT_EQ(table_.live_count(), 4u);
    EXPECT_EQ(call_add(1, 2), 3);
    EXPECT_EQ(names(), "old live");
  }
};

TEST_F(RegistryFaultTest, FaultPointsOfAReplacement) {
  ASSERT_EQ(insert(request("old")), Errno{});
  int failures = 0;
  for (std::int64_t n = 0;; ++n, ++failures) {
    ASSERT_LT(n, 1000);
    auto session = std::make_unique<syscall::LoadSession>(*kernel_);
    Ref<prog::Program> add = make_program(kAddTen, 0), sub = make_program(kSub, 1);
    Errno error{};
    {
      FaultInjection fault(n);
      const Result<void> filled = fill(*session, std::move(add), std::move(sub));
      error = filled.ok() ? commit(*session, request("new", "old")) : filled.error();
    }
    fds_.clear();
    client_goes();
    session.reset();
    if (error == Errno{}) break;
    EXPECT_EQ(error, Errno::kNoMem);
    expect_only_old();
  }
  EXPECT_GT(failures, 5);
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 13);
  EXPECT_EQ(table_.live_count(), 4u);
}

TEST_F(RegistryFaultTest, EveryAllocationOfACommit) {
  ASSERT_EQ(insert(request("old")), Errno{});
  bool done = false;
  long n = 0;
  for (; !done; ++n) {
    ASSERT_LT(n, 1000);
    auto session = load(kAddTen);
    const CommitRequest next = request("new", "old");
    NullSink why;
    bool threw = false;
    Result<std::uint32_t> id = Errno::kNoMem;
    allocations_left.store(n);
    try {
      id = modules_.commit(*session, next, why);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    done = allocations_left.exchange(-1) >= 0;
    client_goes();
    session.reset();
    if (id.ok()) {  // also after a failure: the record of a reference is done without
      ASSERT_EQ(insert(request("old", "new")), Errno{});
      continue;
    }
    ASSERT_TRUE(threw || id.error() == Errno::kNoMem) << n << ": " << errno_name(id.error());
    expect_only_old();
  }
  EXPECT_GT(n, 5);
}

TEST_F(RegistryFaultTest, EveryAllocationOfACommitWithPins) {
  const syscall::PinIdentity who{0, 0, {}, true};
  const char* const paths[] = {"/sys/fs/bpf/a-name-that-fits-into-no-string-by-itself", "/sys/fs/bpf/another-name-that-fits-into-no-string"};
  bool done = false;
  long n = 0, failures = 0;
  for (; !done; ++n) {
    ASSERT_LT(n, 1000);
    auto session = load(kAddTen);
    const std::vector<Ref<Object>> objects = session->objects();
    for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(session->add_pin(paths[i], who, objects[i], 0).ok());
    bool threw = false;
    Result<void> committed = Errno::kNoMem;
    allocations_left.store(n);
    try {
      committed = session->commit();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    done = allocations_left.exchange(-1) >= 0;
    for (const char* path : paths) EXPECT_EQ(kernel_->pins().get(path, who, true, true).ok(), committed.ok()) << n << " " << path;
    EXPECT_EQ(call_add(1, 2), committed.ok() ? 13 : 0) << n;
    if (committed.ok())
      for (const char* path : paths) ASSERT_TRUE(kernel_->pins().unlink(path, who).ok());
    else
      EXPECT_TRUE(threw || committed.error() == Errno::kNoMem) << n << ": " << errno_name(committed.error());
    failures += committed.ok() ? 0 : 1;
    client_goes();
    session.reset();
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(failures, 5);
}

}  // namespace
}  // namespace ring3::module

#endif
