#include "exec/helper_table.h"

#include <gtest/gtest.h>

#include "isa/helper_names.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

TEST(HelperTableTest, RowsCarryTheirNumberAndTheKernelsName) {
  int rows = 0;
  for (std::uint32_t id = 0; id < uapi::__BPF_FUNC_MAX_ID; ++id) {
    const rewrite::HelperCall* helper = find_helper(id);
    if (helper == nullptr) continue;
    ++rows;
    EXPECT_EQ(helper->id, id);
    EXPECT_EQ(isa::helper_name(id), helper->name);
    EXPECT_NE(helper->fn, nullptr);
  }
  EXPECT_GE(rows, 30);
}

TEST(HelperTableTest, UnknownNumbersHaveNoRow) {
  EXPECT_EQ(find_helper(0), nullptr);
  EXPECT_EQ(find_helper(uapi::__BPF_FUNC_MAX_ID), nullptr);
  EXPECT_EQ(find_helper(UINT32_MAX), nullptr);
}

}  // namespace
}  // namespace ring3::exec
