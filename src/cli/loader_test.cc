#include "cli/loader.h"

#include <gtest/gtest.h>

namespace ring3::cli {
namespace {

TEST(LoaderTest, ModuleIsNamedAfterTheFileUpToItsFirstDot) {
  EXPECT_EQ(module_name_of("s3fifo.bpf.o"), "s3fifo");
  EXPECT_EQ(module_name_of("/a.b/c-d_9.o"), "c-d_9");
  EXPECT_EQ(module_name_of("my policy.o"), "my_policy");
  EXPECT_EQ(module_name_of("plain"), "plain");
  EXPECT_EQ(module_name_of(".o"), "");
  EXPECT_EQ(module_name_of(std::string(40, 'x')), std::string(31, 'x'));
}

}  // namespace
}  // namespace ring3::cli
