// Stock bpftool against this process's host. Skipped where it is not installed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST_F(RunBpftool, TypesStandWhereTheKernelsWould) {
  const Outcome types = bpftool({"btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"});
  EXPECT_EQ(types.code, 0) << types.err;
  if (!types.says("struct calc_ops {")) GTEST_SKIP() << "no mount namespaces here";
}

}  // namespace
}  // namespace ring3::test
