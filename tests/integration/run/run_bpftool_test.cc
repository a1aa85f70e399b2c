// Stock bpftool against this process's host. Skipped where it is not installed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

using nlohmann::json;

class RunBpftool : public RunWorld {
 protected:
  void SetUp() override {
    RunWorld::SetUp();
    if (!IsSkipped() && ::access(kBpftool, X_OK) != 0) GTEST_SKIP() << kBpftool << " is not installed";
  }
  Outcome bpftool(std::vector<std::string> words) {
    words.insert(words.begin(), kBpftool);
    return on_host(std::move(words));
  }
  static constexpr const char* kBpftool = "/usr/sbin/bpftool";
};

TEST_F(RunBpftool, A_35_StructOpsVerbs) {
  const std::size_t before = live();
  EXPECT_EQ(bpftool({"struct_ops", "list"}).out, "");
  const Outcome registered = bpftool({"struct_ops", "register", object("calc_classic")});
  ASSERT_EQ(registered.code, 0) << registered;
  EXPECT_TRUE(registered.says("Registered calc_ops calc_classic")) << registered;
  EXPECT_EQ(call_add(2, 3), 5);

  const json listed = json::parse(bpftool({"-j", "struct_ops", "list"}).out);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].at("name"), "calc_classic");
  EXPECT_EQ(listed[0].at("kernel_struct_ops"), "calc_ops");
  const json programs = json::parse(bpftool({"-j", "prog", "show"}).out);
  const auto id_of = [&](const std::string& name) {
    for (const json& program : programs)
      if (program.at("name") == name) return program.at("id").get<int>();
    return -1;
  };
  const json dumped = json::parse(bpftool({"-j", "struct_ops", "dump", "name", "calc_classic"}).out);
  const json& value = dumped.at(1).at("bpf_struct_ops_calc_ops");
  EXPECT_EQ(value.at("data").at("scale"), 9) << value;
  EXPECT_EQ(value.at("common").at("state"), "BPF_STRUCT_OPS_STATE_INUSE");
  EXPECT_EQ(value.at("data").at("add"), "int (int, int) sum_add/prog_id:" + std::to_string(id_of("sum_add")));
  EXPECT_EQ(value.at("data").at("sub"), "int (int, int) sum_sub/prog_id:" + std::to_string(id_of("sum_sub")));

  const Outcome removed = bpftool({"struct_ops", "unregister", "name", "calc_classic"});
  EXPECT_EQ(removed.code, 0) << removed;
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(RunBpftool, B_30_PinsAreShownDumpedAndListed) {
  const std::size_t before = live();
  const std::string map = "/sys/fs/bpf/b30map";
  ASSERT_EQ(bpftool({"map", "create", map, "type", "array", "key", "4", "value", "4", "entries", "2", "name", "b30"}).code, 0);
  EXPECT_TRUE(bpftool({"map", "show", "pinned", map}).says("name b30"));
  EXPECT_TRUE(bpftool({"map", "dump", "pinned", map}).says("Found 2 elements"));
  EXPECT_EQ(bpftool({"map", "pin", "name", "b30", map + "2"}).code, 0);
  const Outcome told = bpftool({"-f", "map", "show", "pinned", map});
  if (!told.says("pinned ") && !on_host({"grep", "-q", " /sys/fs/bpf bpf ", "/proc/mounts"}).out.empty()) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_TRUE(told.says("pinned " + map + "\n")) << told;
  EXPECT_TRUE(told.says("pinned " + map + "2\n")) << told;
  const json listed = json::parse(bpftool({"-j", "-f", "map", "show", "pinned", map}).out);
  EXPECT_EQ(listed.at("pinned").get<std::set<std::string>>(), (std::set<std::string>{map, map + "2"})) << listed;
  EXPECT_EQ(on_host({"rm", map, map + "2"}).code, 0);
  // The preloaded iterators are pinned programs' links, like anybody's.
  EXPECT_TRUE(bpftool({"-f", "link", "show"}).says("pinned /sys/fs/bpf/maps.debug")) << bpftool({"-f", "link", "show"});
  EXPECT_TRUE(settles_at(before)) << leaks();
}

/// The machine's table says fuse.bpf of what `ring3 mount` has made; a command under `ring3 run` is told bpf, and finds the pins there too.
TEST_F(RunBpftool, B_30_PinsOfAMountAreListed) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "no /dev/fuse here";
  const std::string place = folder_ + "/mnt";
  ASSERT_EQ(::mkdir(place.c_str(), 0755), 0);
  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1));
  ASSERT_EQ(bpf().pin(map, "/sys/fs/bpf/b30mount"), 0);
  const Outcome listed = ring3({"mount", place, "--", RING3_COMMAND, "-H", path_, "run", "--", kBpftool, "-f", "map", "show", "id", std::to_string(bpf().map_info(map).id)});
  const Outcome table = ring3({"mount", place, "--", RING3_COMMAND, "-H", path_, "run", "--", "grep", place, "/proc/mounts"});
  ::rmdir(place.c_str());
  if (listed.says("namespace of one's own") || !table.says(" bpf ")) GTEST_SKIP() << listed << table;
  EXPECT_EQ(listed.code, 0) << listed;
  EXPECT_TRUE(listed.says("pinned " + place + "/b30mount\n")) << listed << table;
  EXPECT_TRUE(listed.says("pinned /sys/fs/bpf/b30mount\n")) << listed;
  EXPECT_TRUE(table.says("bpf " + place + " bpf rw")) << table;
}

/// Programs that replace or trace functions of others: a client loads and links them, stock tools show them.
TEST_F(RunBpftool, ReplacingAndTracingProgramsAreShownAndDumped) {
  LibbpfDoor door(*runtime_, test_host_btf);
  ObjectFile targets(RING3_MODULE_DIR "/targets.bpf.o"), replacing(RING3_MODULE_DIR "/attachers.bpf.o"), tracing(RING3_MODULE_DIR "/attachers.bpf.o");
  ASSERT_EQ(targets.load_only("tc_main"), 0) << door.take_text();
  const int target = targets.program("tc_main");
  ASSERT_EQ(replacing.load_onto("r_two", target, "two"), 0) << door.take_text();
  ASSERT_EQ(tracing.load_onto("e_nothing", target, "two"), 0) << door.take_text();
  const std::string pins = "/sys/fs/bpf/";
  ASSERT_EQ(bpf().pin(replacing.program("r_two"), "/sys/fs/bpf/replaces"), 0);
  ASSERT_EQ(bpf().pin(tracing.program("e_nothing"), "/sys/fs/bpf/traces"), 0);
  const struct {
    const char *pin, *type, *name;
  } kinds[] = {{"replaces", "ext", "r_two"}, {"traces", "tracing", "e_nothing"}};
  for (const auto& kind : kinds) {
    const Outcome shown = bpftool({"prog", "show", "pinned", pins + kind.pin});
    EXPECT_EQ(shown.code, 0) << shown;
    EXPECT_TRUE(shown.says(std::string(": ") + kind.type + "  name " + kind.name)) << shown;
    EXPECT_EQ(json::parse(bpftool({"-j", "prog", "show", "pinned", pins + kind.pin}).out).at("type"), kind.type);
    EXPECT_TRUE(bpftool({"prog", "dump", "xlated", "pinned", pins + kind.pin}).says("exit"));
    EXPECT_TRUE(bpftool({"prog", "dump", "xlated", "pinned", pins + kind.pin, "linum"}).says("attachers.bpf.c"));
  }
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(tracing.program("e_nothing"));
  attr.link_create.attach_type = uapi::BPF_TRACE_FENTRY;
  ASSERT_GT(bpf().create_with(uapi::BPF_LINK_CREATE, attr), 0);
  const Outcome links = bpftool({"link", "show"});
  EXPECT_TRUE(links.says("tracing  prog")) << links;
  EXPECT_TRUE(links.says("trace_fentry")) << links;
  const json all = json::parse(bpftool({"-j", "link", "show"}).out);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].at("type"), "tracing");
  EXPECT_EQ(all[0].at("attach_type"), "trace_fentry");
  EXPECT_EQ(all[0].at("prog_id"), bpf().prog_info(tracing.program("e_nothing")).id);
}

TEST_F(RunBpftool, TypesStandWhereTheKernelsWould) {
  const Outcome types = bpftool({"btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"});
  EXPECT_EQ(types.code, 0) << types.err;
  if (!types.says("struct calc_ops {")) GTEST_SKIP() << "no mount namespaces here";
}

}  // namespace
}  // namespace ring3::test
