// Helpers on object storage, stored references and event buffers; the maps are tested in their own room.
#include "btf/builder.h"
#include "maps/event_buffer.h"
#include "maps/testing.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class StorageHelpersTest : public HelperTest {
 protected:
  maps::testing::FakeHost map_host_;
};

TEST_F(StorageHelpersTest, ValuesComeAndGoWithAnObject) {
  btf::Builder b;
  maps::MapSpec spec = maps::testing::spec(BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC);
  spec.key_type = b.add_int("int", 4, 1);
  spec.value_type = b.add_int("u64", 8);
  StringSink log;
  spec.btf = btf::Btf::parse(b.finish(), nullptr, log).value();
  auto map = maps::testing::make(map_host_, spec).value();
  int task = 0;
  const std::uint64_t init = 7;
  EXPECT_EQ(call(BPF_FUNC_task_storage_get, map.get(), &task, &init, 0), 0);
  const auto* value = reinterpret_cast<std::uint64_t*>(
      call(BPF_FUNC_task_storage_get, map.get(), &task, &init, BPF_LOCAL_STORAGE_GET_F_CREATE));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 7u);
  EXPECT_EQ(call(BPF_FUNC_task_storage_delete, map.get(), &task), 0);
  EXPECT_EQ(call(BPF_FUNC_task_storage_delete, map.get(), &task), -2);
}

TEST_F(StorageHelpersTest, ExchangeGivesTheFormerPointer) {
  std::uint64_t field = 0;
  int a = 0, b = 0;
  EXPECT_EQ(call(BPF_FUNC_kptr_xchg, &field, &a), 0);
  EXPECT_EQ(call(BPF_FUNC_kptr_xchg, &field, &b), static_cast<std::int64_t>(reg(&a)));
  EXPECT_EQ(call(BPF_FUNC_kptr_xchg, &field, nullptr), static_cast<std::int64_t>(reg(&b)));
  EXPECT_EQ(field, 0u);
}

TEST_F(StorageHelpersTest, OutputNeedsABufferInTheSlot) {
  auto map = maps::testing::make(map_host_, maps::testing::spec(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2)).value();
  const char data[] = "sample";
  EXPECT_EQ(call(BPF_FUNC_perf_event_output, nullptr, map.get(), 0, data, sizeof data), -2);
  EXPECT_EQ(call(BPF_FUNC_perf_event_output, nullptr, map.get(), 5, data, sizeof data), -7);
}

}  // namespace
}  // namespace ring3::exec
