// What a host is told when it registers something wrong.
#include <gtest/gtest.h>

#include "test_host_btf.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/world.h"

extern "C" {
// Not what test_host.h declares; this file must not define that one.
static int wrong_two(int a, __u64 b) { return a + static_cast<int>(b); }
}

namespace ring3::test {
namespace {

int unheard_of(int a) { return a; }

class HostApiTest : public World {
 protected:
  bool said(std::string_view text) {
    last_ = log_.take();
    return last_.find(text) != std::string::npos;
  }
  std::string last_;
};

TEST_F(HostApiTest, KfuncThatTheBtfDoesNotKnow) {
  EXPECT_EQ(runtime_->kfunc<&unheard_of>().error(), Errno::kNoEnt);
  EXPECT_TRUE(said("kfunc unheard_of: no such function")) << last_;
}

TEST_F(HostApiTest, KfuncTwice) {
  EXPECT_EQ(runtime_->kfunc<&host_swap>().error(), Errno::kExist);
}

TEST_F(HostApiTest, MismatchNamesBothPrototypes) {
  KfuncDef def = detail::KfuncThunk<&wrong_two, decltype(&wrong_two)>::def({});
  EXPECT_EQ(def.name, "wrong_two");
  EXPECT_EQ(def.param_count, 2);
  def.name = "host_two";
  Result<void> added = runtime_->impl().add_kfunc(def);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error(), Errno::kInval);
  EXPECT_TRUE(said("argument 2 is")) << last_;
  // Each compiler spells the type its own way.
  EXPECT_TRUE(last_.find("C++: int host_two(int, unsigned long long)") != std::string::npos ||
              last_.find("C++: int host_two(int, long long unsigned int)") != std::string::npos)
      << last_;
  EXPECT_NE(last_.find("BTF: int host_two(int, __u32)"), std::string::npos) << last_;
}

TEST_F(HostApiTest, FlagsMustFitThePrototype) {
  KfuncDef def = detail::KfuncThunk<&host_swap, decltype(&host_swap)>::def({.flags = kfunc::kAcquire});
  EXPECT_EQ(runtime_->impl().add_kfunc(def).error(), Errno::kInval);
  EXPECT_TRUE(said("kAcquire")) << last_;
}

TEST_F(HostApiTest, BadNamesAndBadBtfAreRefused) {
  LogLines log;
  EXPECT_EQ(Runtime::create({.name = "", .btf = test_host_btf, .log = &log}).error(), Errno::kInval);
  EXPECT_EQ(Runtime::create({.name = "a/b", .btf = test_host_btf, .log = &log}).error(), Errno::kInval);
  EXPECT_NE(log.take().find("name"), std::string::npos);
  EXPECT_EQ(Runtime::create({.name = "x", .btf = {"junk", 4}, .log = &log}).error(), Errno::kInval);
  EXPECT_NE(log.take(), "");
}

TEST_F(HostApiTest, TwoRuntimesInOneProcess) {
  LogLines log;
  auto second = Runtime::create({.name = "second", .btf = test_host_btf, .log = &log}).value();
  auto point = second->struct_ops<policy_ops>();
  ASSERT_TRUE(point.ok()) << log.take();
  EXPECT_FALSE(point->enter());
  EXPECT_EQ(second->struct_ops<policy_ops>().error(), Errno::kExist);
}

}  // namespace
}  // namespace ring3::test
