// Stock libbpf in another process, over the control socket.
#include <gtest/gtest.h>

#include "control/module_client.h"
#include "control/pin_client.h"
#include "object/rcu.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

class ControlLibbpf : public ControlWorld {};

TEST_F(ControlLibbpf, A_01_LoadedFromAnotherProcess) {
  const LoaderRun run = load("calc");
  ASSERT_EQ(run.code, 0) << run.errors << log_.take();
  EXPECT_EQ(call_add(40, 2), 42);
  EXPECT_EQ(call_sub(40, 42), -2);
  auto client = connect();
  auto info = control::module_info(*client, "calc");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->programs.size(), 2u) << "libbpf's feature probes are no members";
  ASSERT_EQ(info->ops.size(), 1u);
  EXPECT_NE(info->ops.front().link_id, 0u);
  EXPECT_EQ(control::remove(*client, "calc", false).ok(), true) << client->text();
  EXPECT_EQ(calc_.unregistered.load(), 1);
}

TEST_F(ControlLibbpf, B_31_PinByName) {
  ASSERT_EQ(load("pinned", "first").code, 0) << log_.take();
  auto client = connect();
  auto pins = control::list_pins(*client, "/sys/fs/bpf");
  ASSERT_TRUE(pins.ok());
  ASSERT_EQ(pins->size(), 1u);
  EXPECT_EQ(pins->front().name, "shared_counts");
  const std::uint32_t id = pins->front().object_id;
  EXPECT_EQ(first_map(), id);

  const LoaderRun again = load("pinned", "second");
  ASSERT_EQ(again.code, 0) << again.errors << log_.take();
  EXPECT_EQ(bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, id), 0u) << "a second map was made";

  const LoaderRun other = load("pinned_larger", "third");
  EXPECT_NE(other.code, 0);
  EXPECT_NE(other.errors.find("parameter mismatch"), std::string::npos) << other.errors;

  EXPECT_EQ(control::remove(*client, "first", false).error(), Errno::kBusy) << "the second uses its map";
  ASSERT_TRUE(control::remove(*client, "second", false).ok()) << client->text();
  ASSERT_TRUE(control::remove(*client, "first", false).ok()) << client->text();
  EXPECT_EQ(first_map(), id) << "the pin keeps it";
  ASSERT_TRUE(control::remove_pin(*client, "/sys/fs/bpf/shared_counts").ok());
  rcu::drain();  // the programs held it until their readers had gone
  EXPECT_EQ(first_map(), 0u);
}

TEST_F(ControlLibbpf, ARefusalSaysWhatWhereAndWhy) {
  const LoaderRun run = load("refused");
  EXPECT_EQ(run.code, 3);
  EXPECT_NE(run.errors.find("refused.bpf.c:21"), std::string::npos) << run.errors;
  EXPECT_NE(run.errors.find("value_size=8 off=32 size=8"), std::string::npos) << run.errors;
  EXPECT_TRUE(control::modules(*connect())->empty());
}

}  // namespace
}  // namespace ring3::test
