// What goes wrong: refused objects, wrong objects, hosts that are not there, loaders that race or die. Every one
// ends with its exit code and words, and leaves the host as it was.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/integration/cli/cli_world.h"

namespace ring3::test {
namespace {

class CliFailures : public CliWorld {
 protected:
  CliFailures() { before_ = live(); }
  void nothing_happened() {
    EXPECT_EQ(choose(), 0u);
    EXPECT_TRUE(settles_at(before_)) << leaks();
    EXPECT_TRUE(runtime_->impl().modules().list().empty());
  }
  std::string write_file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::size_t before_ = 0;
};

TEST_F(CliFailures, RefusedObjectGetsAReport) {
  const Outcome refused = ring3({"insmod", object("policy_bad")});
  EXPECT_EQ(refused.code, 5) << refused;
  EXPECT_TRUE(refused.says("policy_bad.bpf.o: not loaded into test")) << refused;
  EXPECT_TRUE(refused.says("map_value_or_null")) << refused;                // what
  EXPECT_TRUE(refused.says("policy_bad.bpf.c:23")) << refused;              // where
  EXPECT_TRUE(refused.says("return *last + seed;")) << refused;
  EXPECT_TRUE(refused.says("instruction ")) << refused;
  EXPECT_TRUE(refused.says("rule ")) << refused;                            // why
  EXPECT_TRUE(refused.out.empty()) << refused;
  nothing_happened();
}

TEST_F(CliFailures, ObjectForAnotherHostIsIncompatible) {
  const Outcome refused = ring3({"insmod", object("policy_foreign")});
  EXPECT_EQ(refused.code, 6) << refused;
  EXPECT_TRUE(refused.says("foreign_ops")) << refused;
  nothing_happened();
}

TEST_F(CliFailures, WhatIsNoObjectIsRefused) {
  EXPECT_EQ(ring3({"insmod", folder_ + "/absent.bpf.o"}).code, 3);
  for (const std::string& text : {std::string(), std::string("no elf"), std::string("\x7f" "ELF\x02\x01\x01", 7) + std::string(60, '\xff')}) {
    const std::string path = write_file("wrong.bpf.o", text);
    const Outcome wrong = ring3({"insmod", path});
    EXPECT_EQ(wrong.code, 1) << wrong;
    EXPECT_TRUE(wrong.says("wrong.bpf.o")) << wrong;
    ::unlink(path.c_str());
  }
  nothing_happened();
}

TEST_F(CliFailures, TruncatedObjectsAreRefused) {
  std::ifstream file(object("policy_one"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (std::size_t length = 64; length < whole.size(); length += whole.size() / 7) {
    const std::string path = write_file("cut.bpf.o", whole.substr(0, length));
    const Outcome cut = ring3({"insmod", path});
    EXPECT_TRUE(cut.code == 1 || cut.code == 6) << length << "\n" << cut;
    ::unlink(path.c_str());
  }
  nothing_happened();
}

TEST_F(CliFailures, UsageErrors) {
  EXPECT_EQ(ring3({}).code, 2);
  EXPECT_EQ(ring3({"frob"}).code, 2);
  EXPECT_EQ(ring3({"insmod"}).code, 2);
  EXPECT_EQ(ring3({"insmod", object("policy_one"), "--lifetime", "forever"}).code, 2);
  EXPECT_EQ(ring3({"insmod", object("policy_one"), "--pin", "/sys/fs/bpf/x"}).code, 2);
  EXPECT_EQ(ring3({"replace", "one"}).code, 2);
  EXPECT_EQ(ring3({"--help"}).code, 0);
  EXPECT_EQ(ring3({"insmod", "--help"}).code, 0);
  EXPECT_EQ(ring3({"insmod", object("policy_one"), "--name", "no good"}).code, 1);
  nothing_happened();
}

TEST_F(CliFailures, HostThatIsNotThere) {
  const Command lsmod({"ring3", "-H", folder_ + "/nobody.sock", "lsmod"}, folder_);
  const Outcome gone = const_cast<Command&>(lsmod).wait();
  EXPECT_EQ(gone.code, 8) << gone;
  EXPECT_TRUE(gone.says("nobody.sock")) << gone;
}

TEST_F(CliFailures, OfTwoLoadersAtOnceOneWins) {
  for (int round = 0; round < 4; ++round) {
    const auto one = start({"insmod", object("policy_one")});
    const auto two = start({"insmod", object("policy_two")});
    const Outcome a = one->wait(), b = two->wait();
    // The host has one seat for a policy: the second to commit is turned away, and nothing of it stays.
    EXPECT_EQ((a.code == 0) + (b.code == 0), 1) << a << b;
    const std::string winner = a.code == 0 ? "policy_one" : "policy_two";
    EXPECT_EQ(choose(), a.code == 0 ? 1u : 2u);
    EXPECT_EQ(ring3({"rmmod", winner}).code, 0);
    nothing_happened();
  }
}

/// The loader's steps in time, as fine as this machine's clock lets us hit them; loader_death_test.cc does it
/// packet by packet.
TEST_F(CliFailures, LoaderKilledAtAnyMomentLeavesNothing) {
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(ring3({"insmod", object("policy_one")}).code, 0);
  const auto whole = std::chrono::steady_clock::now() - begin;
  ASSERT_EQ(ring3({"rmmod", "policy_one"}).code, 0);
  constexpr int kMoments = 12;
  for (int moment = 0; moment < kMoments; ++moment) {
    const auto loader = start({"insmod", object("policy_one")});
    const auto when = std::chrono::steady_clock::now() + whole * moment / kMoments;
    while (std::chrono::steady_clock::now() < when) std::this_thread::yield();
    loader->kill(SIGKILL);
    (void)loader->wait();
    // Killed after its commit it has left a whole module.
    EXPECT_TRUE(eventually([&] { return !policy_.has_instance() || !runtime_->impl().modules().list().empty(); }));
    if (!runtime_->impl().modules().list().empty()) {
      EXPECT_EQ(choose(), 1u);
      EXPECT_EQ(ring3({"rmmod", "policy_one"}).code, 0);
    }
    nothing_happened();
  }
}

}  // namespace
}  // namespace ring3::test
