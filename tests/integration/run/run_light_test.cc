// Light skeletons: a loader program makes the maps and programs in the name of a client that links nothing.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

class LightSkeletons : public RunWorld {};

TEST_F(LightSkeletons, E_20_LoadAndRunWithARuntimeOfTheirOwn) {
  const Outcome done = alone({RING3_LIGHT_CLIENT});
  EXPECT_EQ(done.code, 0) << done;
}

/// The lines of `bpftool prog dump xlated`, maps without their ids.
std::string instructions(const std::string& text) {
  static const std::regex map_id(R"(\[id:\d+\])");
  return std::regex_replace(text, map_id, "[id:…]");
}

TEST_F(LightSkeletons, E_18_TheyLoadWhatLibbpfLoads) {
  const std::string dump = RING3_BPFTOOL " prog dump xlated ";
  const Outcome light = alone({RING3_LIGHT_CLIENT, dump + "name count"});
  ASSERT_EQ(light.code, 0) << light;
  const Outcome libbpf = alone({"sh", "-c", RING3_BPFTOOL " prog loadall " RING3_MODULE_DIR "/light.bpf.o /sys/fs/bpf/light && " + dump + "pinned /sys/fs/bpf/light/count"});
  ASSERT_EQ(libbpf.code, 0) << libbpf;
  EXPECT_NE(instructions(light.out), "");
  EXPECT_EQ(instructions(light.out), instructions(libbpf.out));
}

TEST_F(LightSkeletons, E_20_LoadAndRunOnAHost) {
  const std::size_t before = live();
  const Outcome done = on_host({RING3_LIGHT_CLIENT});
  EXPECT_EQ(done.code, 0) << done;
  EXPECT_TRUE(settles_at(before)) << leaks();
}

}  // namespace
}  // namespace ring3::test
