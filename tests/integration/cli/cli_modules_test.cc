// insmod, lsmod, modinfo, replace, rmmod, logs and hosts as an operator uses them.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "control/pin_client.h"
#include "tests/integration/cli/cli_world.h"

namespace ring3::test {
namespace {

using nlohmann::json;

class CliModules : public CliWorld {
 protected:
  json listed() { return json::parse(ring3({"lsmod", "--json"}).out).at("modules"); }
};

TEST_F(CliModules, InsmodPutsAModuleInCharge) {
  EXPECT_EQ(choose(), 0u);
  const Outcome loaded = ring3({"insmod", object("policy_one")});
  EXPECT_EQ(loaded.code, 0) << loaded;
  EXPECT_TRUE(loaded.says("module policy_one (id 1) loaded into test")) << loaded;
  EXPECT_EQ(choose(), 1u);
}

TEST_F(CliModules, LsmodTellsEverythingAsJson) {
  ASSERT_EQ(ring3({"insmod", object("policy_one"), "--name", "one", "-q"}).code, 0);
  choose();
  const json modules = listed();
  ASSERT_EQ(modules.size(), 1u);
  const json& m = modules[0];
  EXPECT_EQ(m.at("id"), 1);
  EXPECT_EQ(m.at("name"), "one");
  EXPECT_EQ(m.at("state"), "live");
  EXPECT_EQ(m.at("lifetime"), "resident");
  EXPECT_EQ(m.at("used_by"), 0);
  EXPECT_EQ(m.at("uid"), ::getuid());
  EXPECT_GT(m.at("pid").get<int>(), 0);
  EXPECT_EQ(m.at("source"), "policy_one.bpf.o");
  EXPECT_EQ(m.at("digest").get<std::string>().size(), 64u);
  EXPECT_EQ(m.at("runs"), 1);
  EXPECT_GT(m.at("memory_bytes").get<int>(), 0);
  ASSERT_EQ(m.at("programs").size(), 1u);
  EXPECT_EQ(m.at("programs")[0].at("name"), "choose_one");
  EXPECT_EQ(m.at("programs")[0].at("type"), "struct_ops");
  ASSERT_EQ(m.at("maps").size(), 1u);
  ASSERT_EQ(m.at("ops").size(), 1u);
  EXPECT_EQ(m.at("ops")[0].at("type"), "policy_ops");
  EXPECT_GT(m.at("ops")[0].at("link_id").get<int>(), 0);
}

TEST_F(CliModules, LsmodIsATable) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const Outcome table = ring3({"lsmod"});
  EXPECT_EQ(table.code, 0);
  EXPECT_EQ(table.out.rfind("ID  NAME        STATE  LIFETIME  USED  PROGS  MAPS  MEMORY  RUNS  UID/PID", 0), 0u) << table;
  EXPECT_TRUE(table.says(" 1  policy_one  live   resident     0      1     1")) << table;
  EXPECT_TRUE(table.says("policy_ops:policy_one")) << table;
}

TEST_F(CliModules, ModinfoTellsAboutOne) {
  ASSERT_EQ(ring3({"insmod", object("calc"), "--name", "sums"}).code, 0);
  const Outcome info = ring3({"modinfo", "sums"});
  EXPECT_EQ(info.code, 0);
  for (const char* text : {"source     calc.bpf.o", "calc_add", "calc_sub", "array", "struct_ops", "calc_ops"})
    EXPECT_TRUE(info.says(text)) << text << "\n" << info;
  EXPECT_EQ(json::parse(ring3({"modinfo", "sums", "--json"}).out).at("programs").size(), 2u);
  EXPECT_EQ(ring3({"modinfo", "other"}).code, 3);
}

TEST_F(CliModules, ReplaceSwapsUnderCallsWithoutAGap) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> calls{0}, wrong{0};
  std::thread caller([&] {
    while (!stop) {
      const __u64 answer = choose();
      if (answer != 1 && answer != 2) ++wrong;
      ++calls;
    }
  });
  std::string current = "policy_one", next = "policy_two";
  for (int i = 0; i < 6; ++i) {
    const Outcome swapped = ring3({"replace", current + "=" + object(next)});
    EXPECT_EQ(swapped.code, 0) << swapped;
    std::swap(current, next);
  }
  stop = true;
  caller.join();
  EXPECT_EQ(wrong, 0u) << "of " << calls;
  EXPECT_EQ(choose(), 1u);
  json modules;
  ASSERT_TRUE(eventually([&] { return (modules = listed()).size() == 1; })) << modules;  // the old ones are unloaded
  EXPECT_EQ(modules.back().at("name"), "policy_one");
  EXPECT_EQ(modules.back().at("replaced"), "policy_two");
}

TEST_F(CliModules, RefusedReplacementLeavesTheOldOne) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  EXPECT_EQ(ring3({"replace", "policy_one", object("policy_bad")}).code, 5);
  EXPECT_EQ(choose(), 1u);
  EXPECT_EQ(ring3({"replace", "nobody=" + object("policy_two")}).code, 3);
  EXPECT_EQ(choose(), 1u);
  EXPECT_EQ(listed().size(), 1u);
}

TEST_F(CliModules, RmmodGivesTheHostBack) {
  const std::size_t before = live();
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const Outcome removed = ring3({"rmmod", "policy_one"});
  EXPECT_EQ(removed.code, 0) << removed;
  EXPECT_EQ(choose(), 0u);
  EXPECT_TRUE(listed().empty());
  EXPECT_TRUE(settles_at(before)) << leaks();
  const Outcome again = ring3({"rmmod", "policy_one"});
  EXPECT_EQ(again.code, 3);
  EXPECT_TRUE(again.says("there is no module")) << again;
}

TEST_F(CliModules, RmmodWaitsForCallersThatAreInside) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  std::unique_ptr<Command> removing;
  {
    auto inside = policy_.enter();
    EXPECT_EQ(inside->choose(0), 1u);
    const Outcome impatient = ring3({"rmmod", "policy_one", "--timeout", "0"});
    EXPECT_EQ(impatient.code, 0);
    EXPECT_TRUE(impatient.says("calls are still inside")) << impatient;
    EXPECT_EQ(inside->choose(0), 1u);
    const json modules = listed();
    ASSERT_EQ(modules.size(), 1u);
    EXPECT_EQ(modules[0].at("state"), "unloading");
  }
  EXPECT_TRUE(eventually([&] { return listed().empty(); }));
}

TEST_F(CliModules, ModuleTheHostHoldsIsInUse) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  {
    auto held = policy_.hold();
    const Outcome busy = ring3({"rmmod", "policy_one"});
    EXPECT_EQ(busy.code, 7) << busy;
    EXPECT_TRUE(busy.says("in use by the host")) << busy;
    EXPECT_EQ(choose(), 1u);
  }
  EXPECT_EQ(ring3({"rmmod", "policy_one"}).code, 0);
}

TEST_F(CliModules, NameIsTakenOnce) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const Outcome again = ring3({"insmod", object("policy_one")});
  EXPECT_EQ(again.code, 7) << again;
  EXPECT_TRUE(again.says("a module policy_one is loaded already")) << again;
}

TEST_F(CliModules, SessionModuleLivesAsLongAsItsCommand) {
  const std::size_t before = live();
  const auto loader = start({"insmod", object("policy_one"), "--lifetime", "session"});
  ASSERT_TRUE(eventually([&] { return choose() == 1; }));
  EXPECT_EQ(listed()[0].at("lifetime"), "session");
  loader->kill(SIGINT);
  EXPECT_EQ(loader->wait().code, 0);
  EXPECT_TRUE(eventually([&] { return choose() == 0; }));
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(CliModules, TableOfAQuestionedSectionIsMadeWhenAskedFor) {
  ASSERT_EQ(ring3({"insmod", object("policy_optional")}).code, 0);
  EXPECT_EQ(choose(), 0u);
  ASSERT_EQ(ring3({"rmmod", "policy_optional"}).code, 0);
  ASSERT_EQ(ring3({"insmod", object("policy_optional"), "--ops", "policy_opt"}).code, 0);
  EXPECT_EQ(choose(), 3u);
  const Outcome logs = ring3({"logs"});
  EXPECT_EQ(logs.code, 0);
  EXPECT_TRUE(logs.says("chosen for 0")) << logs;
  EXPECT_EQ(json::parse(ring3({"logs", "--json", "-n", "1"}).out).at("text"), "chosen for 0");
}

TEST_F(CliModules, LogsTellWhichModulePrinted) {
  ASSERT_EQ(ring3({"insmod", object("policy_talks")}).code, 0);
  choose();
  const Outcome lines = ring3({"logs", "policy_talks"});
  EXPECT_EQ(lines.code, 0);
  EXPECT_TRUE(lines.says("policy_talks: asked for 0")) << lines;
  EXPECT_FALSE(ring3({"logs", "policy_one"}).says("asked for")) << "another module's line";
  const json record = json::parse(ring3({"logs", "policy_talks", "--json"}).out);
  EXPECT_EQ(record.at("module"), "policy_talks");
  EXPECT_EQ(record.at("text"), "asked for 0");
}

TEST_F(CliModules, TopShowsWhatRuns) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  std::atomic<bool> stop{false};
  std::thread caller([&] {
    while (!stop) choose();
  });
  const Outcome records = ring3({"top", "-d", "0.1", "-n", "2", "--json"});
  const Outcome table = ring3({"top", "-d", "0.1", "-n", "1"});
  // Of several looks: on a busy machine the caller may not run between two.
  const Outcome exact = ring3({"top", "-d", "0.1", "-n", "20", "--exact", "--json"});
  stop = true;
  caller.join();
  ASSERT_EQ(records.code, 0) << records;
  EXPECT_EQ(std::count(records.out.begin(), records.out.end(), '\n'), 2) << records;
  const json program = json::parse(records.out.substr(0, records.out.find('\n'))).at("programs").at(0);
  EXPECT_EQ(program.at("module"), "policy_one");
  EXPECT_EQ(program.at("program"), "choose_one");
  EXPECT_GT(program.at("runs_per_second").get<double>(), 0);
  EXPECT_GT(program.at("ns_per_run").get<double>(), 0);
  EXPECT_TRUE(table.says("MODULE      PROGRAM     ID")) << table;
  ASSERT_EQ(exact.code, 0) << exact;
  double longest_ns = 0;
  std::istringstream looks(exact.out);
  for (std::string look; std::getline(looks, look);)
    longest_ns = std::max(longest_ns, json::parse(look).at("programs").at(0).at("ns_per_run").get<double>());
  EXPECT_GT(longest_ns, 0) << exact;
  EXPECT_EQ(ring3({"top", "-d", "0"}).code, 2);
}

TEST_F(CliModules, DumpShowsCodeWithItsSource) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const Outcome instructions = ring3({"dump", "xlated", "choose_one"});
  ASSERT_EQ(instructions.code, 0) << instructions;
  EXPECT_TRUE(instructions.says("choose_one:\n")) << instructions;
  EXPECT_TRUE(instructions.says("(95) exit")) << instructions;
  EXPECT_TRUE(instructions.says("policy_one.bpf.c:")) << instructions;
  EXPECT_EQ(ring3({"dump", "xlated", "nobody"}).code, 3);
  EXPECT_EQ(ring3({"dump", "xlated", "4000000000"}).code, 3);
  EXPECT_EQ(ring3({"dump", "choose_one"}).code, 2);
  EXPECT_EQ(ring3({"dump", "jited"}).code, 2);

  const json record = json::parse(ring3({"dump", "xlated", "choose_one", "--json"}).out);
  EXPECT_EQ(record.at("name"), "choose_one");
  const json& last = record.at("xlated").at(0).at("insns").back();
  EXPECT_EQ(last.at("bytes"), "9500000000000000");

  const Outcome jited = ring3({"dump", "jited", "choose_one", "--json"});
  if (jited.says("interpreted")) GTEST_SKIP() << "no compiler here";
  ASSERT_EQ(jited.code, 0) << jited;
  const json code = json::parse(jited.out);
  EXPECT_EQ(code.at("id"), record.at("id"));
  ASSERT_EQ(code.at("jited").size(), 1u);
  const json& insns = code.at("jited").at(0).at("insns");
  EXPECT_EQ(insns.at(0).at("offset"), 0);
#if defined(__x86_64__)
  EXPECT_EQ(insns.at(0).at("text"), "endbr64");
#endif
  EXPECT_TRUE(std::any_of(insns.begin(), insns.end(), [](const json& insn) { return insn.contains("source"); })) << jited;
  // An id is as good as a name.
  EXPECT_EQ(ring3({"dump", "jited", std::to_string(record.at("id").get<int>()), "--json"}).out, jited.out);
}

TEST_F(CliModules, TheHostsReasonReachesTheOperator) {
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const Outcome refused = ring3({"insmod", object("policy_two")});
  EXPECT_EQ(refused.code, 7) << refused;
  EXPECT_TRUE(refused.says("struct_ops policy_ops: reg() of the host refuses: ")) << refused;
  EXPECT_EQ(choose(), 1u);
}

TEST_F(CliModules, APinnedModuleLivesAsLongAsItsPin) {
  const std::size_t before = live();
  ASSERT_EQ(ring3({"insmod", object("policy_one"), "--lifetime", "pinned", "--pin", "/sys/fs/bpf/chosen"}).code, 0);
  EXPECT_EQ(listed()[0].at("lifetime"), "pinned");
  EXPECT_EQ(choose(), 1u) << "the command has ended, the pin holds the link";
  auto client = connect();
  auto pins = control::list_pins(*client, "/sys/fs/bpf");
  ASSERT_TRUE(pins.ok());
  ASSERT_EQ(pins->size(), 1u);
  EXPECT_EQ(pins->front().name, "chosen");
  ASSERT_TRUE(control::remove_pin(*client, "/sys/fs/bpf/chosen").ok()) << client->text();
  EXPECT_TRUE(eventually([&] { return choose() == 0 && listed().empty(); })) << ring3({"lsmod"});
  client = nullptr;
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(CliModules, APinnedModuleCanBeRemoved) {
  ASSERT_EQ(ring3({"insmod", object("policy_one"), "--lifetime", "pinned"}).code, 0);
  EXPECT_EQ(ring3({"rmmod", "policy_one"}).code, 0);
  EXPECT_EQ(choose(), 0u);
}

}  // namespace
}  // namespace ring3::test
