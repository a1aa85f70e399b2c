// `ring3 verify`: objects of this folder judged by the types of the test host, whose functions do not matter here.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/integration/cli/cli_world.h"

namespace ring3::test {
namespace {

class CliVerify : public CliWorld {
 protected:
  Outcome verify(std::vector<std::string> words, const std::string& types = RING3_TEST_HOST_BTF) {
    words.insert(words.begin(), {"ring3", "verify"});
    if (!types.empty()) words.insert(words.end(), {"--btf", types});
    return Command(words, folder_).wait();
  }
  std::string write_file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
};

TEST_F(CliVerify, AcceptedObjectIsATable) {
  const Outcome good = verify({object("policy_one")});
  EXPECT_EQ(good.code, 0) << good;
  EXPECT_TRUE(good.says("PROGRAM")) << good;
  EXPECT_TRUE(good.says("accepted")) << good;
  EXPECT_EQ(good.out.find("refused"), std::string::npos) << good;
}

TEST_F(CliVerify, RefusedObjectGetsAReport) {
  const Outcome refused = verify({object("policy_bad")});
  EXPECT_EQ(refused.code, 5) << refused;
  EXPECT_TRUE(refused.says("refused EACCES")) << refused;
  EXPECT_TRUE(refused.says("policy_bad.bpf.c:23")) << refused;
  EXPECT_TRUE(refused.says("map_value_or_null")) << refused;
}

TEST_F(CliVerify, JsonHasEveryFigure) {
  const Outcome refused = verify({object("policy_bad"), "--json", "--log-level", "1"});
  EXPECT_EQ(refused.code, 5) << refused;
  EXPECT_TRUE(refused.err.empty()) << refused;
  const auto run = nlohmann::json::parse(refused.out, nullptr, false);
  ASSERT_FALSE(run.is_discarded()) << refused;
  EXPECT_EQ(run["object"], "policy_bad.bpf.o");
  EXPECT_EQ(run["rights"], "all");
  ASSERT_EQ(run["programs"].size(), 1u);
  const auto& program = run["programs"][0];
  EXPECT_EQ(program["name"], "choose_bad");
  EXPECT_EQ(program["verdict"], "refused");
  EXPECT_EQ(program["errno"], "EACCES");
  EXPECT_EQ(program["report"]["line"], 23);
  EXPECT_NE(program["log"].get<std::string>().find("processed "), std::string::npos);
  for (const char* figure : {"insns", "insns_processed", "states", "states_peak", "time_ns", "memory_bytes", "max_states_per_insn"})
    EXPECT_TRUE(program[figure].is_number_unsigned()) << figure;
}

TEST_F(CliVerify, OneProgramOfSeveral) {
  const Outcome one = verify({object("kfuncs"), "--prog", "paint", "--json"});
  const Outcome none = verify({object("policy_one"), "--prog", "absent"});
  EXPECT_EQ(none.code, 3) << none;
  EXPECT_TRUE(none.says("no program absent; it has ")) << none;
  EXPECT_TRUE(one.says("\"paint\"")) << one;
  EXPECT_FALSE(one.says("\"color_of\"")) << one;
}

TEST_F(CliVerify, RightsOfTheLoaderCount) {
  EXPECT_EQ(verify({object("policy_one"), "--caps", "all"}).code, 0);
  const Outcome without = verify({object("policy_one"), "--caps", "none"});
  EXPECT_EQ(without.code, 5) << without;
  EXPECT_TRUE(without.says("EPERM")) << without;
  EXPECT_EQ(verify({object("policy_one"), "--caps", "root"}).code, 2);
}

TEST_F(CliVerify, FunctionsOfAHostHaveTheFlagsOneSays) {
  const Outcome noted = verify({object("kfuncs")});
  EXPECT_TRUE(noted.says("taken as without")) << noted;
  EXPECT_EQ(verify({object("kfuncs"), "--kfunc", "nowhere_to_be_found=acquire"}).code, 1);
  EXPECT_EQ(verify({object("kfuncs"), "--kfunc", "x=shiny"}).code, 1);
}

TEST_F(CliVerify, ComparedWithASavedRun) {
  const Outcome before = verify({object("policy_bad"), "--json"});
  const std::string saved = write_file("before.json", before.out);
  const Outcome same = verify({object("policy_bad"), "--compare", saved});
  EXPECT_EQ(same.code, 5) << same;
  EXPECT_TRUE(same.says("nothing changed: 1 programs")) << same;
  auto changed = nlohmann::json::parse(before.out);
  changed["programs"][0]["verdict"] = "accepted";
  changed["programs"][0]["insns_processed"] = 2;
  const Outcome worse = verify({object("policy_bad"), "--compare", write_file("before.json", changed.dump())});
  EXPECT_TRUE(worse.says("accepted → refused")) << worse;
  EXPECT_TRUE(worse.says("2 → ")) << worse;
  EXPECT_EQ(verify({object("policy_bad"), "--compare", write_file("before.json", "{\"programs\": 3}")}).code, 1);
  EXPECT_EQ(verify({object("policy_bad"), "--compare", folder_ + "/absent.json"}).code, 3);
  ::unlink(saved.c_str());
}

TEST_F(CliVerify, WhatCannotBeReadSaysSo) {
  EXPECT_EQ(verify({folder_ + "/absent.bpf.o"}).code, 3);
  EXPECT_EQ(verify({object("policy_one")}, folder_ + "/absent.btf").code, 3);
  const std::string text = write_file("text", "no elf, no types");
  const Outcome no_elf = verify({text});
  EXPECT_EQ(no_elf.code, 1) << no_elf;
  EXPECT_TRUE(no_elf.says("ELF")) << no_elf;
  EXPECT_EQ(verify({object("policy_one")}, text).code, 1);
  const std::string broken = write_file("broken", std::string("\x9f\xeb\x01\x00", 4) + std::string(40, '\xff'));
  const Outcome invalid = verify({object("policy_one")}, broken);
  EXPECT_EQ(invalid.code, 1) << invalid;
  EXPECT_TRUE(invalid.says("not valid BTF")) << invalid;
  ::unlink(text.c_str());
  ::unlink(broken.c_str());
  EXPECT_EQ(verify({}).code, 2);
  EXPECT_EQ(verify({object("policy_one"), "--log-level", "99"}).code, 2);
}

/// Another host's table: nothing to judge by.
TEST_F(CliVerify, WhatTheTypesLackIsNotJudged) {
  const Outcome foreign = verify({object("policy_foreign")});
  EXPECT_EQ(foreign.code, 6) << foreign;
  EXPECT_TRUE(foreign.says("not judged")) << foreign;
  EXPECT_TRUE(foreign.says("foreign_ops")) << foreign;
}

TEST_F(CliVerify, TruncatedObjectsEndWithWords) {
  std::ifstream file(object("policy_one"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (std::size_t length = 64; length < whole.size(); length += whole.size() / 7) {
    const std::string path = write_file("cut.bpf.o", whole.substr(0, length));
    const Outcome cut = verify({path});
    EXPECT_TRUE(cut.code == 1 || cut.code == 6) << length << "\n" << cut;
    ::unlink(path.c_str());
  }
}

}  // namespace
}  // namespace ring3::test
