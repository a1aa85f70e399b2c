// Ring buffer helpers on a real ring; what a ring does is tested beside it.
#include <cstring>

#include "maps/testing.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class RingbufHelpersTest : public HelperTest {
 protected:
  maps::testing::FakeHost map_host_;
  Ref<maps::Map> ring_ =
      maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
};

TEST_F(RingbufHelpersTest, ReservedRecordsAreSubmittedOrDiscarded) {
  EXPECT_EQ(call(BPF_FUNC_ringbuf_query, ring_.get(), BPF_RB_RING_SIZE), 4096);
  const std::int64_t first = call(BPF_FUNC_ringbuf_reserve, ring_.get(), 16, 0);
  const std::int64_t second = call(BPF_FUNC_ringbuf_reserve, ring_.get(), 8, 0);
  ASSERT_NE(first, 0);
  ASSERT_NE(second, 0);
  std::memset(reinterpret_cast<void*>(first), 1, 16);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_submit, first, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_discard, second, BPF_RB_NO_WAKEUP), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_query, ring_.get(), BPF_RB_AVAIL_DATA), 24 + 16);
}

TEST_F(RingbufHelpersTest, OutputCopiesAndRefuses) {
  const char text[] = "hello";
  EXPECT_EQ(call(BPF_FUNC_ringbuf_output, ring_.get(), text, sizeof text, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_output, ring_.get(), text, sizeof text, 4), -22);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_reserve, ring_.get(), 4096, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_reserve, ring_.get(), 8, 1), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_query, ring_.get(), 99), 0);
}

}  // namespace
}  // namespace ring3::exec
